"""Parameters from and to PyTorch's modules in float64: outputs and final states of the live modules, both ways."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness import assert_equal
from lstm_jax import GRU, LSTM, Bidirectional, Elman, ResetBeforeGRU, Stack, unroll
from lstm_jax.cells import IRNN, ProjectedLSTM
from lstm_jax.convert.torch import from_torch, to_torch

T, B, D, H, P = 7, 4, 3, 5, 2
LENGTHS = np.array([3, 7, 1, 5])

pytestmark = pytest.mark.usefixtures("float64")

KINDS = {
    "lstm": (LSTM(H, param_dtype="float64"), torch.nn.LSTM, {}),
    "projected": (ProjectedLSTM(H, P, param_dtype="float64"), torch.nn.LSTM, {"proj_size": P}),
    "gru": (GRU(H, param_dtype="float64"), torch.nn.GRU, {}),
    "elman": (Elman(H, param_dtype="float64"), torch.nn.RNN, {}),
    "elman-relu": (Elman(H, activation="relu", param_dtype="float64"), torch.nn.RNN, {"nonlinearity": "relu"}),
    "irnn": (IRNN(H, param_dtype="float64"), torch.nn.RNN, {"nonlinearity": "relu"}),
}
SHAPES = [(1, False), (3, False), (1, True), (2, True)]


def pair(kind, layers=1, both=False, **settings):
    """Our cell and PyTorch's module, whose values are all different and not small."""
    cell, module, more = KINDS[kind]
    torch.manual_seed(layers)
    theirs = module(D, H, num_layers=layers, bidirectional=both, **more, **settings).double()
    layer = Bidirectional(cell, cell) if both else cell
    return (layer if layers == 1 else Stack((layer,) * layers)), theirs


def run_theirs(theirs, xs):
    """Outputs, and final h ``[layers * directions, B, H]``, of ragged rows."""
    packed = torch.nn.utils.rnn.pack_padded_sequence(torch.tensor(xs), torch.tensor(LENGTHS), enforce_sorted=False)
    with torch.no_grad():
        ys, last = theirs(packed)
    ys, _ = torch.nn.utils.rnn.pad_packed_sequence(ys, total_length=T)
    return ys.numpy(), [part.numpy() for part in (last if isinstance(last, tuple) else (last,))]


def run_ours(cell, params, xs):
    ys, last = unroll(cell, params, jnp.asarray(xs), lengths=LENGTHS)
    states = []
    for layer in last if isinstance(cell, Stack) else (last,):
        states += [layer.forward, layer.backward] if hasattr(layer, "forward") else [layer]
    fields = ("h", "c") if hasattr(states[0], "c") else ("h",)
    return np.asarray(ys), [np.stack([getattr(state, field) for state in states]) for field in fields]


def inputs():
    return np.random.default_rng(1).normal(size=(T, B, D))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("layers, both", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_from_torch(kind, layers, both, bias):
    cell, theirs = pair(kind, layers, both, bias=bias)
    params = from_torch(cell, theirs.state_dict())
    assert_equal(run_ours(cell, params, inputs()), run_theirs(theirs, inputs()))
    like = cell.init(jax.random.key(0), D)
    assert jax.tree.structure(params) == jax.tree.structure(like)
    assert [(p.shape, p.dtype) for p in jax.tree.leaves(params)] == [(p.shape, p.dtype) for p in jax.tree.leaves(like)]


@pytest.mark.parametrize("layers, both", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_to_torch(kind, layers, both):
    cell, theirs = pair(kind, layers, both)
    params = cell.init(jax.random.key(0), D)
    keys = iter(jax.random.split(jax.random.key(1), 50))
    params = jax.tree.map(lambda p: jax.random.normal(next(keys), p.shape, p.dtype) / 2, params)
    arrays = to_torch(cell, params)
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()}, strict=True)
    assert_equal(run_ours(cell, params, inputs()), run_theirs(theirs, inputs()))
    assert_equal(from_torch(cell, theirs.state_dict()), params, rtol=0, atol=0)


def test_without_biases():
    cell, theirs = pair("gru", 2, True, bias=False)
    params = from_torch(cell, theirs.state_dict())
    arrays = to_torch(cell, params, bias=False)
    assert arrays.keys() == theirs.state_dict().keys()
    for name, tensor in theirs.state_dict().items():
        np.testing.assert_array_equal(arrays[name], tensor.numpy())
    wrong = jax.tree.map(lambda p: p + 1, params)
    with pytest.raises(ValueError, match="bias that is not zero, and PyTorch's module with bias=False"):
        to_torch(cell, wrong, bias=False)


