"""The sequence regressor: which output it answers from, and what it refuses."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax import GRU, LSTM, Stack, unroll
from lstm_jax.models import SequenceRegressor

CELLS = {"one": (LSTM(5),), "two": (GRU(4), LSTM(5))}


def _case(cells) -> tuple[Any, jax.Array, Any]:
    model = SequenceRegressor(cells=CELLS[cells], outputs=2)
    xs = jax.random.normal(jax.random.key(0), (7, 3, 2))
    return model, xs, model.init(jax.random.key(1), xs)


@pytest.mark.parametrize("cells", CELLS)
def test_answers_from_the_last_output(cells):
    model, xs, variables = _case(cells)
    answers = model.apply(variables, xs)
    assert answers.shape == (3, 2)
    recurrent, dense = variables["params"].values()
    [params] = jax.tree.leaves(recurrent, is_leaf=lambda leaf: not isinstance(leaf, dict))
    layers = CELLS[cells]
    ys, _ = unroll(layers[0] if len(layers) == 1 else Stack(layers), params, xs)
    np.testing.assert_allclose(answers, ys[-1] @ dense["kernel"] + dense["bias"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cells", CELLS)
def test_a_row_with_a_length_is_answered_as_if_cut_there(cells):
    model, xs, variables = _case(cells)
    lengths = jnp.array([7, 3, 1])
    answers = model.apply(variables, xs, lengths=lengths)
    for row, length in enumerate(lengths):
        alone = model.apply(variables, xs[: int(length), row : row + 1])
        np.testing.assert_allclose(answers[row], alone[0], rtol=1e-5, atol=1e-6)


def test_a_row_of_length_0_is_answered_from_zero():
    model, xs, variables = _case("one")
    answers = model.apply(variables, xs.at[:, 0].set(jnp.nan), lengths=jnp.array([0, 7, 7]))
    np.testing.assert_allclose(answers[0], variables["params"]["Dense_0"]["bias"], atol=1e-7)


def test_works_without_a_batch_axis():
    model, xs, variables = _case("one")
    np.testing.assert_allclose(model.apply(variables, xs[:, 0]), model.apply(variables, xs)[0], rtol=1e-5, atol=1e-6)


def test_what_is_missing_is_refused():
    xs = jnp.zeros((2, 1, 1))
    with pytest.raises(ValueError, match="needs at least one cell"):
        SequenceRegressor(cells=()).init(jax.random.key(0), xs)
    with pytest.raises(ValueError, match="outputs must be a whole number of at least 1, got 0"):
        SequenceRegressor(outputs=0).init(jax.random.key(0), xs)
