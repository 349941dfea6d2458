"""What each wrapper does to a cell, against its paper's equations in NumPy, draws included."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from harness import B, D, T, assert_equal, sequence
from lstm_jax import GRU, LSTM, Bidirectional, Elman, ResetBeforeGRU, Stack, step, unroll
from lstm_jax.cell import Cell, bernoulli
from lstm_jax.cells import CIFG, MGU, ConvLSTM
from lstm_jax.wrappers import (
    Highway,
    Inside,
    LearnedInitialState,
    OutputNorm,
    RecurrentDropout,
    ResetByFlag,
    Residual,
    VariationalDropout,
    WeightDrop,
    Zoneout,
)

pytestmark = pytest.mark.usefixtures("float64")
FLOAT64 = {"param_dtype": "float64"}
CELL = LSTM(4, **FLOAT64)
KEY = jax.random.key(3)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_step(params, x, h, c, candidate=1.0, seen=None):
    """One step for a batch; ``seen``: the state that the products see."""
    a = x @ np.asarray(params.w_x) + (h if seen is None else seen) @ np.asarray(params.w_h) + np.asarray(params.b)
    i, f, g, o = np.split(a, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g) * candidate
    return sigmoid(o) * np.tanh(c), c


def run_numpy(one, xs, state):
    h, c, outputs = np.asarray(state.h), np.asarray(state.c), []
    for t in range(len(xs)):
        h, c = one(t, np.asarray(xs[t]), h, c)
        outputs.append(h)
    return np.stack(outputs)


def drawn_by(wrapper, params, xs, key=KEY):
    """What ``project`` and ``prepare`` draw in an unrolled sequence."""
    seen = {}

    class Seen(type(wrapper)):
        def project(self, params, xs, *, keys=None):
            z = super().project(params, xs, keys=keys)
            seen["z"], seen["params"] = z, params
            return z

    spy = Seen(**{field.name: getattr(wrapper, field.name) for field in dataclasses.fields(wrapper)})
    with jax.disable_jit():
        unroll(spy, params, xs, key=key, chunk=len(xs), vjp="autodiff")
    return seen


def test_residual():
    inner = LSTM(D, **FLOAT64)
    params, xs, state = sequence(inner)
    expected, last = unroll(inner, params, xs, state)
    assert_equal(unroll(Residual(inner), params, xs, state), (expected + xs, last))


def test_highway():
    inner = LSTM(D, **FLOAT64)
    params, xs, state = sequence(Highway(inner, transform_bias=-2.0))
    assert_equal(params.b, jnp.full(D, -2.0))
    params = params.replace(b=jnp.linspace(-1.0, 1.0, D))
    ys, _ = unroll(inner, params.cell, xs, state)
    t = sigmoid(np.asarray(xs) @ np.asarray(params.w) + np.asarray(params.b))
    assert_equal(unroll(Highway(inner), params, xs, state)[0], t * np.asarray(ys) + (1 - t) * np.asarray(xs))


def test_output_norm():
    params, xs, state = sequence(OutputNorm(CELL))
    assert_equal((params.gain, params.bias), (jnp.ones(4), jnp.zeros(4)))
    params = params.replace(gain=jnp.linspace(0.5, 2.0, 4), bias=jnp.linspace(-1.0, 1.0, 4))
    ys, last = unroll(CELL, params.cell, xs, state)
    ys = np.asarray(ys)
    normed = (ys - ys.mean(-1, keepdims=True)) / np.sqrt(ys.var(-1, keepdims=True) + 1e-5)
    expected = normed * np.asarray(params.gain) + np.asarray(params.bias)
    assert_equal(unroll(OutputNorm(CELL), params, xs, state), (expected, last))


@pytest.mark.parametrize("inner", [CELL, Stack((CELL, GRU(3, **FLOAT64)))], ids=["cell", "stack"])
def test_learned_initial_state(inner):
    cell = LearnedInitialState(inner)
    params, xs, state = sequence(cell)
    assert_equal(params.initial, inner.initial_state(params.cell, ()))
    learned = jax.tree.map(lambda leaf: leaf + jnp.linspace(0.1, 0.9, leaf.size), params.initial)
    params = params.replace(initial=learned)
    everywhere = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (B, *leaf.shape)), learned)
    assert_equal(unroll(cell, params, xs), unroll(inner, params.cell, xs, everywhere))
    at = jnp.zeros((T, B), bool).at[4].set(True)
    later = unroll(cell, params, xs, state, resets=at)[0][4:]
    assert_equal(later, unroll(inner, params.cell, xs[4:], everywhere)[0])
    gradient = jax.grad(lambda p: jnp.sum(unroll(cell, p, xs)[0]))(params)
    assert all(np.all(np.asarray(leaf)) for leaf in jax.tree.leaves(gradient.initial)[:1])


@pytest.mark.parametrize("inner", [CELL, Stack((CELL, GRU(3, **FLOAT64)))], ids=["cell", "stack"])
def test_reset_by_flag(inner):
    params, xs, state = sequence(inner)
    flags = jnp.asarray(np.random.default_rng(0).random((T, B)) < 0.3)
    flagged = jnp.concatenate([xs, flags[..., None].astype(xs.dtype)], axis=-1)
    expected = unroll(inner, params, xs, state, resets=flags)
    assert_equal(unroll(ResetByFlag(inner), params, flagged, state), expected)
    for t in range(T):
        y, state = step(ResetByFlag(inner), params, flagged[t], state)
        assert_equal(y, expected[0][t])


def test_flags_and_resets_add_up():
    params, xs, state = sequence(CELL)
    flags, resets = (jnp.zeros((T, B), bool).at[t].set(True) for t in (2, 5))
    flagged = jnp.concatenate([xs, flags[..., None].astype(xs.dtype)], axis=-1)
    got = unroll(ResetByFlag(CELL), params, flagged, state, resets=resets)
    assert_equal(got, unroll(CELL, params, xs, state, resets=flags | resets))


def test_zoneout_in_evaluation_is_the_expectation():
    params, xs, state = sequence(CELL)

    def one(t, x, h, c):
        new_h, new_c = lstm_step(params, x, h, c)
        return 0.2 * h + 0.8 * new_h, 0.4 * c + 0.6 * new_c

    assert_equal(unroll(Zoneout(CELL, h=0.2, c=0.4), params, xs, state)[0], run_numpy(one, xs, state))


@pytest.mark.proof
def test_zoneout_keeps_what_was_drawn():
    cell = Zoneout(CELL, h=0.2, c=0.6)
    params, xs, _ = sequence(cell)
    still = {name: np.asarray(mask) for name, mask in drawn_by(cell, params, xs)["z"][1].items()}

    def one(t, x, h, c):
        new_h, new_c = lstm_step(params, x, h, c)
        return np.where(still["h"][t], h, new_h), np.where(still["c"][t], c, new_c)

    got = unroll(cell, params, xs, key=KEY)[0]
    assert_equal(got, run_numpy(one, xs, cell.initial_state(params, (B,))))
    wide = drawn_by(Zoneout(LSTM(300, **FLOAT64), h=0.2, c=0.6), LSTM(300, **FLOAT64).init(KEY, D), xs)["z"][1]
    assert abs(wide["h"].mean() - 0.2) < 0.01 and abs(wide["c"].mean() - 0.6) < 0.01


def test_variational_dropout_masks_inputs_and_products():
    cell = VariationalDropout(CELL, inputs=0.3, recurrent=0.5)
    params, xs, _ = sequence(cell)
    prepared = drawn_by(cell, params, xs)["params"]
    mask_h = np.asarray(prepared.mask_h)
    assert set(np.unique(mask_h)) <= {0.0, 2.0}
    # The input's mask, seen by a cell that passes its inputs on.
    eye = dataclasses.replace(cell, cell=Elman(D, activation="identity", **FLOAT64))
    own = Elman(D, **FLOAT64).init(KEY, D).replace(w_x=jnp.eye(D), w_h=jnp.zeros((D, D)))
    through = eye.init(KEY, D).replace(cell=own)
    mask_x = np.asarray(unroll(eye, through, jnp.ones_like(xs), key=KEY)[0])
    assert np.all(mask_x == mask_x[0]) and set(np.round(np.unique(mask_x), 9)) == {0.0, round(1 / 0.7, 9)}

    def one(t, x, h, c):
        return lstm_step(params.cell, x * mask_x[0], h, c, seen=h * mask_h)

    assert_equal(unroll(cell, params, xs, key=KEY)[0], run_numpy(one, xs, cell.initial_state(params, (B,))))


def test_variational_dropout_leaves_the_state_itself():
    """A GRU keeps a share of its state, which is not masked."""
    cell = VariationalDropout(GRU(4, **FLOAT64), recurrent=0.5)
    params, xs, state = sequence(cell)
    closed = params.replace(cell=params.cell.replace(b=params.cell.b.at[4:8].set(100.0)))
    assert_equal(unroll(cell, closed, xs, state, key=KEY)[1], state)


@pytest.mark.parametrize("inner", [CELL, Zoneout(CELL, h=0.0, c=0.0)], ids=["cell", "wrapped"])
def test_recurrent_dropout_drops_candidates(inner):
    cell = RecurrentDropout(inner, rate=0.4)
    params, xs, _ = sequence(cell)
    mask = np.asarray(drawn_by(cell, params, xs)["z"][1])
    assert set(np.round(np.unique(mask), 9)) == {0.0, round(1 / 0.6, 9)}
    assert np.any(mask[0] != mask[1]) and np.any(mask[:, 0] != mask[:, 1])

    def one(t, x, h, c):
        return lstm_step(params, x, h, c, candidate=mask[t])

    assert_equal(unroll(cell, params, xs, key=KEY)[0], run_numpy(one, xs, cell.initial_state(params, (B,))))


def test_two_recurrent_dropouts_multiply():
    inner = RecurrentDropout(CELL, rate=0.5)
    cell = RecurrentDropout(inner, rate=0.5)
    params, xs, _ = sequence(cell)
    (_, first), second = drawn_by(cell, params, xs)["z"]
    mask = np.asarray(first) * np.asarray(second)

    def one(t, x, h, c):
        return lstm_step(params, x, h, c, candidate=mask[t])

    assert_equal(unroll(cell, params, xs, key=KEY)[0], run_numpy(one, xs, cell.initial_state(params, (B,))))


def test_weight_drop():
    cell = WeightDrop(CELL, rate=0.5)
    params, xs, state = sequence(cell)
    prepared = drawn_by(cell, params, xs)["params"]
    kept = np.asarray(prepared.w_h / params.w_h)
    assert set(np.round(np.unique(kept), 9)) == {0.0, 2.0} and 0.3 < kept.mean() / 2 < 0.7
    assert_equal((prepared.w_x, prepared.b), (params.w_x, params.b))
    assert_equal(unroll(cell, params, xs, state, key=KEY), unroll(CELL, prepared, xs, state))
    gradient = jax.grad(lambda p: jnp.sum(unroll(cell, p, xs, key=KEY)[0]))(params)
    np.testing.assert_array_equal(np.asarray(gradient.w_h) == 0, kept == 0)


@pytest.mark.parametrize("between", [Zoneout, partial(VariationalDropout, inputs=0.2)])
def test_weight_drop_reaches_through_other_wrappers(between):
    cell = WeightDrop(between(CELL), rate=0.5)
    params, xs, _ = sequence(cell)
    prepared = drawn_by(cell, params, xs)["params"]
    weights = getattr(prepared, "cell", prepared).w_h
    assert 0.3 < np.mean(np.asarray(weights) == 0) < 0.7


@dataclasses.dataclass(frozen=True)
class Keeps(Inside):
    """A wrapper of one's own that knows nothing of candidates."""

    cell: Cell

    def update(self, params, a, state):
        return self.cell.update(params, a, state)


