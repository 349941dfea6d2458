"""Scores of forecasts: by hand, by their definitions, against numerical integration."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax.metrics import forecasting as scores

RNG = np.random.default_rng(0)
SOME = st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=1, max_size=20)


def test_errors_by_hand_and_nothing_where_the_truth_is_missing():
    truth, forecast = np.array([1.0, np.nan, 3.0, -2.0]), np.array([2.0, 100.0, 3.0, 2.0])
    assert scores.mse(forecast, truth) == pytest.approx(17 / 3)
    assert scores.rmse(forecast, truth) == pytest.approx(math.sqrt(17 / 3))
    assert scores.mae(forecast, truth) == pytest.approx(5 / 3)
    assert math.isnan(scores.mae(forecast, np.full(4, np.nan)))
    with pytest.raises(ValueError, match=r"forecast \[4, 1\] and truth \[4\] differ in shape"):
        scores.mse(forecast[:, None], truth)


@given(SOME)
def test_smape_is_m4s(pairs):
    truth, forecast = np.array(pairs).T
    each = [0.0 if y == f == 0 else 2 * abs(y - f) / (abs(y) + abs(f)) * 100 for y, f in pairs]
    assert scores.smape(forecast, truth) == pytest.approx(np.mean(each))
    assert 0 <= scores.smape(forecast, truth) <= 200 + 1e-9


def test_mase_is_one_for_the_naive_forecast_of_its_own_scale():
    training = RNG.normal(size=(50, 2)) * [1, 100]
    for season in (1, 7):
        scale = scores.naive_error(training, season)
        by_hand = [np.mean([abs(training[t, c] - training[t - season, c]) for t in range(season, 50)]) for c in (0, 1)]
        np.testing.assert_allclose(scale, by_hand)
        assert scores.mase(training[:-season], training[season:], scale) == pytest.approx(1)
    # A constant series has no scale, and counts for nothing.
    assert scores.mase(np.array([[3.0, 5.0]]), np.array([[1.0, 1.0]]), np.array([4.0, 0.0])) == pytest.approx(0.5)
    np.testing.assert_array_equal(scores.naive_error(training, 50), [0, 0])


def test_missing_training_rows_do_not_count_in_the_scale():
    assert scores.naive_error(np.array([1.0, 2.0, np.nan, 5.0, 8.0])) == pytest.approx(2)


def _normal(x):
    return np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


@pytest.mark.parametrize(("mean", "std", "truth"), [(0, 1, 0.3), (2, 0.5, -1), (-3, 4, 8)])
def test_crps_of_a_normal_distribution_is_its_integral(mean, std, truth):
    """CRPS = integral of (F(x) - 1[x >= y])^2 (Matheson and Winkler, 1976), with F itself by integration."""
    x = np.linspace(mean - 12 * std - 20, mean + 12 * std + 20, 400_001)
    width = x[1] - x[0]
    cdf = np.cumsum(_normal((x - mean) / std) / std) * width
    expected = np.sum((cdf - (x >= truth)) ** 2) * width
    found = scores.crps_gaussian(np.array([mean]), np.array([std]), np.array([truth]))
    assert found == pytest.approx(expected, abs=3e-3)


def test_crps_is_the_expected_distance_less_half_the_spread():
    """E|X - y| - E|X - X'| / 2 (Gneiting and Raftery, 2007, equation 21), of quantiles taken as a sample."""
    levels = (np.arange(500) + 0.5) / 500
    sample = np.sort(RNG.gamma(2, 3, 500))
    for truth in (0.5, 6.0, 30.0):
        expected = np.abs(sample - truth).mean() - np.abs(sample[:, None] - sample).mean() / 2
        found = scores.crps_quantiles(sample[None], np.array([truth]), levels)
        assert found == pytest.approx(expected, rel=2e-3)


def test_many_quantiles_of_a_normal_distribution_give_its_crps():
    levels = (np.arange(2000) + 0.5) / 2000
    x = np.linspace(-6, 6, 200_001)
    cdf = np.cumsum(_normal(x)) * (x[1] - x[0])
    quantiles = np.interp(levels, cdf, x)
    truth = np.array([-1.0, 0.2, 2.5])
    found = scores.crps_quantiles(np.tile(3 + 2 * quantiles, (3, 1)), truth, levels)
    assert found == pytest.approx(scores.crps_gaussian(np.full(3, 3.0), np.full(3, 2.0), truth), rel=1e-3)


@given(SOME)
def test_crps_of_a_number_is_its_absolute_error(pairs):
    truth, forecast = np.array(pairs).T
    levels = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
    found = scores.crps_quantiles(np.repeat(forecast[:, None], 5, axis=1), truth, levels)
    assert found == pytest.approx(scores.mae(forecast, truth), abs=1e-9)


def test_pinball_is_least_at_the_quantile():
    sample = RNG.exponential(size=2001)
    for level in (0.1, 0.5, 0.8):
        by_hand = np.mean([level * (y - 1) if y >= 1 else (1 - level) * (1 - y) for y in sample])
        assert scores.pinball(np.ones((2001, 1)), sample, np.array([level])) == pytest.approx(by_hand)
        losses = {q: scores.pinball(np.full((2001, 1), q), sample, np.array([level])) for q in np.sort(sample)[::20]}
        best = min(losses, key=lambda q: losses[q])
        assert (sample <= best).mean() == pytest.approx(level, abs=0.02)
    with pytest.raises(ValueError, match=r"quantiles must be \[2001, 2\], one for each of 2 levels"):
        scores.pinball(np.ones((2001, 1)), sample, np.array([0.1, 0.5]))


def test_coverage():
    truth = np.array([0.0, 1.0, 2.0, np.nan, 5.0])
    assert scores.coverage(np.zeros(5), np.full(5, 2.0), truth) == 0.75  # both ends are inside
    quantiles = {"q0.1": truth - 1, "q0.25": truth + 1, "q0.5": truth, "q0.75": truth + 2, "q0.9": truth + 1}
    assert scores.coverages(quantiles, truth) == {"coverage_80": 1.0, "coverage_50": 0.0}