def test_one_module_of_a_model():
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = torch.nn.LSTM(D, H, dtype=torch.float64)
            self.head = torch.nn.Linear(H, 2)

    torch.manual_seed(0)
    model, cell = Model(), LSTM(H, param_dtype="float64")
    params = from_torch(cell, model.state_dict(), prefix="rnn.")
    assert_equal(run_ours(cell, params, inputs()), run_theirs(model.rnn, inputs()))
    assert to_torch(cell, params, prefix="rnn.").keys() == {n for n in model.state_dict() if n.startswith("rnn.")}
    with pytest.raises(ValueError, match=r"state_dict under 'lstm\.' has no weight_ih_l0 .*: pass prefix=\"rnn.\"\.$"):
        from_torch(cell, model.state_dict(), prefix="lstm.")


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision(dtype):
    """In both directions the values are the same; PyTorch gets bfloat16 as float32, which NumPy knows."""
    theirs = torch.nn.LSTM(D, H, bias=False, dtype=getattr(torch, dtype))
    cell = LSTM(H, param_dtype=dtype)
    params = from_torch(cell, theirs.state_dict())
    assert params.w_x.dtype == dtype
    for name, array in to_torch(cell, params, bias=False).items():
        np.testing.assert_array_equal(np.asarray(array, "float32"), theirs.state_dict()[name].float().numpy())


def test_parameters_that_need_gradients():
    cell, theirs = pair("lstm")
    assert_equal(from_torch(cell, dict(theirs.named_parameters())), from_torch(cell, theirs.state_dict()))


def test_entries_that_do_not_fit_are_named():
    cell, theirs = pair("lstm", 2)
    state = theirs.state_dict()
    with pytest.raises(ValueError, match=r"weight_ih_l0 \[20, 3\] where \[16, 3\] is needed, .*, for Stack\("):
        from_torch(Stack((LSTM(4), LSTM(4))), state)
    with pytest.raises(ValueError, match=r"has, not expected, weight_ih_l1 \[20, 5\], .*bias_hh_l1 \[20\], for"):
        from_torch(LSTM(H), state)
    with pytest.raises(ValueError, match=r"lacks weight_ih_l2 \[20, 5\], .*bias_hh_l2 \[20\], for"):
        from_torch(Stack((LSTM(H),) * 3), state)
    del state["bias_hh_l1"]
    with pytest.raises(ValueError, match=r"lacks bias_hh_l1 \[20\], for"):
        from_torch(cell, state)
    with pytest.raises(ValueError, match="has, not expected, weight_hr_l0"):
        from_torch(LSTM(H), pair("projected")[1].state_dict())
    with pytest.raises(ValueError, match=r"params lacks b_hn \[5\]; has w_x \[3, 20\] where .*, for GRU\(5\)"):
        to_torch(GRU(H), LSTM(H).init(jax.random.key(0), D))


def test_arguments_of_other_kinds():
    cell, theirs = pair("lstm")
    for wrong in (theirs, [1], None):
        with pytest.raises(TypeError, match=r"pass module\.state_dict\(\)"):
            from_torch(cell, wrong)
    with pytest.raises(TypeError, match=r"pass a cell, such as LSTM\(64\), not its class"):
        from_torch(LSTM, theirs.state_dict())
    state = theirs.state_dict()
    state["bias_hh_l0"] = state["bias_hh_l0"].to(torch.complex64)
    with pytest.raises(ValueError, match="state_dict has bias_hh_l0 of dtype complex64 where real numbers are needed"):
        from_torch(cell, state)
    params = from_torch(cell, theirs.state_dict())
    for stack, wrong in ((Stack((cell,)), params), (cell, Stack((cell,)).init(jax.random.key(0), D)), (cell, None)):
        with pytest.raises(ValueError, match=r"^params lacks .*w_x"):
            to_torch(stack, wrong)
    with pytest.raises(ValueError, match=r"other containers, dict where DenseParams is needed, for LSTM\("):
        to_torch(cell, vars(params))


@pytest.mark.parametrize(
    "cell, sentence",
    [
        (ResetBeforeGRU(H), "PyTorch has no ResetBeforeGRU"),
        (LSTM(H, activation="relu"), "PyTorch has activation 'tanh' only"),
        (LSTM(H, gate_activation="hard_sigmoid"), "PyTorch has gate_activation 'sigmoid' only"),
        (Elman(H, activation="gelu"), "PyTorch has activation 'tanh' or 'relu' only"),
        (ProjectedLSTM(H, P, cell_clip=1.0), "PyTorch has cell_clip None only"),
        (Stack((LSTM(H), LSTM(H + 1))), "layers and directions of one kind and size only"),
        (Stack((Elman(H), IRNN(H))), "layers and directions of one kind and size only"),
        (Stack((LSTM(H), Bidirectional(LSTM(H), LSTM(H)))), "layers and directions of one kind and size only"),
        (Bidirectional(LSTM(H), LSTM(H), merge="sum"), 'merge must be "concat"'),
    ],
)
def test_cells_that_pytorch_has_not_are_refused(cell, sentence):
    with pytest.raises(ValueError, match=sentence):
        from_torch(cell, {})