class DropsInputWeights(LSTM):
    """Drops from the key itself that it is given."""

    def prepare(self, params, batch_shape, *, key=None):
        return (
            params
            if key is None
            else params.replace(w_x=jnp.where(bernoulli(key, 0.5, *params.w_x.shape), params.w_x, 0))
        )


def test_weight_drop_and_its_cell_draw_each_for_itself():
    cell = WeightDrop(DropsInputWeights(D, **FLOAT64), rate=0.5)
    params, xs, _ = sequence(cell)
    prepared = drawn_by(cell, params, xs)["params"]
    outer, inner = np.asarray(prepared.w_h) != 0, np.asarray(prepared.w_x) != 0
    assert 0.3 < inner.mean() < 0.7 and np.any(outer != inner)


@pytest.mark.parametrize("around", [ResetByFlag, Residual, OutputNorm])
def test_what_is_wrapped_draws_the_same_step_by_step(around):
    cell = around(Zoneout(LSTM(4 if around is ResetByFlag else D, **FLOAT64), h=0.3))

    class Stepwise(around):  # pyright: ignore[reportGeneralTypeIssues]
        compose = None

    params, xs, state = sequence(cell)
    assert_equal(unroll(Stepwise(cell.cell), params, xs, state, key=KEY), unroll(cell, params, xs, state, key=KEY))


