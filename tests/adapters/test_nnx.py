"""`Recurrent` in a small nnx model: parameters, gradients, randomness, padding, training."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from lstm_jax import GRU, LSTM, Bidirectional, Cell, HiddenState, Stack, unroll
from lstm_jax.adapters.nnx import Recurrent

T, B, D = 8, 4, 3
CELL = Stack((LSTM(4), Bidirectional(GRU(3), GRU(3))))
XS = jax.random.normal(jax.random.key(0), (T, B, D))


class Tagger(nnx.Module):
    """A label a step."""

    def __init__(self, cell, input_size, *, rngs):
        self.recurrent = Recurrent(cell, input_size, rngs=rngs)
        self.head = nnx.Linear(cell.output_size, 2, rngs=rngs)

    def __call__(self, xs, lengths=None, *, rngs=None):
        ys, _ = self.recurrent(xs, lengths=lengths, rngs=rngs)
        return self.head(ys)


@dataclass(frozen=True)
class Odd(Cell):
    """Parameters of every kind: nested, a scalar, integers, a key."""

    hidden_size: int = D

    def init(self, key, input_size):
        return {"w": [jnp.ones(input_size), None], "gain": jnp.array(0.5), "n": jnp.arange(input_size), "key": key}

    def step(self, params, state, z):
        noise = jax.random.normal(params["key"], (self.hidden_size,))
        h = jnp.tanh(z * params["w"][0] + params["gain"] * state.h + params["n"] + noise)
        return HiddenState(h), h


@dataclass(frozen=True)
class Sum(Cell):
    """No parameters."""

    hidden_size: int = D

    def init(self, key, input_size):
        return {}

    def step(self, params, state, z):
        return HiddenState(state.h + z), state.h + z


def same(got, expected):
    jax.tree.map(lambda one, other: np.testing.assert_array_equal(plain(one), plain(other)), got, expected)


def plain(leaf):
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


@pytest.mark.parametrize("cell", [CELL, Odd(), Sum()], ids=["stack", "odd", "sum"])
@pytest.mark.parametrize("form", ["eager", "nnx.jit", "jax.jit", "merged"])
def test_it_is_unroll_on_the_parameters_of_the_model(cell, form):
    module = Recurrent(cell, D, rngs=nnx.Rngs(params=1))
    params = nnx.as_pure(module.params)
    same(params, cell.init(nnx.Rngs(params=1).params(), D))
    options = {"lengths": jnp.array([8, 0, 3, 5]), "resets": jnp.zeros((T, B), bool).at[2].set(True), "reverse": True}
    mask = jnp.ones((T, B), bool).at[1].set(False)
    state = jax.tree.map(jnp.ones_like, cell.initial_state(params, (B,)))

    def run(module, xs):
        return module(xs, state, **options), module(xs, mask=mask), module(xs, collect=("h",))

    def expected(params, xs):
        runs = {"state": state, **options}, {"mask": mask}, {"collect": ("h",)}
        return tuple(unroll(cell, params, xs, **run) for run in runs)

    forms = {"eager": (run, expected), "nnx.jit": (nnx.jit(run), jax.jit(expected))}
    forms |= {"jax.jit": (jax.jit(run), jax.jit(expected)), "merged": (run, expected)}
    if form == "merged":
        module = nnx.merge(*nnx.split(module))
    same(forms[form][0](module, XS), forms[form][1](params, XS))


def test_its_parameters_have_the_cells_names():
    module = Recurrent(CELL, D, rngs=nnx.Rngs(1))
    paths = {path[1:] for path, _ in nnx.to_flat_state(nnx.state(module, nnx.Param))}
    gru = ("w_x", "w_h", "b", "b_hn")
    assert paths == {("layers", 0, name) for name in ("w_x", "w_h", "b")} | {
        ("layers", 1, way, name) for way in ("forward", "backward") for name in gru
    }
    _, recurrent, rest = nnx.split(module, nnx.PathContains("w_h"), ...)
    assert len(jax.tree.leaves(recurrent)) == 3 and len(jax.tree.leaves(rest)) == 8


def test_options_are_those_of_unroll():
    module = Recurrent(CELL, D, chunk=3, remat=True, vjp="autodiff", backend="scan", rngs=nnx.Rngs(1))
    got = jax.make_jaxpr(lambda xs: module(xs)[0])(XS)
    options = {"chunk": 3, "remat": True, "vjp": "autodiff", "backend": "scan"}
    expected = jax.make_jaxpr(lambda xs: unroll(CELL, nnx.as_pure(module.params), xs, **options)[0])(XS)
    assert str(got) == str(expected)
    assert str(got) != str(jax.make_jaxpr(lambda xs: unroll(CELL, nnx.as_pure(module.params), xs)[0])(XS))


def test_its_gradients_are_those_of_unroll():
    module = Recurrent(CELL, D, rngs=nnx.Rngs(1))
    lengths = jnp.array([8, 0, 3, 5])
    got = nnx.grad(lambda m: jnp.sum(m(XS, lengths=lengths)[0] ** 2))(module)
    expected = jax.grad(lambda p: jnp.sum(unroll(CELL, p, XS, lengths=lengths)[0] ** 2))(nnx.as_pure(module.params))
    same(nnx.as_pure(nnx.merge(nnx.graphdef(module), got).params), expected)


def test_integers_and_keys_are_left_out_of_the_gradient():
    module = Recurrent(Odd(), D, rngs=nnx.Rngs(1))
    before = nnx.as_pure(module.params)
    optimizer = nnx.Optimizer(module, optax.adamw(0.1), wrt=nnx.Param)
    optimizer.update(module, nnx.grad(lambda m: jnp.sum(m(XS)[0]))(module))
    after = nnx.as_pure(module.params)
    same((after["n"], after["key"]), (before["n"], before["key"]))
    assert np.all(after["w"][0] != before["w"][0]) and after["gain"] != before["gain"]


def test_dropout_draws_from_the_rngs_of_the_call_and_only_with_some():
    cell = Stack((LSTM(4), LSTM(4)), dropout=0.5)
    model = Tagger(cell, D, rngs=nnx.Rngs(0))
    evaluation, again = (np.asarray(model(XS)) for _ in range(2))
    rngs = nnx.Rngs(dropout=1)
    one, next_ = np.asarray(model(XS, rngs=rngs)), np.asarray(model(XS, rngs=rngs))
    same_, other = (np.asarray(model(XS, rngs=nnx.Rngs(dropout=seed))) for seed in (1, 2))
    np.testing.assert_array_equal(evaluation, again)
    np.testing.assert_array_equal(one, same_)
    assert np.any(one != evaluation) and np.any(one != other) and np.any(one != next_)
    expected, _ = unroll(cell, nnx.as_pure(model.recurrent.params), XS, key=nnx.Rngs(dropout=1).dropout())
    np.testing.assert_array_equal(one, model.head(expected))
    with pytest.raises(AttributeError, match="dropout"):
        model(XS, rngs=nnx.Rngs(params=0))


def test_a_model_learns():
    """Whether the running sum of the inputs so far is above zero: needs memory; lengths differ, and it has dropout."""
    xs = jax.random.normal(jax.random.key(0), (T, 64, 1))
    lengths = jax.random.randint(jax.random.key(1), (64,), 3, T + 1)
    labels = (jnp.cumsum(xs[..., 0], axis=0) > 0).astype(int)
    counts = jnp.arange(T)[:, None] < lengths
    model = Tagger(Stack((LSTM(8), LSTM(8)), dropout=0.1), 1, rngs=nnx.Rngs(2))
    optimizer = nnx.Optimizer(model, optax.adam(2e-2), wrt=nnx.Param)

    def loss(model, rngs):
        losses = optax.softmax_cross_entropy_with_integer_labels(model(xs, lengths, rngs=rngs), labels)
        return jnp.sum(losses * counts) / jnp.sum(counts)

    @nnx.jit
    def train(model, optimizer, rngs):
        value, gradient = nnx.value_and_grad(loss)(model, rngs)
        optimizer.update(model, gradient)
        return value

    rngs = nnx.Rngs(dropout=3)
    first, *_, last = [float(train(model, optimizer, rngs)) for _ in range(60)]
    assert first > 0.6 and last < 0.4 and loss(model, None) < 0.4
    assert rngs.dropout.count[...] == 60


def test_errors_are_the_librarys():
    rngs = nnx.Rngs(0)
    with pytest.raises(TypeError, match="pass a cell, not its class"):
        Recurrent(LSTM, D, rngs=rngs)
    with pytest.raises(ValueError, match="input_size must be a whole number of at least 1, got 0"):
        Recurrent(LSTM(4), 0, rngs=rngs)
    module = Recurrent(LSTM(4), D, rngs=rngs)
    with pytest.raises(ValueError, match="pass inputs of the size that init was called with"):
        module(XS[..., :2])
    with pytest.raises(ValueError, match="lengths must have the batch's shape"):
        module(XS, lengths=jnp.ones(3, int))
    for option in ("vjp", "backend"):
        with pytest.raises(ValueError, match=f"{option}='fast' is not known"):
            Recurrent(LSTM(4), D, rngs=rngs, **{option: "fast"})(XS)
