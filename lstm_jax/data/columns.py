"""The columns of a CSV file: which hold numbers, what is wrong with one that should, how its rows are called."""

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lstm_jax.data.calendar import dates_of
from lstm_jax.data.table import MISSING, DataError, read_table


class Table:
    """A CSV file's cells, and which of them are numbers."""

    def __init__(self, path: Path) -> None:
        try:
            import pandas as pd
        except ImportError:
            raise ImportError("Reading CSV files needs pandas: pip install 'lstm-jax[forecasting]'.") from None
        self.path = path
        self.header, lines, rows = read_table(path)
        self._frame: Any = pd.DataFrame(rows, columns=self.header, index=lines, dtype=str)
        self._present = self._frame.apply(lambda cells: ~cells.str.lower().isin(MISSING))
        self._numbers = self._frame.where(self._present).apply(pd.to_numeric, errors="coerce")
        self.numeric = [n for n in self.header if 2 * self._numbers[n].notna().sum() > self._present[n].sum()]

    def column(self, name: str | None) -> str:
        """The name of the column to read; None: of the only one of numbers."""
        if name is not None:
            return self.known(name)
        if len(self.numeric) == 1 or len(self.header) == 1:
            return (self.numeric or self.header)[0]
        if self.numeric:
            raise DataError(f"{self.path} has several columns of numbers; choose one of {_listed(self.numeric)}.")
        raise self.no_numbers()

    def no_numbers(self) -> DataError:
        """What is wrong with a file without numbers."""
        columns = _listed(self.header)
        return DataError(
            f"{self.path} has no column of numbers; its columns are {columns}: name the one that should be one."
        )

    def known(self, name: str) -> str:
        """The name, if a column has it."""
        if name in self.header:
            return name
        near = difflib.get_close_matches(str(name), self.header, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise DataError(f"{self.path} has no column {name!r}: {hint}choose one of {_listed(self.header)}.")

    def numbers(self, name: str) -> np.ndarray:
        """A column as float64 ``[N]``, NaN where missing."""
        path, frame, numbers = self.path, self._frame, self._numbers[name]
        if not self._present[name].any():
            raise DataError(f"{path}: every cell of column {name!r} is missing; choose another column.")
        text = self._present[name] & numbers.isna()
        for line in text.index[text][:1]:
            cell = str(frame.at[line, name])
            advice = (
                "write numbers with a decimal point and without thousands separators, as 1234.5"
                if "," in cell and re.fullmatch(r"[-+\d.,\s]+", cell)
                else "correct the cell, or leave it empty if the value is missing"
            )
            raise DataError(f"{path}, line {line}: column {name!r} holds {cell!r}, which is no number; {advice}.")
        infinite = np.isinf(numbers)
        for line in infinite.index[infinite][:1]:
            cell = str(frame.at[line, name])
            raise DataError(
                f"{path}, line {line}: column {name!r} holds {cell!r}, which is not finite; "
                "correct the cell, or leave it empty if the value is missing."
            )
        return numbers.to_numpy(np.float64)

    def groups(self, name: str) -> dict[str, np.ndarray]:
        """The rows of each series, by its name."""
        absent = ~self._present[name]
        for line in absent.index[absent][:1]:
            raise DataError(f"{self.path}, line {line}: the cell of {name!r} is empty; it must name the row's series.")
        cells = self._frame[name].to_numpy(str)
        return {str(one): np.flatnonzero(cells == one) for one in dict.fromkeys(cells)}

    def times(
        self, taken: Sequence[str], columns: Sequence[str] = (), rows: np.ndarray | slice = slice(None)
    ) -> list[str]:
        """Labels of the rows: of these columns, or of the first column of text with digits that is not ``taken``."""
        frame = self._frame.iloc[rows]
        found = list(columns) or [name for name in self.header if name not in taken and self._labels(name)][:1]
        if not found:
            return [str(row) for row in range(len(frame))]
        cells = [[str(cell) for cell in frame[name]] for name in found]
        times = cells[0] if len(cells) == 1 else [_date(parts) for parts in zip(*cells, strict=True)]
        dates = dates_of(times)
        if dates is not None:
            for row in np.flatnonzero(np.diff(dates.astype(np.int64)) < 0)[:1]:
                line, before, time = frame.index[row + 1], times[row], times[row + 1]
                raise DataError(
                    f"{self.path}, line {line}: {time} comes after {before}; sort the rows, the oldest first."
                )
        return times

    def _labels(self, name: str) -> bool:
        cells = self._frame[name][self._present[name]]
        return name not in self.numeric and len(cells) > 0 and bool(cells.str.contains(r"\d").all())


def _date(parts: tuple[str, ...]) -> str:
    """A date in ISO 8601 from year, month, day, hour, minute, as many as there are."""
    padded = [part.zfill(width) for part, width in zip(parts, (4, 2, 2, 2, 2), strict=False)]
    clock = ":".join([*padded[3:], "00"][:2])
    return "-".join(padded[:3]) + (f" {clock}" if padded[3:] else "")


def _listed(names: Iterable[Any], most: int = 20) -> str:
    """Names in quotation marks; of very many, the first ones."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more