def test_without_a_key_dropout_does_nothing():
    inner = VariationalDropout(RecurrentDropout(WeightDrop(CELL, rate=0.5), rate=0.5), inputs=0.5, recurrent=0.5)
    params, xs, state = sequence(inner)
    assert_equal(unroll(inner, params, xs, state), unroll(CELL, params.cell, xs, state))


@pytest.mark.proof
def test_wrapped_images():
    """A ConvLSTM under what draws for it: whole sequences of images, the fast path and the plain one."""
    cell = Zoneout(RecurrentDropout(ConvLSTM(2, (3, 2), **FLOAT64)), h=0.3)
    stack = Stack(
        (cell, Residual(VariationalDropout(ConvLSTM(2, (3, 2), **FLOAT64), inputs=0.2, recurrent=0.3))), dropout=0.5
    )
    params = stack.init(KEY, 2)
    xs = jax.random.normal(KEY, (T, B, 3, 2, 2))
    lengths = jnp.array([0, 5, T])

    def loss(params, vjp):
        outputs, _ = unroll(stack, params, xs, key=KEY, lengths=lengths, vjp=vjp, chunk=4)
        return jnp.sum(jnp.sin(outputs)), outputs

    (_, fast), d_fast = jax.value_and_grad(loss, has_aux=True)(params, "hoisted")
    (_, plain), d_plain = jax.value_and_grad(loss, has_aux=True)(params, "autodiff")
    assert fast.shape == (T, B, 3, 2, 2)
    assert_equal((fast, d_fast), (plain, d_plain))
    assert not np.any(fast[:, 0])


