"""The sequence tagger: an answer at every step, and what it refuses."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax import GRU, LSTM, Bidirectional, Stack, unroll
from lstm_jax.models import SequenceTagger

CELLS = {"one": (LSTM(5),), "two": (GRU(4), LSTM(5)), "both-ways": (Bidirectional(LSTM(3), GRU(2)),)}


def _case(cells) -> tuple[Any, jax.Array, Any]:
    model = SequenceTagger(cells=CELLS[cells], outputs=2)
    xs = jax.random.normal(jax.random.key(0), (7, 3, 2))
    return model, xs, model.init(jax.random.key(1), xs)


@pytest.mark.parametrize("cells", CELLS)
def test_answers_at_each_step_from_its_output(cells):
    model, xs, variables = _case(cells)
    answers = model.apply(variables, xs)
    assert answers.shape == (7, 3, 2)
    recurrent, dense = variables["params"].values()
    [params] = jax.tree.leaves(recurrent, is_leaf=lambda leaf: not isinstance(leaf, dict))
    layers = CELLS[cells]
    ys, _ = unroll(layers[0] if len(layers) == 1 else Stack(layers), params, xs)
    np.testing.assert_allclose(answers, ys @ dense["kernel"] + dense["bias"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cells", CELLS)
def test_a_row_with_a_length_is_answered_as_if_cut_there(cells):
    model, xs, variables = _case(cells)
    lengths = jnp.array([7, 3, 1])
    answers = model.apply(variables, xs.at[3:, 1].set(jnp.nan), lengths=lengths)
    for row, length in enumerate(map(int, lengths)):
        alone = model.apply(variables, xs[:length, row : row + 1])
        np.testing.assert_allclose(answers[:length, row], alone[:, 0], rtol=1e-5, atol=1e-6)


def test_an_answer_does_not_wait_for_later_steps():
    model, xs, variables = _case("two")
    later = model.apply(variables, xs.at[4:].add(1.0))
    np.testing.assert_array_equal(later[:4], model.apply(variables, xs)[:4])
    assert np.all(np.asarray(later[4:] != model.apply(variables, xs)[4:]).any(axis=-1))


def test_works_without_a_batch_axis():
    model, xs, variables = _case("one")
    answers = model.apply(variables, xs[:, 0])
    np.testing.assert_allclose(answers, model.apply(variables, xs)[:, 0], rtol=1e-5, atol=1e-6)


def test_what_is_missing_is_refused():
    xs = jnp.zeros((2, 1, 1))
    with pytest.raises(ValueError, match=r"SequenceTagger needs at least one cell; got cells=\(\)\."):
        SequenceTagger(cells=()).init(jax.random.key(0), xs)
    with pytest.raises(ValueError, match="outputs must be a whole number of at least 1, got 0"):
        SequenceTagger(outputs=0).init(jax.random.key(0), xs)
