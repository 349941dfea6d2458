"""Inner values: equal to what the equations say, in the structure of the cell, and free when not asked for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from harness import assert_equal, sequence
from lstm_jax import GRU, LSTM, Bidirectional, ResetBeforeGRU, Stack, unroll
from oracles.equations import logistic

pytestmark = pytest.mark.usefixtures("float64")
CELL = LSTM(4, param_dtype="float64")


def test_gates_and_cell_state_of_an_lstm():
    params, xs, state = sequence(CELL)
    outputs, last, got = unroll(CELL, params, xs, state, collect=("h", "c", "gates", "preactivations"))
    h = np.concatenate([np.asarray(state.h)[None], np.asarray(got["h"])[:-1]])
    c = np.concatenate([np.asarray(state.c)[None], np.asarray(got["c"])[:-1]])
    a = np.asarray(xs) @ np.asarray(params.w_x) + h @ np.asarray(params.w_h) + np.asarray(params.b)
    i, f, g, o = (s(x) for s, x in zip((logistic, logistic, np.tanh, logistic), np.split(a, 4, axis=-1), strict=True))
    assert_equal(got["preactivations"], a)
    assert_equal(got["gates"], {"i": i, "f": f, "g": g, "o": o})
    assert_equal(got["c"], f * c + i * g)
    assert_equal(outputs, got["h"])
    assert_equal(last.c, got["c"][-1])


@pytest.mark.parametrize("cell", [GRU(4, param_dtype="float64"), ResetBeforeGRU(4, param_dtype="float64")])
def test_gates_of_both_grus(cell):
    params, xs, state = sequence(cell)
    got, _, collected = unroll(cell, params, xs, state, collect=("gates",))
    gates = collected["gates"]
    h = np.concatenate([np.asarray(state.h)[None], np.asarray(got)[:-1]])
    a = np.asarray(xs) @ np.asarray(params.w_x) + h @ np.asarray(params.w_h) + np.asarray(params.b)
    r, z, _ = np.split(logistic(a), 3, axis=-1)
    assert_equal((gates["r"], gates["z"]), (r, z))
    assert_equal((1 - z) * np.asarray(gates["n"]) + z * h, got)


def test_collected_values_have_gradients():
    params, xs, state = sequence(CELL)

    def penalty(params, vjp):
        return jnp.sum(unroll(CELL, params, xs, state, vjp=vjp, collect=("c",))[2]["c"] ** 2)

    fast, plain = (jax.jit(jax.grad(lambda p, vjp=vjp: penalty(p, vjp)))(params) for vjp in ("hoisted", "autodiff"))
    assert np.any(np.asarray(fast.w_h))
    assert_equal(fast, plain)


def test_the_structure_is_that_of_the_cell():
    inner = Bidirectional(GRU(2, param_dtype="float64"), CELL)
    model = Stack((CELL, inner))
    params, xs, state = sequence(model)
    _, _, got = unroll(model, params, xs, state, collect=("h",))
    assert jax.tree.map(jnp.shape, got) == (
        {"h": (9, 3, 4)},
        ({"h": (9, 3, 2)}, {"h": (9, 3, 4)}),
    )
    alone, _ = unroll(CELL, params.layers[0], xs, state[0])
    assert_equal(got[0]["h"], alone)


def test_the_program_without_collect_holds_nothing_of_it():
    params, xs, state = sequence(CELL)
    plain = jax.jit(lambda p: unroll(CELL, p, xs, state)[0]).lower(params).as_text()
    off = jax.jit(lambda p: unroll(CELL, p, xs, state, collect=())[0]).lower(params).as_text()
    on = jax.jit(lambda p: unroll(CELL, p, xs, state, collect=("c",))[2]).lower(params).as_text()
    assert plain == off and plain != on