BOTH_WAYS = Highway(Bidirectional(LSTM(2), LSTM(3)))
MISTAKES = {
    "no-cell": (lambda: Residual(4), "Residual takes a cell, such as Residual(LSTM(64)), got 4."),
    "sizes": (
        lambda: Residual(LSTM(4)).init(KEY, 5),
        "Residual adds inputs to outputs and needs one size, but LSTM makes 4 features of 5.",
    ),
    "step-only": (
        lambda: Zoneout(MGU(4)),
        "Zoneout acts between a step's products and its gates, which MGU does not tell apart.",
    ),
    "composite": (
        lambda: WeightDrop(Stack((LSTM(4), LSTM(4)))),
        "WeightDrop acts inside of one cell: put it around the cells inside of Stack.",
    ),
    "around-inside": (
        lambda: Zoneout(Residual(LSTM(4))),
        "Zoneout acts inside of one cell: put it around the cells inside of Residual.",
    ),
    "candidate": (
        lambda: RecurrentDropout(WeightDrop(Elman(4))),
        "RecurrentDropout needs a cell whose update takes a candidate, and wrappers that pass it on; that of Elman "
        "does not.",
    ),
    "candidate-of-a-wrapper": (
        lambda: RecurrentDropout(Keeps(LSTM(4))),
        "RecurrentDropout needs a cell whose update takes a candidate, and wrappers that pass it on; that of Keeps "
        "does not.",
    ),
    "resets-inside": (
        lambda: LearnedInitialState(Stack((Residual(ResetByFlag(LSTM(4))),))),
        "LearnedInitialState goes inside of ResetByFlag, whose resets return to what is learned: "
        "ResetByFlag(LearnedInitialState(cell)).",
    ),
    "epsilon": (lambda: OutputNorm(LSTM(4), epsilon=0.0), "epsilon must be above 0, got 0.0."),
    "lone-name": (
        lambda: WeightDrop(LSTM(4), names="w_h"),
        "names must be a tuple of names, such as ('w_h',), got 'w_h'.",
    ),
    "names": (
        lambda: WeightDrop(LSTM(4), names=("w_hh",)).init(KEY, 5),
        "names='w_hh' is not known: did you mean 'w_h'? choose one of 'w_x', 'w_h', 'b'.",
    ),
    "rate": (lambda: Zoneout(CIFG(4), c=1.0), "c must be at least 0 and below 1, got 1.0."),
    "flag": (
        lambda: ResetByFlag(LSTM(4)).init(KEY, 1),
        "ResetByFlag needs a feature beside the flag, which is the last one, got input size 1.",
    ),
    "bidirectional-step": (
        lambda: step(BOTH_WAYS, BOTH_WAYS.init(KEY, 5), jnp.ones(5)),
        "Bidirectional has no single step, because its backward cell starts at the end of the sequence: "
        "use unroll on the whole sequence, or a causal cell for streaming.",
    ),
}


@pytest.mark.parametrize("mistake, sentence", MISTAKES.values(), ids=MISTAKES)
def test_mistakes_get_one_sentence(mistake, sentence):
    with pytest.raises((ValueError, TypeError)) as caught:
        mistake()
    assert str(caught.value) == sentence


def test_a_wrapper_of_a_cell_with_only_a_step():
    cell = OutputNorm(ResetBeforeGRU(4, **FLOAT64))
    params, xs, state = sequence(cell)
    outputs, last = unroll(cell, params, xs, state)
    for t in range(T):
        y, state = step(cell, params, xs[t], state)
        assert_equal(y, outputs[t])
    assert_equal(state, last)
