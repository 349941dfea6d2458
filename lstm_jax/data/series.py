"""Time series: read from a CSV file, or generated.

A wrong file is refused with one sentence that names the file, the line and what to do. Rows are taken to be in order of
time, oldest first, and to be equally far apart.
"""

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lstm_jax.data.calendar import dates_of
from lstm_jax.data.columns import Table
from lstm_jax.options import positive


@dataclasses.dataclass(frozen=True, eq=False)
class Series:
    """One number at each time, or several."""

    name: str
    """The column; of several columns, the series: what tells it from others of its file."""
    values: np.ndarray
    """float64 ``[N]``, of several columns ``[N, columns]``; oldest first, NaN where a value is missing."""
    times: list[str]
    """Labels of the N rows, as the file writes them."""
    season: int | None = None
    """How many rows make up the shortest season; None if it is not known."""
    columns: tuple[str, ...] = ()
    """The names of several columns."""

    @functools.cached_property
    def dates(self) -> np.ndarray | None:
        """The labels as datetime64 ``[N]``; None where they are no dates: `lstm_jax.data.calendar.dates_of`."""
        return dates_of(self.times)

    @property
    def skipped(self) -> int:
        """How many times are left out between the rows, going by labels like 2024-05-31; 0 for other labels."""
        if self.dates is None:
            return 0
        gaps = np.diff(self.dates.astype(np.int64))
        usual = max(float(np.median(gaps)), 1.0) if len(gaps) else 1.0
        return int(np.sum(np.round(gaps[gaps > 1.5 * usual] / usual) - 1))

    def times_after(self, count: int) -> list[str]:
        """Labels of ``count`` rows to come: dates where the rows are equally far apart, else "+1", "+2" ..."""
        if self.dates is not None and len(self.dates) > 1:
            gaps = np.unique(np.diff(self.dates))
            if len(gaps) == 1:
                return [str(time) for time in self.dates[-1] + gaps[0] * np.arange(1, count + 1)]
        return [f"+{row}" for row in range(1, count + 1)]

    @property
    def missing(self) -> int:
        """How many values are missing."""
        return int(np.isnan(self.values).sum())


def read_series(path: str | Path, column: str | None = None) -> Series:
    """Read one column of numbers of a CSV file: UTF-8, a header, cells separated by commas, semicolons or tabs.

    Empty cells, NA, NaN, null and ? are missing values. Blank lines are skipped; between the rows of a file with a
    single column they are missing values too. The labels of the rows are the first column of text in which each label
    holds a digit, as dates do; without one, the rows' numbers from 0.

    Args:
        path: the file.
        column: the column's name; None takes the only column of numbers (one whose present cells are mostly numbers).

    Raises:
        DataError: the file cannot be read, is no regular CSV file, or the column is no series of finite numbers.
        ImportError: pandas is not installed.
    """
    table = Table(Path(path))
    name = table.column(column)
    return Series(name, table.numbers(name), table.times((name,)))


def read_panel(
    path: str | Path, columns: Sequence[str] = (), *, group: str = "", time: Sequence[str] = ()
) -> list[Series]:
    """Read several columns of a CSV file, of one series or of many that lie one below the other.

    Args:
        path: the file, as of `read_series`.
        columns: the columns' names; none: all columns of numbers.
        group: the column whose cells name the series that a row belongs to; empty: the file is one series.
        time: the column of the rows' labels, or those of year, month, day, hour, minute, as many as there are; none: as
            of `read_series`.

    Returns:
        The series, in the order in which the file names them, with values ``[N, columns]``.

    Raises:
        DataError: as of `read_series`; or a row names no series.
        ImportError: pandas is not installed.
    """
    table = Table(Path(path))
    labels = [table.known(name) for name in ((group,) if group else ()) + tuple(time)]
    names = tuple(map(table.known, columns)) or tuple(name for name in table.numeric if name not in labels)
    if not names:
        raise table.no_numbers()
    values = np.stack([table.numbers(name) for name in names], axis=-1)
    if not group:
        return [Series(table.path.stem, values, table.times(names, time), columns=names)]
    members = table.groups(group)
    times = {name: table.times((*names, group), time, rows) for name, rows in members.items()}
    return [Series(name, values[rows], times[name], columns=names) for name, rows in members.items()]


def generated_series(length: int = 1500, seed: int = 0) -> Series:
    """Generate the daily demand of a shop, for when there is no file: NumPy's generator of ``seed``, no global state.

    With t = 0, 1, ... days from 1 January 2020 and standard normal n::

        y[t] = 100 + 0.02 t + 15 sin(2 pi t / 365.25) + week[t mod 7] + e[t]
        e[t] = 0.6 e[t-1] + 4 n[t],  e[0] = 5 n[0]  (so e has the standard deviation 5 throughout)
        week = 4, 0, -3, 2, 10, 6, -19

    Raises:
        ValueError: ``length`` is no whole number of at least 1.
    """
    days = np.arange(positive("length", length))
    noise = np.random.default_rng(seed).standard_normal(length) * 4
    noise[0] *= 5 / 4
    for day in days[1:]:
        noise[day] += 0.6 * noise[day - 1]
    week = np.array([4.0, 0.0, -3.0, 2.0, 10.0, 6.0, -19.0])
    values = 100 + 0.02 * days + 15 * np.sin(2 * np.pi * days / 365.25) + week[days % 7] + noise
    times = (np.datetime64("2020-01-01") + days.astype("timedelta64[D]")).astype(str).tolist()
    return Series("generated daily demand", values, times, season=7)
