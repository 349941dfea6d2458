"""Baselines: forecasts by hand, linear maps recovered, seasons found and not found."""

import os
from pathlib import Path

import numpy as np
import pytest

from lstm_jax import data
from lstm_jax.data.baselines import simple_classes
from lstm_jax.data.examples import Examples
from lstm_jax.metrics import forecasting as scores


def test_naive_and_seasonal_naive_by_hand():
    inputs = np.array([[1, 10], [2, 20], [3, 30], [4, 40]])
    np.testing.assert_array_equal(data.naive(inputs, 3), [[4, 4, 4], [40, 40, 40]])
    np.testing.assert_array_equal(data.seasonal_naive(inputs, 5, 3), [[2, 3, 4, 2, 3], [20, 30, 40, 20, 30]])
    np.testing.assert_array_equal(data.seasonal_naive(inputs, 2, 4), [[1, 2], [10, 20]])


def test_seasonal_naive_is_exact_on_what_repeats():
    inputs, targets = data.windows(np.tile(np.random.default_rng(0).random(7), 10), 14, 16, 0, 70)
    np.testing.assert_array_equal(data.seasonal_naive(inputs[..., 0], 16, 7), targets)
    assert scores.mse(data.seasonal_naive(inputs[..., 0], 16, 6), targets) > 0.01


def test_linear_recovers_a_linear_map():
    rng = np.random.default_rng(1)
    weights, intercept = rng.normal(size=(5, 3)), np.array([1.0, -2.0, 3.0])
    inputs, unseen = rng.normal(2, 1, (5, 40)), rng.normal(2, 1, (5, 9))
    predict = data.fit_linear(inputs, inputs.T @ weights + intercept)
    np.testing.assert_allclose(predict(unseen), unseen.T @ weights + intercept, atol=1e-10)


def test_ridge_solves_its_normal_equations():
    rng = np.random.default_rng(2)
    inputs, targets = rng.normal(1, 1, (4, 30)), rng.normal(5, 1, (30, 2))
    left = inputs.T - inputs.mean(axis=1)
    weights = np.linalg.solve(left.T @ left + 0.7 * np.eye(4), left.T @ (targets - targets.mean(axis=0)))
    expected = left @ weights + targets.mean(axis=0)
    np.testing.assert_allclose(data.fit_linear(inputs, targets, ridge=0.7)(inputs), expected, atol=1e-10)
    # Of a huge penalty only the intercept is left.
    np.testing.assert_allclose(data.fit_linear(inputs, targets, 1e12)(inputs) - targets.mean(axis=0), 0, atol=1e-6)


def test_linear_with_fewer_windows_than_rows_of_context():
    rng = np.random.default_rng(3)
    inputs, targets = rng.normal(size=(20, 6)), rng.normal(size=(6, 2))
    np.testing.assert_allclose(data.fit_linear(inputs, targets)(inputs), targets, atol=1e-10)


def test_on_the_generated_series_more_knowledge_is_better():
    series = data.generated_series()
    train, _, test = data.chronological_split(len(series.values))
    inputs, targets = data.windows(series.values, 28, 7, train.start, train.stop)
    predict = data.fit_linear(inputs[..., 0], targets)
    inputs, targets = data.windows(series.values, 28, 7, test.start, test.stop)
    inputs = inputs[..., 0]
    forecasts = [data.naive(inputs, 7), data.seasonal_naive(inputs, 7, series.season), predict(inputs)]
    naive, seasonal, linear = (scores.mae(forecast, targets) for forecast in forecasts)
    assert linear < 0.9 * seasonal < 0.8 * naive


def test_simple_forecasts_are_those_of_each_column():
    rng = np.random.default_rng(5)
    contexts, targets, inputs = rng.normal(size=(6, 40, 2)), rng.normal(size=(40, 3, 2)), rng.normal(size=(6, 5, 2))
    targets[7, 1, 0] = np.nan
    found = data.simple_forecasts(contexts, targets, inputs, 4)
    for column, rows in enumerate([np.arange(40) != 7, slice(None)]):
        seen = inputs[..., column]
        linear = data.fit_linear(contexts[:, rows, column], targets[rows, :, column])(seen)
        np.testing.assert_array_equal(found["naive"][..., column], data.naive(seen, 3))
        np.testing.assert_array_equal(found["seasonal_naive"][..., column], data.seasonal_naive(seen, 3, 4))
        np.testing.assert_allclose(found["linear"][..., column], linear, atol=1e-12)
    with pytest.raises(data.DataError, match="No training window has all its targets"):
        data.simple_forecasts(contexts, np.full_like(targets, np.nan), inputs, 4)


