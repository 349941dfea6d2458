"""Both directions: merging, and padding at the backward cell's start."""

import jax.numpy as jnp
import pytest

from harness import assert_equal, sequence
from lstm_jax import GRU, LSTM, Bidirectional, unroll

FLOAT64 = {"param_dtype": "float64"}
pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.parametrize(
    "merge, size, merged",
    [
        ("concat", 6, lambda f, b: jnp.concatenate([f, b], axis=-1)),
        ("sum", 3, lambda f, b: f + b),
        ("mean", 3, lambda f, b: (f + b) / 2),
    ],
)
def test_merges(merge, size, merged):
    model = Bidirectional(LSTM(3, **FLOAT64), GRU(3, **FLOAT64), merge=merge)
    params, xs, state = sequence(model)
    lengths = jnp.array([9, 4, 0])
    got, last = unroll(model, params, xs, state, lengths=lengths)
    forward, forward_last = unroll(model.forward, params.forward, xs, state.forward, lengths=lengths)
    backward, backward_last = unroll(model.backward, params.backward, xs, state.backward, lengths=lengths, reverse=True)
    assert model.output_size == size == got.shape[-1]
    assert_equal(got, merged(forward, backward))
    assert_equal((last.forward, last.backward), (forward_last, backward_last))


def test_the_backward_cell_starts_at_each_rows_own_end():
    model = Bidirectional(LSTM(3, **FLOAT64), LSTM(3, **FLOAT64))
    params, xs, state = sequence(model)
    got, _ = unroll(model, params, xs, state, lengths=jnp.array([4, 4, 4]))
    alone, _ = unroll(model, params, xs[:4], state)
    assert_equal(got[:4], alone)
