"""Anomaly scores of a stream of errors, and the autoencoder."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax import LSTM
from lstm_jax.models.anomaly import ErrorTail, SequenceAutoencoder

TAIL = ErrorTail(short=3, long=12, floor=0.05)
SCORES = jax.jit(TAIL.scores)


def by_definition(errors, tail):
    recent, mean, variance, scores = 0.0, 0.0, 0.0, []
    for number, error in enumerate(errors, start=1):
        recent += (error - recent) / min(number, tail.short)
        z = (recent - mean) / max(math.sqrt(variance), tail.floor)
        scores.append(-math.log10(0.5 * math.erfc(z / math.sqrt(2))) if number > tail.short else 0.0)
        rate = 1 / min(number, tail.long)
        away, mean = recent - mean, mean + rate * (recent - mean)
        variance = (1 - rate) * (variance + rate * away**2)
    return scores


def test_the_scores_are_the_definition_s(float64):
    errors = np.abs(np.random.default_rng(0).normal(size=60))
    np.testing.assert_allclose(TAIL.scores(jnp.asarray(errors)), by_definition(errors, TAIL), rtol=1e-8, atol=1e-12)


def test_mean_and_variance_are_those_of_all_there_were_at_first(float64):
    errors = np.random.default_rng(1).random(10)
    state = TAIL.start()
    seen = []
    for error in errors:
        state, _ = TAIL.step(state, jnp.asarray(error))
        seen.append(float(state.recent))
    assert float(state.mean) == pytest.approx(np.mean(seen))
    assert float(state.variance) == pytest.approx(np.var(seen))


@given(st.integers(1, 40), st.integers(0, 5))
def test_no_later_error_changes_a_score(stop, seed):
    errors = np.random.default_rng(seed).random((40, 2)).astype(np.float32)
    changed = errors.copy()
    changed[stop:] = 1e4
    np.testing.assert_array_equal(SCORES(errors)[:stop], SCORES(changed)[:stop])


def test_a_rise_stands_out_the_more_the_higher_it_is():
    def last(rise):
        errors = 1 + 0.1 * np.random.default_rng(2).normal(size=500)
        errors[-5:] += rise
        return float(ErrorTail().scores(errors.astype(np.float32))[-1])

    assert last(0) < 3 < last(1) < last(3)
    assert np.isfinite(last(1e4))


def test_without_noise_there_is_a_least_deviation():
    errors = np.full(100, 0.5, np.float32)
    errors[-1] = 0.6
    assert float(TAIL.scores(errors)[-1]) < 1


def test_the_autoencoder_repeats_what_it_was_trained_on():
    model = SequenceAutoencoder(LSTM(6), outputs=2)
    xs = jax.random.normal(jax.random.key(0), (5, 2, 2))
    params = model.init(jax.random.key(1), xs)
    answers = model.apply(params, xs)
    assert answers.shape == (5, 2, 2)
    # Padding enters nothing.
    lengths = jnp.array([5, 3])
    padded = jnp.where(jnp.arange(5)[:, None, None] < lengths[:, None], xs, 99.0)
    said = model.apply(params, padded, lengths=lengths)
    for row, length in enumerate([5, 3]):
        alone = model.apply(params, xs[:length, row : row + 1])
        np.testing.assert_allclose(said[:length, row], alone[:, 0], atol=1e-5)
    with pytest.raises(ValueError, match="outputs must be a whole number of at least 1"):
        SequenceAutoencoder(LSTM(6), outputs=0).init(jax.random.key(1), xs)
