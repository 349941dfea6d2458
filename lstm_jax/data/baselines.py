"""Forecasts, and classes, that a network has to beat. All in NumPy.

A forecast takes the context ``inputs [T, W]`` of W windows, oldest row first, and gives ``[W, horizon]``.
"""

from collections.abc import Callable

import numpy as np

from lstm_jax.data.examples import Examples
from lstm_jax.data.series import Series
from lstm_jax.data.table import DataError
from lstm_jax.data.windows import fill_missing
from lstm_jax.options import positive


def naive(inputs: np.ndarray, horizon: int) -> np.ndarray:
    """Forecast ``[W, horizon]``: the last value of the context, again and again."""
    return seasonal_naive(inputs, horizon, 1)


def seasonal_naive(inputs: np.ndarray, horizon: int, season: int) -> np.ndarray:
    """Forecast ``[W, horizon]``: the value one season before; beyond a season, the context's last season repeated.

    Raises:
        ValueError: the context is shorter than ``season`` rows.
    """
    inputs = _context(inputs)
    steps = len(inputs)
    if positive("season", season) > steps:
        raise ValueError(f"A season of {season} rows needs a context of at least as many, but it has {steps}.")
    return inputs[steps - season + np.arange(positive("horizon", horizon)) % season].T


def fit_linear(inputs: np.ndarray, targets: np.ndarray, ridge: float = 0.0) -> Callable[[np.ndarray], np.ndarray]:
    """Fit a linear map, with an intercept, from the whole context to all horizons at once, by least squares.

    Args:
        inputs: ``[T, W]``, the contexts of the training windows.
        targets: ``[W, H]``.
        ridge: the weight of the squared coefficients (not of the intercept) beside the sum of squared errors. With 0
            and fewer windows than rows of context, the smallest of the many solutions is taken.

    Returns:
        ``predict(inputs [T, V]) -> [V, H]``.

    Raises:
        ValueError: shapes that do not fit, a negative ``ridge``; from ``predict``, a context of another length.
    """
    inputs, targets = _context(inputs), np.asarray(targets)
    if targets.ndim != 2 or len(targets) != inputs.shape[1] or not len(targets):
        raise ValueError(
            f"targets must be [W, H] with the W of inputs [T, W] and W at least 1, got {list(targets.shape)} for "
            f"{list(inputs.shape)}."
        )
    if not ridge >= 0:
        raise ValueError(f"ridge must be at least 0, got {ridge}.")
    steps = len(inputs)
    center, middle = inputs.mean(axis=1), targets.mean(axis=0)
    # Centred, the intercept is out of the equations; the penalty is a row more for each coefficient.
    left = np.concatenate([inputs.T - center, np.sqrt(ridge) * np.eye(steps)])
    right = np.concatenate([targets - middle, np.zeros((steps, targets.shape[1]))])
    weights = np.linalg.lstsq(left, right)[0]

    def predict(inputs: np.ndarray) -> np.ndarray:
        inputs = _context(inputs)
        if len(inputs) != steps:
            raise ValueError(f"The linear forecast was fitted on a context of {steps} rows, but got {len(inputs)}.")
        return (inputs.T - center) @ weights + middle

    return predict


def simple_forecasts(
    contexts: np.ndarray, targets: np.ndarray, inputs: np.ndarray, season: int
) -> dict[str, np.ndarray]:
    """All of these forecasts, of several columns, each from its own context.

    Args:
        contexts: of the training windows, ``[T, W, C]``.
        targets: theirs, ``[W, H, C]``; a window with a NaN in a column is left out there.
        inputs: contexts to forecast from, ``[T, V, C]``.
        season: rows.

    Returns:
        "naive", "seasonal_naive" and "linear", each ``[V, H, C]``.

    Raises:
        DataError: no training window has all its targets.
        ValueError: the context is shorter than ``season`` rows.
    """
    horizon, found = targets.shape[1], []
    for column in range(targets.shape[-1]):
        whole = ~np.isnan(targets[..., column]).any(axis=1)
        if not whole.any():
            raise DataError("No training window has all its targets: choose a smaller --horizon.")
        seen = inputs[..., column]
        linear = fit_linear(contexts[:, whole, column], targets[whole, :, column])
        found.append((naive(seen, horizon), seasonal_naive(seen, horizon, season), linear(seen)))
    names = ("naive", "seasonal_naive", "linear")
    return {name: np.stack(columns, axis=-1) for name, columns in zip(names, zip(*found, strict=True), strict=True)}


