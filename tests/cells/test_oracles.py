"""Cells against the papers' equations in NumPy, under every way to steer a sequence."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import assert_equal
from lstm_jax import GRU, LSTM, Elman, ResetBeforeGRU, unroll
from oracles import equations
from oracles.sequence import run_row

D, H = 3, 2


def blocks(params, names):
    """Weights a gate, taken apart by position: the order of the gates is part of what is tested."""
    w, u, b = (np.asarray(v, np.float64) for v in (params.w_x, params.w_h, params.b))

    def cut(v, k):
        return v[..., k * H : (k + 1) * H]

    return {name: (cut(w, k), cut(u, k), cut(b, k)) for k, name in enumerate(names)}


def gru_blocks(params):
    weights = blocks(params, "rzn")
    return weights | {"n": (*weights["n"], np.asarray(params.b_hn, np.float64))}


def relu(x):
    return np.maximum(x, 0.0)


CASES = {
    "lstm": (LSTM(H), equations.lstm, partial(blocks, names="ifgo")),
    "lstm-relu": (
        LSTM(H, activation="relu", gate_activation="hard_sigmoid"),
        partial(equations.lstm, squash=relu, gate=lambda x: np.clip((x + 3) / 6, 0, 1)),
        partial(blocks, names="ifgo"),
    ),
    "gru": (GRU(H), equations.gru_reset_after, gru_blocks),
    "gru-reset-before": (ResetBeforeGRU(H), equations.gru_reset_before, partial(blocks, names="rzn")),
    "elman": (Elman(H), equations.elman, partial(blocks, names="h")),
    "elman-relu": (Elman(H, activation="relu"), partial(equations.elman, squash=relu), partial(blocks, names="h")),
}


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
def test_cell_equals_its_paper(name, data):
    cell, step, weights_of = CASES[name]
    batch, steps = 2, 6
    seed = data.draw(st.integers(0, 2**31), label="seed")
    numbers = np.random.default_rng(seed)
    like = jax.eval_shape(lambda key: cell.init(key, D), jax.random.key(0))
    params = jax.tree.map(lambda p: jnp.asarray(numbers.normal(size=p.shape)), like)
    xs = numbers.normal(size=(steps, batch, D))
    state = jax.tree.map(lambda s: jnp.asarray(numbers.normal(size=s.shape)), cell.initial_state(params, (batch,)))
    booleans = st.lists(st.lists(st.booleans(), min_size=batch, max_size=batch), min_size=steps, max_size=steps)
    lengths = np.array(data.draw(st.lists(st.integers(0, steps), min_size=batch, max_size=batch), label="lengths"))
    mask = np.array(data.draw(booleans, label="mask"))
    resets = np.array(data.draw(booleans, label="resets"))
    reverse = data.draw(st.booleans(), label="reverse")

    outputs, last = unroll(cell, params, xs, state, lengths=lengths, mask=mask, resets=resets, reverse=reverse, chunk=4)
    row_step = partial(step, weights_of(params))
    for b in range(batch):
        start = {field: np.asarray(getattr(state, field)[b]) for field in vars(state)}
        steer = {"length": lengths[b], "mask": mask[:, b], "resets": resets[:, b], "reverse": reverse}
        expected, expected_last = run_row(row_step, xs[:, b], start, **steer)
        assert_equal(outputs[:, b], expected)
        assert_equal({field: getattr(last, field)[b] for field in vars(last)}, expected_last)
