"""Scores of forecasts: of numbers, of quantiles, of normal distributions.

``forecast`` and ``truth`` have one shape, ``[..., targets]`` or any other; where the truth is NaN, nothing is scored.
Each score is a mean over all known values.
"""

import math
from collections.abc import Mapping

import numpy as np


def mse(forecast: np.ndarray, truth: np.ndarray) -> float:
    """Mean squared error."""
    return _mean(np.square(_errors(forecast, truth)))


def rmse(forecast: np.ndarray, truth: np.ndarray) -> float:
    """Root of the mean squared error."""
    return math.sqrt(mse(forecast, truth))


def mae(forecast: np.ndarray, truth: np.ndarray) -> float:
    """Mean absolute error."""
    return _mean(np.abs(_errors(forecast, truth)))


def mase(forecast: np.ndarray, truth: np.ndarray, scale: np.ndarray | float) -> float:
    """Mean absolute scaled error; below 1 is better than the seasonal naive forecast was, one step ahead, in training.

    Hyndman and Koehler (2006), "Another look at measures of forecast accuracy".

    Args:
        forecast: in the units of the series.
        truth: the same.
        scale: `naive_error` of the training rows, of a shape that broadcasts to ``truth``; where it is 0 (a constant
            series) nothing is scored.
    """
    scale = np.broadcast_to(np.asarray(scale, np.float64), np.shape(truth))
    return _mean(np.abs(_errors(forecast, truth)) / np.where(scale > 0, scale, np.nan))


def naive_error(training: np.ndarray, season: int = 1) -> np.ndarray:
    """Mean absolute difference of training rows ``[N, ...]`` one season apart, ``[...]``: the scale of `mase`.

    It is 0, with which nothing is scored, where no two known rows are one season apart.
    """
    training = np.asarray(training, np.float64)
    changes = np.abs(training[season:] - training[:-season])
    counted = ~np.isnan(changes)
    return np.where(counted, changes, 0.0).sum(axis=0) / np.maximum(counted.sum(axis=0), 1)


def smape(forecast: np.ndarray, truth: np.ndarray) -> float:
    """Symmetric mean absolute percentage error, 0 to 200: ``200 |y - f| / (|y| + |f|)``, 0 where both are 0.

    As in the M4 competition: Makridakis, Spiliotis and Assimakopoulos (2020), "The M4 Competition".
    """
    errors = np.abs(_errors(forecast, truth))
    size = np.abs(truth) + np.abs(forecast)
    return _mean(200 * errors / np.where(size == 0, 1.0, size))


def pinball(quantiles: np.ndarray, truth: np.ndarray, levels: np.ndarray) -> float:
    """Mean quantile loss, over all levels: ``max(q e, (q - 1) e)`` with ``e = y - forecast``.

    Koenker and Bassett (1978), "Regression Quantiles".

    Args:
        quantiles: ``[..., Q]``.
        truth: ``[...]``.
        levels: ``[Q]``, each above 0 and below 1.
    """
    errors = np.asarray(truth)[..., None] - _of_levels(quantiles, truth, levels)
    return _mean(np.maximum(levels * errors, (np.asarray(levels) - 1) * errors))


def crps_quantiles(quantiles: np.ndarray, truth: np.ndarray, levels: np.ndarray) -> float:
    """Continuous ranked probability score from quantiles: twice the mean `pinball` loss.

    CRPS is twice the integral of the quantile loss over all levels (Gneiting and Raftery, 2007, "Strictly Proper
    Scoring Rules", section 4.2), so this is near it with many evenly spaced levels, (k - 1/2) / Q, and of a point
    forecast, with levels symmetric about 1/2, it is the absolute error.
    """
    return 2 * pinball(quantiles, truth, levels)


