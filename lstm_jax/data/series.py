"""Time series: read from a CSV file, or generated.

A wrong file is refused with one sentence that names the file, the line and what to do. Rows are taken to be in order of
time, oldest first, and to be equally far apart.
"""

import dataclasses
import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from lstm_jax.data.table import MISSING, DataError, read_table
from lstm_jax.options import positive


@dataclasses.dataclass(frozen=True, eq=False)
class Series:
    """One number at each time."""

    name: str
    values: np.ndarray
    """float64 [N], oldest first; NaN where a value is missing."""
    times: list[str]
    """Labels of the N rows, as the file writes them."""
    season: int | None = None
    """How many rows make up the shortest season; None if it is not known."""

    @property
    def skipped(self) -> int:
        """How many times are left out between the rows, going by labels like 2024-05-31; 0 for other labels."""
        if not _are_dates(self.times):
            return 0
        gaps = np.diff(np.array(self.times, "datetime64[s]").astype(np.int64))
        usual = max(float(np.median(gaps)), 1.0) if len(gaps) else 1.0
        return int(np.sum(np.round(gaps[gaps > 1.5 * usual] / usual) - 1))

    def times_after(self, count: int) -> list[str]:
        """Labels of ``count`` rows to come: dates where the rows are equally far apart, else "+1", "+2" ..."""
        if _are_dates(self.times) and len(self.times) > 1:
            times = np.array(self.times, "datetime64")
            gaps = np.unique(np.diff(times))
            if len(gaps) == 1:
                return [str(time) for time in times[-1] + gaps[0] * np.arange(1, count + 1)]
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
    try:
        import pandas as pd
    except ImportError:
        raise ImportError("Reading CSV files needs pandas: pip install 'lstm-jax[forecasting]'.") from None
    path = Path(path)
    header, lines, rows = read_table(path)
    frame: Any = pd.DataFrame(rows, columns=header, index=lines, dtype=str)
    present = frame.apply(lambda cells: ~cells.str.lower().isin(MISSING))
    numbers = frame.where(present).apply(pd.to_numeric, errors="coerce")
    numeric = [name for name in header if 2 * numbers[name].notna().sum() > present[name].sum()]
    name = _column(path, column, header, numeric)

    if not present[name].any():
        raise DataError(f"{path}: every cell of column {name!r} is missing; choose another column.")
    text = present[name] & numbers[name].isna()
    for line in text.index[text][:1]:
        cell = str(frame.at[line, name])
        advice = (
            "write numbers with a decimal point and without thousands separators, as 1234.5"
            if "," in cell and re.fullmatch(r"[-+\d.,\s]+", cell)
            else "correct the cell, or leave it empty if the value is missing"
        )
        raise DataError(f"{path}, line {line}: column {name!r} holds {cell!r}, which is no number; {advice}.")
    infinite = np.isinf(numbers[name])
    for line in infinite.index[infinite][:1]:
        cell = str(frame.at[line, name])
        raise DataError(
            f"{path}, line {line}: column {name!r} holds {cell!r}, which is not finite; "
            "correct the cell, or leave it empty if the value is missing."
        )
    times = [str(row) for row in range(len(frame))]
    for label in header:
        cells = frame[label][present[label]]
        if label != name and label not in numeric and len(cells) and cells.str.contains(r"\d").all():
            times = [str(cell) for cell in frame[label]]
            _check_order(path, list(frame.index), times)
            break
    return Series(name, numbers[name].to_numpy(np.float64), times)


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
    times = (np.datetime64("2020-01-01") + days).astype(str).tolist()
    return Series("generated daily demand", values, times, season=7)


_DATE = re.compile(r"\d{4}-\d\d(-\d\d([ T]\d\d:\d\d(:\d\d)?)?)?")


def _are_dates(times: list[str]) -> bool:
    """Whether these are dates as ISO 8601 writes them, which sort as they are: 2024-05, 2024-05-31, ... 08:00."""
    if not all(_DATE.fullmatch(time) for time in times):
        return False
    try:
        np.array(times, "datetime64")
    except ValueError:  # the 31st of June
        return False
    return True


def _check_order(path: Path, lines: list[int], times: list[str]) -> None:
    """Refuse rows that go back in time, where their labels tell."""
    if not _are_dates(times):
        return
    for line, before, time in zip(lines[1:], times[:-1], times[1:], strict=True):
        if time < before:
            raise DataError(f"{path}, line {line}: {time} comes after {before}; sort the rows, the oldest first.")


def _column(path: Path, column: str | None, header: list[str], numeric: list[str]) -> str:
    """The name of the column to read."""
    if column is None:
        if len(numeric) == 1 or len(header) == 1:
            return (numeric or header)[0]
        if numeric:
            raise DataError(f"{path} has several columns of numbers; choose one of {_listed(numeric)}.")
        raise DataError(
            f"{path} has no column of numbers; its columns are {_listed(header)}: name the one that should be one."
        )
    if column in header:
        return column
    near = difflib.get_close_matches(str(column), header, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise DataError(f"{path} has no column {column!r}: {hint}choose one of {_listed(header)}.")


def _listed(names: Iterable[Any], most: int = 20) -> str:
    """Names in quotation marks; of very many, the first ones."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more
