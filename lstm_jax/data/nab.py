"""Series with labelled anomalies in the format of the Numenta Anomaly Benchmark: CSV files and a JSON file of windows.

A CSV file has the columns ``timestamp`` and ``value``; the JSON file has for each series a list of windows, each a pair
of timestamps: ``{"folder/file.csv": [["2014-04-10 07:15:00", "2014-04-11 16:45:00"]]}``.
"""

import dataclasses
import datetime as dt
import difflib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from lstm_jax.data.table import DataError, read_table, read_text
from lstm_jax.data.windows import Standardizer

WINDOWS = Path("labels", "combined_windows.json")
"""Where the windows are, below a folder that is laid out as the benchmark."""


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledSeries:
    """One number at each time, and where it is anomalous."""

    name: str
    times: np.ndarray
    """datetime64[us] ``[N]``, in the file's order."""
    values: np.ndarray
    """float64 ``[N]``, finite."""
    windows: tuple[tuple[int, int], ...]
    """The first and the last row of each anomaly, in order, without overlap."""

    @property
    def hours(self) -> np.ndarray:
        """The time of day in hours ``[N]``, 0 to 24."""
        return (self.times - self.times.astype("datetime64[D]")) / np.timedelta64(1, "h")


@dataclasses.dataclass(frozen=True, eq=False)
class ScaledSeries:
    """A series in the units of its training rows, and where these and the probation end."""

    series: LabelledSeries
    scale: Standardizer
    xs: np.ndarray
    """``[N, 3]``: its `features`."""
    trained: int
    """The first row that does not train."""
    probation: int
    """The first row that is scored."""

    @classmethod
    def of(cls, series: LabelledSeries, rows: int, needed: int) -> "ScaledSeries":
        """The first four fifths of the probation train.

        Args:
            series: the series.
            rows: how many of its first rows are probation.
            needed: how many rows must train.

        Raises:
            DataError: they are fewer.
        """
        trained = rows * 4 // 5
        if trained < needed or rows == trained:
            raise DataError(
                f"{series.name} has {len(series.values)} rows, of which {trained} train, but context and horizon need "
                f"{needed}: give at least {int(needed / 0.12) + 10} rows, or a smaller --context or --horizon."
            )
        scale = Standardizer.fit(series.values[:trained])
        return cls(series, scale, features(scale, series.values, series.hours), trained, rows)

    def windows(self, first: int, stop: int, length: int, hop: int) -> np.ndarray:
        """The windows of ``length`` rows in the rows ``[first, stop)``, ``[W, length, 3]``."""
        view = np.lib.stride_tricks.sliding_window_view(self.xs[first:stop], length, axis=0)
        return np.swapaxes(view, 1, 2)[::hop]


def features(scale: Standardizer, values: np.ndarray, hours: np.ndarray) -> np.ndarray:
    """The value in standard units, sine and cosine of the hour of the day: ``[*any, 3]`` for ``[*any]``."""
    angle = np.asarray(hours) * (2 * np.pi / 24)
    return np.stack([scale.apply(np.asarray(values)), np.sin(angle), np.cos(angle)], axis=-1).astype(np.float32)