def crps_gaussian(mean: np.ndarray, std: np.ndarray, truth: np.ndarray) -> float:
    """Continuous ranked probability score of normal distributions, in the units of the truth.

    With ``z = (y - mean) / std``: ``std (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi))``; Gneiting, Raftery, Westveld and
    Goldman (2005), "Calibrated Probabilistic Forecasting", equation 5.
    """
    z = _errors(mean, truth) / -np.asarray(std, np.float64)
    inside = np.vectorize(math.erf, otypes=[float])(z / math.sqrt(2))  # 2 Phi(z) - 1
    density = np.exp(-np.square(z) / 2) / math.sqrt(2 * math.pi)
    return _mean(std * (z * inside + 2 * density - 1 / math.sqrt(math.pi)))


def coverage(low: np.ndarray, high: np.ndarray, truth: np.ndarray) -> float:
    """The share of known values that lie in ``[low, high]``."""
    below, above = _errors(low, truth) > 0, _errors(high, truth) < 0
    return _mean(np.where(np.isnan(truth), np.nan, ~below & ~above))


def coverages(quantiles: Mapping[str, np.ndarray], truth: np.ndarray) -> dict[str, float]:
    """The `coverage` of each central interval: of "q0.1" and "q0.9", ``[...]`` each, that of "coverage_80"."""
    levels = {float(name[1:]): values for name, values in quantiles.items()}
    found = {}
    for low, values in levels.items():
        high = next((level for level in levels if abs(level - (1 - low)) < 1e-9), 0.0)
        if low < high:
            found[f"coverage_{100 * (high - low):.0f}"] = coverage(values, levels[high], truth)
    return found


def forecast_scores(
    forecast: np.ndarray,
    truth: np.ndarray,
    simple: Mapping[str, np.ndarray],
    quantiles: Mapping[str, np.ndarray],
    naive_errors: np.ndarray,
    own: tuple[np.ndarray, np.ndarray],
    unit: float,
) -> dict[str, float]:
    """The scores of a forecast and those of simple ones; what would be a division by zero is left out.

    Args:
        forecast: ``[W, H, C]``, in standard units, as all of these but ``own``.
        truth: the same.
        simple: forecasts that need no network by name.
        quantiles: "q0.1" and others.
        naive_errors: the scale of `mase`, of a shape that broadcasts to ``truth``.
        own: forecast and truth in the units of their series.
        unit: what a standard unit is in the scores' units.

    Returns:
        "standard_mse" and "standard_mae"; "mase"; "smape"; `coverages`; "rmse_NAME", "standard_mse_NAME" and "mae_NAME"
        of each simple one; "skill", the share of the lowest "rmse_NAME" that the forecast saves.
    """
    found = {
        "standard_mse": mse(forecast, truth),
        "standard_mae": mae(forecast, truth),
        "mase": mase(forecast, truth, naive_errors),
        "smape": smape(*own),
        **coverages(quantiles, truth),
    }
    for name, values in simple.items():
        found[f"rmse_{name}"] = rmse(values, truth) * unit
        found[f"standard_mse_{name}"] = mse(values, truth)
        found[f"mae_{name}"] = mae(values, truth) * unit
    best = min(rmse(values, truth) for values in simple.values())
    found["skill"] = 1 - rmse(forecast, truth) / best if best else math.nan
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _errors(forecast: np.ndarray, truth: np.ndarray) -> np.ndarray:
    forecast, truth = np.asarray(forecast, np.float64), np.asarray(truth, np.float64)
    if forecast.shape != truth.shape:  # NumPy would broadcast [W] and [W, 1] to [W, W]
        raise ValueError(f"forecast {list(forecast.shape)} and truth {list(truth.shape)} differ in shape.")
    return forecast - truth


def _of_levels(quantiles: np.ndarray, truth: np.ndarray, levels: np.ndarray) -> np.ndarray:
    quantiles = np.asarray(quantiles, np.float64)
    if quantiles.shape != (*np.shape(truth), len(levels)):
        raise ValueError(
            f"quantiles must be {[*np.shape(truth), len(levels)]}, one for each of {len(levels)} levels and each value "
            f"of the truth, got {list(quantiles.shape)}."
        )
    return quantiles


def _mean(values: np.ndarray) -> float:
    known = ~np.isnan(values)
    return float(values[known].mean()) if known.any() else math.nan
