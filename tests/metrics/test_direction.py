"""Directional accuracy and its interval."""

import numpy as np
import pytest

from lstm_jax.metrics.direction import bootstrap_interval, right_direction, walk_forward_scores


def test_right_direction():
    forecasts = np.array([1.0, -2.0, 3.0, 0.0, -1.0, 1.0])
    truth = np.array([0.1, 0.1, -0.1, 0.1, 0.0, np.nan])
    np.testing.assert_array_equal(right_direction(forecasts, truth), [1, 0, 0, 0.5, np.nan, np.nan])
    with pytest.raises(ValueError, match=r"forecasts \[6\] and truth \[6, 1\] differ in shape"):
        right_direction(forecasts, truth[:, None])


def test_the_interval_of_independent_values_is_that_of_the_normal_distribution():
    values = np.random.default_rng(0).normal(3, 2, 4000)
    low, high = bootstrap_interval(values, block=1)
    error = 1.96 * values.std() / np.sqrt(4000)
    assert (low, high) == (
        pytest.approx(values.mean() - error, abs=0.1 * error),
        pytest.approx(values.mean() + error, abs=0.1 * error),
    )
    narrow = bootstrap_interval(values, confidence=0.5)
    assert low < narrow[0] < narrow[1] < high


def test_the_interval_holds_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(1)
    held = 0
    for seed in range(200):
        low, high = bootstrap_interval(rng.normal(0, 1, 200), draws=300, seed=seed)
        held += low <= 0 <= high
    assert 180 <= held <= 198  # 95% of 200, and four standard errors


def test_what_hangs_together_widens_the_interval():
    rng = np.random.default_rng(2)
    runs = np.repeat(rng.normal(size=200), 20)
    alone, blocks = (bootstrap_interval(runs, block=block) for block in (1, 60))
    assert np.ptp(blocks) > 2.5 * np.ptp(alone)
    # Columns that say the same are no further evidence.
    values = rng.normal(size=(500, 1))
    assert bootstrap_interval(np.repeat(values, 7, axis=1)) == pytest.approx(bootstrap_interval(values))


def test_missing_values_count_for_nothing():
    values = np.random.default_rng(3).normal(5, 1, 300)
    values[::3] = np.nan
    low, high = bootstrap_interval(values)
    assert low < np.nanmean(values) < high


@pytest.mark.parametrize(
    ("values", "settings", "sentence"),
    [
        ([np.nan, np.nan], {}, "no known value"),
        ([1.0, 2.0], {"confidence": 1.0}, "confidence must be between 0 and 1, got 1.0"),
        ([1.0, 2.0], {"block": 3}, "block must be at most the 2 rows that there are, got 3"),
        ([1.0, 2.0], {"draws": 0}, "draws must be a whole number of at least 1"),
    ],
)
def test_refusals(values, settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        bootstrap_interval(np.array(values), **settings)


def test_walk_forward_scores_are_errors_of_prices_and_shares_of_directions():
    prices = np.array([[100.0], [110.0], [99.0], [99.99], [101.0]])
    truth = np.diff(np.log(prices), axis=0)[1:]  # of the last three rows
    said = {"forecast": truth.copy(), "last_value": np.zeros_like(truth), "drift": np.full_like(truth, 0.01)}
    found = walk_forward_scores(prices, truth, said, np.ones_like(truth))
    assert found["rmse"] == pytest.approx(0, abs=1e-9)
    assert found["rmse_last_value"] == pytest.approx(np.sqrt(np.mean(np.diff(prices[1:, 0]) ** 2)))
    assert found["gain_on_last_value"] == pytest.approx(1e4 * np.mean(truth**2))
    assert found["direction"] == 1 and found["direction_majority"] == pytest.approx(2 / 3)
    assert found["direction_gain"] == pytest.approx(1 / 3)
    assert found["direction_gain_low"] <= found["direction_gain"] <= found["direction_gain_high"]