@pytest.mark.parametrize("season", [2, 3, 7, 12, 24, 50])
def test_a_season_is_found_under_trend_and_noise(season):
    rng = np.random.default_rng(season)
    days = np.arange(600)
    values = 0.1 * days + 3 * rng.normal(size=season)[days % season] + rng.normal(size=600)
    assert data.detect_season(values, 60) == season
    assert data.detect_season(values, season) == season
    assert data.detect_season(values, season - 1) != season


@pytest.mark.parametrize("seed", range(10))
def test_no_season_is_found_where_there_is_none(seed):
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=500)
    walk = np.cumsum(noise)
    persistent = noise.copy()
    for row in range(1, 500):
        persistent[row] += 0.9 * persistent[row - 1]
    for values in (noise, walk, persistent):
        assert data.detect_season(values, 60) == 1


def test_no_season_in_lines_and_in_short_series():
    assert data.detect_season(np.full(50, 0.1), 20) == 1
    assert data.detect_season(np.arange(50.0), 20) == 1
    for length in range(6):
        assert data.detect_season(np.arange(length) % 2, 20) == 1


@pytest.mark.skipif("LSTM_JAX_DATA" not in os.environ, reason="LSTM_JAX_DATA names no folder of public data sets")
@pytest.mark.parametrize(
    ("name", "column", "season"),
    [
        ("forecast_classic/airline-passengers.csv", None, 12),
        ("forecast_etth1/ETTh1.csv", "HUFL", 24),
        ("forecast_etth1/ETTh1.csv", "OT", 24),
        ("forecast_beijing_pm25_missing/pollution.csv", "TEMP", 24),
        ("finance_vega_stocks/sp500-2000.csv", "close", 1),
    ],
)
def test_seasons_of_public_files(name, column, season):
    pytest.importorskip("pandas", reason="the extra 'forecasting' is not installed")
    values = data.read_series(Path(os.environ["LSTM_JAX_DATA"]) / name, column).values
    assert data.detect_season(values[data.chronological_split(len(values))[0]], 60) == season


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: data.naive(np.zeros((4, 2, 1)), 3), r"must be \[T, W\], got the shape \[4, 2, 1\]"),
        (lambda: data.naive(np.zeros((4, 2)), 0), "horizon must be a whole number"),
        (lambda: data.seasonal_naive(np.zeros((4, 2)), 3, 5), "season of 5 rows needs a context of at least as many"),
        (lambda: data.fit_linear(np.zeros((4, 2)), np.zeros((3, 1))), r"got \[3, 1\] for \[4, 2\]"),
        (lambda: data.fit_linear(np.zeros((4, 2)), np.zeros((2, 1)), -1), "ridge must be at least 0, got -1"),
        (lambda: data.fit_linear(np.zeros((4, 2)), np.zeros((2, 1)))(np.zeros((5, 2))), "context of 4 rows, but got 5"),
        (lambda: data.detect_season(np.array([1, np.nan, 2]), 2), "finite numbers; fill gaps"),
    ],
)
def test_wrong_arguments_are_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_simple_classes():
    def wave(rate, steps):
        return np.sin(rate * np.linspace(0, 1, steps))[:, None]

    train = Examples.of([wave(3, 20), wave(3.2, 20), wave(9, 20), wave(3.1, 10)], [0, 0, 1, 0])
    test = Examples.of([wave(9.2, 15), wave(2.9, 40)], [1, 0])
    found = simple_classes(train, test, 2)
    np.testing.assert_array_equal(found["majority"], [0, 0])
    np.testing.assert_array_equal(found["nearest"], [1, 0])
    np.testing.assert_array_equal(found["linear"], [1, 0])