def simple_classes(train: Examples, test: Examples, classes: int) -> dict[str, np.ndarray]:
    """Classes of sequences by what needs no network; of unequal lengths, resampled to the longest of training.

    Args:
        train: sequences ``[T_i, D]`` with a class each.
        test: those to be told.
        classes: how many there are.

    Returns:
        "majority", the most frequent class; "nearest", that of the nearest training sequence by Euclidean distance;
        "linear", by ridge regression to one column a class: each ``[N]``.
    """
    steps = int(train.lengths.max())
    ours, theirs = _resampled(train, steps), _resampled(test, steps)
    # |a - b|^2 = |b|^2 - 2 a.b + |a|^2, of which the last is the same for all b.
    nearest = np.argmin((ours**2).sum(axis=1) - 2 * theirs @ ours.T, axis=1)
    linear = fit_linear(ours.T, np.eye(classes)[train.targets], ridge=1.0)
    return {
        "majority": np.full(len(test), np.argmax(np.bincount(train.targets))),
        "nearest": train.targets[nearest],
        "linear": np.argmax(linear(theirs.T), axis=1),
    }


def detect_season(values: np.ndarray, max_season: int) -> int:
    """The length of the season in rows, found in the training part; 1 if there is none.

    The rule: of the differences from row to row, which take out trend and level, r(k) is the autocorrelation at lag k
    (sum of products divided by the sum of squares, so that of a season and its multiples the season has the most). The
    season is the k in 2 .. max_season, at most half the rows, with the highest peak, r(k-1) < r(k) >= r(k+1), if
    r(k) > max(0.15, 4 / sqrt(N)). A smooth, long season under much noise, such as the year in daily temperatures,
    hardly shows in differences and is not found.

    Args:
        values: ``[N]``, without gaps: those of training only, or the choice looks ahead.
        max_season: the longest season to look for.

    Raises:
        ValueError: ``max_season`` is no whole number of at least 1, or ``values`` is not ``[N]`` or not finite.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError("values must be one series [N] of finite numbers; fill gaps with fill_missing first.")
    changes = np.diff(values)
    most = min(positive("max_season", max_season), len(values) // 2)
    if most < 2 or np.ptp(changes) == 0:
        return 1
    changes = changes - changes.mean()
    power = changes @ changes
    r = np.array([changes[: len(changes) - lag] @ changes[lag:] for lag in range(most + 2)]) / power
    lags = np.arange(2, most + 1)
    peaks = lags[(r[lags] > r[lags - 1]) & (r[lags] >= r[lags + 1])]
    if not len(peaks):
        return 1
    best = peaks[np.argmax(r[peaks])]
    return int(best) if r[best] > max(0.15, 4 / np.sqrt(len(values))) else 1


def season_of(series: Series, train: slice, context: int) -> int:
    """The series' season in rows, or what `detect_season` finds in the training rows of its first column.

    It is 1 if there is none, or none that a context of ``context`` rows holds.
    """
    if series.season is not None and series.season <= context:
        return series.season
    return detect_season(fill_missing(series.values[:, 0])[train], context)


def _context(inputs: np.ndarray) -> np.ndarray:
    inputs = np.asarray(inputs)
    if inputs.ndim != 2:
        raise ValueError(
            f"inputs must be [T, W], got the shape {list(inputs.shape)}; of [T, W, 1] pass inputs[..., 0]."
        )
    return inputs


def _resampled(examples: Examples, steps: int) -> np.ndarray:
    """Each sequence interpolated at ``steps`` even times from its first to its last step, ``[N, steps * D]``."""
    rows = []
    for one in examples.sequences():
        times = np.linspace(0, len(one) - 1, steps)
        rows.append(np.concatenate([np.interp(times, np.arange(len(one)), channel) for channel in one.T]))
    return np.array(rows)
