"""Rows cut into training, validation and test, in order of time."""

from collections.abc import Sequence

import numpy as np

from lstm_jax.data.calendar import seconds
from lstm_jax.data.series import Series
from lstm_jax.data.table import DataError
from lstm_jax.options import positive

Parts = tuple[slice, slice, slice]
"""The rows of training, validation and test."""


def chronological_split(n: int, shares: Sequence[float] = (0.7, 0.15, 0.15)) -> Parts:
    """Cut n rows into training, validation and test, in order of time.

    Args:
        n: how many rows.
        shares: of the three parts, positive, 1 together (the cuts are rounded to the nearest row); or how many rows
            each has, from the first on, n at most together.

    Raises:
        ValueError: other shares, or so few rows that a part has none.
    """
    positive("n", n)
    rows = len(shares) == 3 and all(share >= 1 and share == int(share) for share in shares)
    if not rows and (len(shares) != 3 or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6):
        raise ValueError(
            f"The shares of the parts must be three positive numbers with the sum 1, or three numbers of rows, got "
            f"{tuple(shares)}."
        )
    if rows:
        first, second, last = (int(sum(shares[: number + 1])) for number in range(3))
        if last > n:
            raise ValueError(f"Parts of {', '.join(f'{share:g}' for share in shares)} rows do not fit into {n} rows.")
        return slice(0, first), slice(first, second), slice(second, last)
    first, second = round(n * shares[0]), round(n * (shares[0] + shares[1]))
    if not 0 < first < second < n:
        raise ValueError(f"{n} rows are too few for three parts with the shares {tuple(shares)}; use a longer series.")
    return slice(0, first), slice(first, second), slice(second, n)


def fold_of(parts: Parts, fold: int, folds: int) -> Parts:
    """The parts of one fold of a backtest whose origin rolls on (Tashman, 2000, "Out-of-sample tests").

    The test rows are cut into ``folds`` blocks. A fold is tested on its block, validates on as many rows as before,
    which now lie just before its block, and trains on all rows before those.

    Raises:
        ValueError: there is no such fold, or there are fewer test rows than folds.
    """
    _, validation, test = parts
    if not 0 <= fold < positive("folds", folds):
        raise ValueError(f"fold must be a whole number from 0 to {folds - 1}, one less than folds; got {fold}.")
    edges = [test.start + (test.stop - test.start) * number // folds for number in range(folds + 1)]
    start, stop = edges[fold], edges[fold + 1]
    if start == stop:
        raise ValueError(f"{test.stop - test.start} test rows are too few for {folds} folds.")
    before = start - (validation.stop - validation.start)
    return slice(0, before), slice(before, start), slice(start, stop)


def split_panel(series: Sequence[Series], shares: Sequence[float], fold: int = 0, folds: int = 1) -> list[Parts]:
    """Cut the rows of each series into training, validation and test, all series at the same times.

    One series is cut by its rows, many by their dates, so that no series is trained on what another is tested on.

    Args:
        series: what is cut.
        shares: as of `chronological_split`, of the times that there are in any of the series.
        fold: as of `fold_of`.
        folds: 1: no backtest.

    Raises:
        DataError: series of different lengths have no dates.
        ValueError: as of `chronological_split` and `fold_of`.
    """
    if len({len(one.times) for one in series}) == 1 and all(one.times == series[0].times for one in series):
        places = [np.arange(len(series[0].times))] * len(series)
    elif all(one.dates is not None for one in series):
        places = [seconds(one.dates) for one in series if one.dates is not None]
    else:
        raise DataError("Series of different rows can only be cut by their dates: name their column by --time.")
    timeline = np.unique(np.concatenate(places))
    parts = fold_of(chronological_split(len(timeline), shares), fold, folds)

    def at(place: np.ndarray, row: int) -> int:
        return len(place) if row == len(timeline) else int(np.searchsorted(place, timeline[row]))

    first, second, third = ([slice(at(p, part.start), at(p, part.stop)) for p in places] for part in parts)
    return list(zip(first, second, third, strict=True))
