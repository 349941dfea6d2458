"""From a series to what a forecaster is trained on: gaps filled, scaled, cut into windows."""

import dataclasses
from typing import Any

import numpy as np

from lstm_jax.data.table import DataError
from lstm_jax.options import positive


def fill_missing(values: np.ndarray) -> np.ndarray:
    """Fill each gap with the last value before it, never with a later one: that would look ahead.

    Only a gap at the very start, with nothing before it, takes the first value behind it, so that rows keep their
    numbers; it lies in the training part. As many values are filled as ``values`` has NaN: `Series.missing`.

    Args:
        values: ``[N]``, or ``[N, columns]``, NaN where missing.

    Returns:
        The same shape, a copy without NaN.

    Raises:
        DataError: all values are missing.
    """
    values = np.asarray(values)
    if values.ndim == 2:
        return np.stack([fill_missing(column) for column in values.T], axis=-1)
    values = _series(values)
    known = np.flatnonzero(~np.isnan(values))
    if not len(known):
        raise DataError(f"All {len(values)} values are missing: there is nothing to fill the gaps with.")
    last = np.searchsorted(known, np.arange(len(values)), side="right") - 1
    return values[known[np.maximum(last, 0)]]


@dataclasses.dataclass(frozen=True)
class Standardizer:
    """Shift and scale to mean 0 and standard deviation 1 on the values that it was fitted on: those of training."""

    mean: Any
    """A number; of several columns an array ``[columns]``."""
    std: Any

    @classmethod
    def fit(cls, values: np.ndarray, axis: int | None = None) -> "Standardizer":
        """Mean and standard deviation of ``values``, of any shape; of a constant the deviation is taken as 1.

        Args:
            values: those of training.
            axis: 0 to scale each column of ``[N, columns]`` by itself; None: all numbers together.

        Raises:
            DataError: there are no values, or one is missing or infinite.
        """
        values = np.asarray(values)
        rounding = np.finfo(values.dtype).eps if values.dtype.kind == "f" else 0.0
        values = values.astype(np.float64)
        if not values.size or not np.isfinite(values).all():
            raise DataError("A Standardizer needs finite values to fit; fill gaps with fill_missing first.")
        low, mean, std = values.min(axis=axis), values.mean(axis=axis), values.std(axis=axis)
        # The computed deviation of equal numbers need not be exactly 0, nor their mean exactly them; and numbers that
        # differ by rounding alone are constant, too.
        mean = np.where(low == values.max(axis=axis), low, mean)
        std = np.where((low == values.max(axis=axis)) | (std <= 8 * rounding * np.abs(mean)), 1.0, std)
        return cls(float(mean), float(std)) if axis is None else cls(mean, std)

    def apply(self, values: Any) -> Any:
        """Values, NumPy's or JAX's, in standard units."""
        return (values - self.mean) / self.std

    def invert(self, values: Any) -> Any:
        """Standard units back in the units of the series."""
        return values * self.std + self.mean


def windows(values: np.ndarray, context: int, horizon: int, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut every window whose targets lie entirely in the rows ``[start, stop)``, one a row, in order of time.

    Its inputs are the ``context`` rows just before its targets. They may lie before ``start``: validation and test use
    the past that is known by then, and no target is ever an input of another part before it.

    Args:
        values: ``[N]``, or ``[N, columns]``.
        context: T, how many rows a forecast sees.
        horizon: H, how many rows it forecasts.
        start: the first row that may be a target.
        stop: the row behind the last one.

    Returns:
        ``inputs [T, W, 1]``, time first, and ``targets [W, H]``; of several columns ``[T, W, columns]`` and
        ``[W, H, columns]``; copies of the dtype of ``values``.

    Raises:
        ValueError: sizes below 1, rows outside the series, or too few rows for a single window.
    """
    values = np.asarray(values)
    positive("context", context)
    positive("horizon", horizon)
    if not 0 <= start < stop <= len(values):
        raise ValueError(f"Rows {start} to {stop} do not lie in a series of {len(values)} rows.")
    first, needed = max(start, context), max(context - start, 0) + horizon
    if stop - start < needed:
        raise ValueError(
            f"Rows {start} to {stop} are {stop - start}, but a window of context {context} and horizon {horizon} needs "
            f"at least {needed} there; use a longer series or a shorter window."
        )
    columns = values.reshape(len(values), -1)
    cut = np.lib.stride_tricks.sliding_window_view(columns[first - context : stop], context + horizon, axis=0)
    inputs, targets = cut[:, :, :context].transpose(2, 0, 1).copy(), cut[:, :, context:].transpose(0, 2, 1).copy()
    return inputs, targets[..., 0] if values.ndim == 1 else targets


def _series(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim != 1:
        raise ValueError(f"values must be one series [N], got the shape {list(values.shape)}.")
    return values