def read_nab(path: str | Path, windows: str | Path = "") -> list[LabelledSeries]:
    """Read labelled series.

    Args:
        path: a CSV file, or a folder: all CSV files in it and below, in alphabetical order.
        windows: the JSON file; empty: ``labels/combined_windows.json`` in the folder. The entry of a series is the one
            whose name its path ends with.

    Raises:
        DataError: a file cannot be read or is no such file; a series has no entry, or a window without rows.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(path.rglob("*.csv"))
        if not files:
            raise DataError(f"{path} holds no file that ends in .csv; give a folder of series, or one CSV file.")
    elif not path.exists():
        raise DataError(f"{path} does not exist; give a folder of series, or one CSV file and its windows.")
    elif windows:
        files = [path]
    else:
        raise DataError(f"The windows of {path} are not known; give the JSON file of windows, too (--windows).")
    labels = Path(windows) if windows else path / WINDOWS
    entries, text = _read_windows(labels)
    return [_series(file, labels, entries, text) for file in files]


def generated_nab(seed: int = 0, rows: int = 1500) -> list[LabelledSeries]:
    """Generate four small series, 15 minutes apart, for when there are no files.

    A daily wave with noise, with: nothing else; a day without its wave; a shifted level for half a day; and, for half a
    day, spikes of the size of the wave.
    """
    rng = np.random.default_rng(seed)
    at, day = np.arange(rows), 96
    times = np.datetime64("2024-01-01", "us") + at * np.timedelta64(15, "m")
    first = rows // day * 2 // 3 * day
    made = []
    for number, kind in enumerate(("nothing", "flat", "shift", "spikes")):
        wave = 10 * np.sin(2 * np.pi * (at / day + number / 7))
        values = 50 + 20 * number + wave + rng.normal(0, 1, rows)
        last = first + (day if kind == "flat" else day // 2) - 1
        inside = (at >= first) & (at <= last)
        if kind == "flat":
            values -= np.where(inside, wave, 0)
        values += np.where(inside, {"shift": 12.0, "spikes": 10.0 * (at % 8 == 0)}.get(kind, 0.0), 0)
        windows = () if kind == "nothing" else ((first, last),)
        made.append(LabelledSeries(f"generated {kind}", times, values, windows))
    return made


def _series(file: Path, labels: Path, entries: dict[str, Any], text: str) -> LabelledSeries:
    header, lines, rows = read_table(file)
    for name in ("timestamp", "value"):
        if name not in header:
            near = difflib.get_close_matches(name, header, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise DataError(f"{file} has no column {name!r}: {hint}Its columns are {', '.join(map(repr, header))}.")
    when, what = header.index("timestamp"), header.index("value")
    times = np.array([_time(f"{file}, line {line}", cells[when]) for line, cells in zip(lines, rows, strict=True)])
    values = np.array([_number(f"{file}, line {line}", cells[what]) for line, cells in zip(lines, rows, strict=True)])
    # A clock that is put back by an hour in autumn is no disorder.
    for row in np.flatnonzero(np.diff(times) < -np.timedelta64(1, "h"))[:1]:
        raise DataError(f"{file}, line {lines[row + 1]}: the time goes back; sort the rows, the oldest first.")
    path = f"/{file.resolve().as_posix()}"
    found = [key for key in entries if path.endswith(f"/{key}")]
    if not found:
        near = difflib.get_close_matches("/".join(file.parts[-2:]), entries, n=1, cutoff=0.0)
        hint = f"; the nearest is {near[0]!r}" if near else ""
        raise DataError(f"{labels} has no entry for {file}{hint}: add one, with [] if the series has no anomaly.")
    key = max(found, key=len)
    return LabelledSeries(
        key, times, values, _rows_of(entries[key], times, f"{labels}, line {_line(text, key)}: {key}")
    )


def _time(place: str, cell: str) -> np.datetime64:
    try:
        time = dt.datetime.fromisoformat(cell)
    except ValueError:
        raise DataError(f"{place}: {cell!r} is no timestamp; write it like 2014-04-01 23:55:00.") from None
    if time.tzinfo is not None:
        time = time.astimezone(dt.UTC).replace(tzinfo=None)
    return np.datetime64(time, "us")


def _number(place: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(
            f"{place}: column 'value' holds {cell!r}, which is no finite number; correct or delete the row."
        )
    return value


def _read_windows(path: Path) -> tuple[dict[str, Any], str]:
    """The JSON file's entries, and its text."""
    text = read_text(path, "a JSON file of windows")
    try:
        entries = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {error.lineno}: this is no JSON ({error.msg}); correct the file.") from None
    if not isinstance(entries, dict):
        raise DataError(f'{path}, line 1: the file must hold {{"file.csv": [[start, end], ...], ...}}.')
    return entries, text


def _line(text: str, key: str) -> int:
    """The line of an entry."""
    return text[: max(text.find(json.dumps(key)), 0)].count("\n") + 1


def _rows_of(entry: Any, times: np.ndarray, place: str) -> tuple[tuple[int, int], ...]:
    """The rows of the windows of one entry."""
    if not isinstance(entry, list) or not all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(time, str) for time in pair) for pair in entry
    ):
        raise DataError(f"{place} must be a list of windows, each a pair of timestamps [start, end].")
    windows: list[tuple[int, int]] = []
    for start, end in sorted(entry):
        begin, stop = _time(place, start), _time(place, end)
        if begin > stop:
            raise DataError(f"{place}: the window from {start} to {end} ends before it begins; correct it.")
        first = int(np.argmax(times >= begin)) if (times >= begin).any() else len(times)
        # The first row with the time of the end, or the last one before it.
        last = int(np.argmax(times >= stop)) if (times >= stop).any() else len(times)
        last -= int(last == len(times) or times[last] > stop)
        if last < first:
            raise DataError(f"{place}: no row of the series lies in the window from {start} to {end}; correct it.")
        if windows and first <= windows[-1][1]:
            raise DataError(f"{place}: the window from {start} overlaps with the one before; join the two.")
        windows.append((first, last))
    return tuple(windows)
