"""PyTorch's LSTM, GRU and RNN in float64 on the same weights: outputs, final states and every gradient.

Traps: torch has two biases (ours is their sum, but for the GRU's candidate), weights are transposed, and its packed
sequences stop each row at its own length.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness import assert_equal
from lstm_jax import GRU, LSTM, Bidirectional, Elman, Stack, unroll
from lstm_jax.cells import ProjectedLSTM

T, B, D, H, P = 7, 4, 3, 5, 2
LENGTHS = np.array([3, 7, 1, 5])

pytestmark = pytest.mark.usefixtures("float64")

KINDS = {
    "lstm": (LSTM(H, param_dtype="float64"), torch.nn.LSTM, {}),
    "projected": (ProjectedLSTM(H, P, param_dtype="float64"), torch.nn.LSTM, {"proj_size": P}),
    "gru": (GRU(H, param_dtype="float64"), torch.nn.GRU, {}),
    "elman": (Elman(H, param_dtype="float64"), torch.nn.RNN, {}),
    "elman-relu": (Elman(H, activation="relu", param_dtype="float64"), torch.nn.RNN, {"nonlinearity": "relu"}),
}


def array(tensor: Any) -> np.ndarray:
    return tensor.detach().numpy()


def ours_from(get, like, suffix: str):
    """One layer's parameters, or their gradients, in our layout; ``get(name)`` is torch's array of that name."""
    w_x, w_h = get(f"weight_ih_{suffix}").T, get(f"weight_hh_{suffix}").T
    b_x, b_h = get(f"bias_ih_{suffix}"), get(f"bias_hh_{suffix}")
    if hasattr(like, "w_p"):
        return like.replace(w_x=w_x, w_h=w_h, b=b_x + b_h, w_p=get(f"weight_hr_{suffix}").T)
    if not hasattr(like, "b_hn"):
        return like.replace(w_x=w_x, w_h=w_h, b=b_x + b_h)
    gates = 2 * H
    return like.replace(w_x=w_x, w_h=w_h, b=np.concatenate([b_x[:gates] + b_h[:gates], b_x[gates:]]), b_hn=b_h[gates:])


def gradient_from(get, like, suffix: str):
    """The gradient of our bias is that of either of torch's two: not their sum."""

    def zero_hidden_bias(name):
        return np.zeros_like(get(name)) if name.startswith("bias_hh") else get(name)

    ours = ours_from(zero_hidden_bias, like, suffix)
    return ours.replace(b_hn=get(f"bias_hh_{suffix}")[2 * H :]) if hasattr(like, "b_hn") else ours


@pytest.mark.parametrize("packed", [False, True], ids=["full", "packed"])
@pytest.mark.parametrize("layers, both", [(1, False), (2, False), (1, True), (2, True)])
@pytest.mark.parametrize("kind", KINDS)
def test_equals_torch(kind, layers, both, packed):
    cell, module, settings = KINDS[kind]
    torch.manual_seed(0)
    theirs = module(D, H, num_layers=layers, bidirectional=both, **settings).double()
    layer = Bidirectional(cell, cell) if both else cell
    model = Stack((layer,) * layers)
    rng = np.random.default_rng(1)
    xs = rng.normal(size=(T, B, D))
    directions = 2 if both else 1
    sizes = {"h": P if kind == "projected" else H, "c": H}
    start = {name: rng.normal(size=(layers * directions, B, size)) for name, size in sizes.items()}
    has_c = kind in ("lstm", "projected")

    like = model.init(jax.random.key(0), D)
    suffixes = [[f"l{i}" + ("_reverse" if d else "") for d in range(directions)] for i in range(layers)]

    def gather(convert, get):
        entries = []
        for i in range(layers):
            like_i = like.layers[i]
            parts = [like_i.forward, like_i.backward] if both else [like_i]
            done = [convert(get, part, suffix) for part, suffix in zip(parts, suffixes[i], strict=True)]
            entries.append(like_i.replace(forward=done[0], backward=done[1]) if both else done[0])
        return like.replace(layers=tuple(entries))

    params = gather(ours_from, lambda name: array(getattr(theirs, name)))
    initial = model.initial_state(params, (B,))

    def named(tensors):
        """States ``[layers * directions, B, size]`` in our structure."""
        slots = iter(range(layers * directions))

        def one(state):
            slot = next(slots)
            return type(state)(**{name: tensors[name][slot] for name in vars(state)})

        return tuple(s.replace(forward=one(s.forward), backward=one(s.backward)) if both else one(s) for s in initial)

    # Theirs.
    x_t = torch.tensor(xs, requires_grad=True)
    h_t, c_t = (torch.tensor(start[name], requires_grad=True) for name in ("h", "c"))
    state_t = (h_t, c_t) if has_c else h_t
    inputs = x_t
    if packed:
        inputs = torch.nn.utils.rnn.pack_padded_sequence(x_t, torch.tensor(LENGTHS), enforce_sorted=False)
    ys_t, last_t = theirs(inputs, state_t)
    if packed:
        ys_t, _ = torch.nn.utils.rnn.pad_packed_sequence(ys_t, total_length=T)
    last_t = dict(zip("hc", last_t, strict=True)) if has_c else {"h": last_t}
    weights = np.cos(np.arange(np.prod(ys_t.shape))).reshape(ys_t.shape)
    scalar = (ys_t * torch.tensor(weights)).sum() + sum((v * v).sum() for v in last_t.values())
    scalar.backward()

    # Ours.
    lengths = LENGTHS if packed else None

    def loss(params, xs, state):
        ys, last = unroll(model, params, xs, state, lengths=lengths, chunk=3)
        squares = sum(jnp.sum(leaf * leaf) for leaf in jax.tree.leaves(last))
        return jnp.sum(ys * weights) + squares, (ys, last)

    state = named(start)
    gradients, (ys, last) = jax.jit(jax.grad(loss, argnums=(0, 1, 2), has_aux=True))(params, xs, state)
    assert_equal(ys, array(ys_t))
    assert_equal(last, named({name: array(v) for name, v in last_t.items()}))
    d_params, d_xs, d_state = gradients
    assert_equal(d_params, gather(gradient_from, lambda name: array(getattr(theirs, name).grad)))
    assert_equal(d_xs, array(x_t.grad))
    grads = {"h": array(h_t.grad)} | ({"c": array(c_t.grad)} if has_c else {})
    assert_equal(d_state, named(grads))
