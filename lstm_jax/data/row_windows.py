"""Windows of rows that are read one by one, and their scale: for series that are larger than memory."""

import dataclasses
from typing import Protocol

import numpy as np

from lstm_jax.data.examples import Examples
from lstm_jax.data.table import DataError
from lstm_jax.data.windows import Standardizer
from lstm_jax.options import positive

CHUNK = 1 << 13
"""Rows that are looked at together."""


class Rows(Protocol):
    """Rows of numbers, oldest first, such as `LargeCsv`."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def read(self, start: int, stop: int, /) -> np.ndarray:
        """The rows ``start <= row < stop``, float64 ``[stop - start, columns]``, NaN where missing."""
        ...


def fit_scale(rows: Rows, stop: int) -> Standardizer:
    """Mean and standard deviation of each column in the rows before ``stop``, in one pass that keeps no rows.

    Moments of pieces are put together as by Chan, Golub and LeVeque (1979, "Updating Formulae and a Pairwise Algorithm
    for Computing Sample Variances", eq. 2.1). Missing values count for nothing; of a constant the deviation is taken as
    1.

    Raises:
        DataError: all values of a column are missing; or the rows cannot be read.
    """
    count = mean = squares = np.zeros(())
    low, high = np.full((), np.inf), np.full((), -np.inf)
    for start in range(0, stop, CHUNK):
        values = rows.read(start, min(start + CHUNK, stop))
        known = ~np.isnan(values)
        new = known.sum(axis=0)
        centre = np.where(known, values, 0).sum(axis=0) / np.maximum(new, 1)
        total, shift = np.maximum(count + new, 1), centre - mean
        squares = squares + np.square(np.where(known, values - centre, 0)).sum(axis=0) + shift**2 * count * new / total
        mean = mean + shift * new / total
        count = count + new
        low, high = np.fmin(low, np.fmin.reduce(values)), np.fmax(high, np.fmax.reduce(values))
    if not np.all(count):
        raise DataError(f"All values of column {int(np.argmin(count)) + 1} are missing in the first {stop} rows.")
    constant = low == high
    return Standardizer(np.where(constant, low, mean), np.where(constant, 1.0, np.sqrt(squares / count)))


@dataclasses.dataclass(frozen=True, eq=False)
class RowWindows:
    """All windows whose targets lie in the rows ``start <= row < stop``, in standard units, read when asked for.

    Window w forecasts the rows from ``start + w`` on by the ``context`` rows before them, which may lie before
    ``start``. A missing input is taken for the last known one of its window, or for the mean if there is none; a
    missing target stays missing.
    """

    rows: Rows
    scale: Standardizer
    context: int
    """T, how many rows a forecast sees."""
    horizon: int
    """H, how many rows it forecasts."""
    start: int
    stop: int

    def __post_init__(self) -> None:
        """Refuse rows without a window."""
        positive("context", self.context)
        positive("horizon", self.horizon)
        if not self.context <= self.start <= self.stop - self.horizon <= len(self.rows) - self.horizon:
            raise DataError(
                f"The rows from {self.start} to {self.stop} of {len(self.rows)} hold no window of context "
                f"{self.context} and horizon {self.horizon}: use more rows or a shorter window."
            )

    def __len__(self) -> int:
        """How many windows there are."""
        return self.stop - self.start - self.horizon + 1

    def __getitem__(self, window: int) -> dict[str, np.ndarray]:
        """``xs [T + H, columns]``, zero behind the context, and ``targets [H, 1]``, of the first column; float32."""
        if not 0 <= window < len(self):
            raise IndexError(f"There is no window {window} among {len(self)}.")
        first = self.start + window - self.context
        values = self.scale.apply(self.rows.read(first, first + self.context + self.horizon)).astype(np.float32)
        xs = np.zeros_like(values)
        xs[: self.context] = _filled(values[: self.context])
        return {"xs": xs, "targets": values[self.context :, :1]}

    def examples(self, most: int | None = None) -> Examples:
        """All windows in memory; of more than ``most`` that many, evenly spread."""
        count = min(len(self), most or len(self))
        read = [self[int(window)] for window in np.linspace(0, len(self) - 1, count)]
        xs = np.stack([one["xs"] for one in read], axis=1)
        lengths = np.full(len(read), len(xs), np.int32)
        return Examples(xs, lengths, np.stack([one["targets"] for one in read]))


def _filled(values: np.ndarray) -> np.ndarray:
    """``[T, columns]`` with each gap filled by the value before, or 0."""
    known = ~np.isnan(values)
    if known.all():
        return values
    last = np.maximum.accumulate(np.where(known, np.arange(len(values))[:, None], 0))
    return np.nan_to_num(np.take_along_axis(values, last, axis=0))
