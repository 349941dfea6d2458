"""Numbers of a CSV file that is larger than memory: any rows of it at any time, while the file stays on the disk."""

import csv
import difflib
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from lstm_jax.data.table import MISSING, DataError, csv_rows, decoded, find_separator, is_number, read_bytes

EVERY = 256
"""Rows from one known place in the file to the next."""
BLOCK = 1 << 22
"""Bytes that are looked at together."""
HEAD = 1 << 16
"""Bytes that show how the file is written."""
_BLANK = (b"", b"\r")


class LargeCsv:
    """Columns of numbers of a CSV file that stays on the disk.

    The file is as `read_series` takes it: UTF-8, a header, cells separated by commas, semicolons or tabs, missing
    values, blank lines; but each row is one line. It is read once to find its rows; 8 bytes of memory hold the place of
    `EVERY` rows. Numbers are read, and wrong cells refused, when they are asked for.
    """

    def __init__(self, path: str | Path, columns: Sequence[str] = ()) -> None:
        """Find the rows.

        Args:
            path: the file.
            columns: the names of the columns; none: the only one.

        Raises:
            DataError: the file cannot be read, has no header or no rows, or lacks a column.
        """
        self.path = Path(path)
        header, self._separator, self._begin = _header(self.path)
        self._width = len(header)
        self.columns = tuple(columns) or _only(self.path, header)
        self._places = [_place(self.path, header, name) for name in self.columns]
        self._find_rows()

    def __len__(self) -> int:
        """How many rows there are."""
        return self._length

    def read(self, start: int, stop: int) -> np.ndarray:
        """The rows ``start <= row < stop``, float64 ``[stop - start, columns]``, NaN where missing. From any thread.

        Raises:
            DataError: a row has not as many cells as the header, or one that is no finite number; or the file has
                changed.
            IndexError: there are no such rows.
        """
        if not 0 <= start <= stop <= self._length:
            raise IndexError(f"Rows {start} to {stop} do not lie in a file of {self._length} rows.")
        first, behind = start // EVERY, -(-stop // EVERY)
        begin, end = self._known[first : first + 1], self._known[behind : behind + 1]
        with self._open() as file:
            file.seek(int(begin[0]) if len(begin) else self._size)
            data = file.read(int(end[0]) - file.tell() if len(end) else -1)
        lines = self._rows_of(data.split(b"\n"))[start - first * EVERY : stop - first * EVERY]
        values = self._plain(lines)
        if values is None:
            values = np.array([self._checked(line, start + number) for number, line in enumerate(lines)])
        return values.reshape(len(lines), len(self._places))

    def _rows_of(self, lines: list[bytes]) -> list[bytes]:
        """The lines that are rows: of a single column a blank one is a missing value."""
        return lines if self._width == 1 else [line for line in lines if line not in _BLANK]

    def _open(self) -> BinaryIO:
        try:
            file = self.path.open("rb")
        except OSError as error:
            raise DataError(f"{self.path} cannot be read: {error.strerror}.") from None
        if self._state != _state(file):
            file.close()
            raise DataError(f"{self.path} has changed since its rows were found: start again.")
        return file

    def _find_rows(self) -> None:
        known, rows, self._length = [], 0, 0
        with self.path.open("rb") as file:
            self._state = _state(file)
            digest = hashlib.blake2b(file.read(self._begin), digest_size=8)
            position = self._begin
            while block := file.read(BLOCK) + file.readline():
                digest.update(block)
                text = np.frombuffer(block, np.uint8)
                ends = np.flatnonzero(text == ord("\n"))
                if not block.endswith(b"\n"):
                    ends = np.append(ends, len(block))
                starts = np.concatenate([[0], ends[:-1] + 1])
                filled = (ends - starts > 1) | ((ends - starts == 1) & (text[starts] != ord("\r")))
                if self._width > 1:
                    starts, filled = starts[filled], filled[filled]
                known.append(position + starts[-rows % EVERY :: EVERY])
                if filled.any():  # blank lines behind the last row are none
                    self._length = rows + int(np.flatnonzero(filled)[-1]) + 1
                rows += len(starts)
                position += len(block)
        if not self._length:
            raise DataError(f"{self.path} has a header but no rows below it; it must hold rows of numbers.")
        self._known, self._size = np.concatenate(known), position
        self.fingerprint = digest.hexdigest()
        """Of the file's bytes."""

    def _plain(self, lines: list[bytes]) -> np.ndarray | None:
        """The numbers of rows without quotation marks and missing values, many times faster; None of others."""
        breaks = self._width - 1
        if not lines or any(line.count(self._separator) != breaks or b'"' in line for line in lines):
            return None
        try:
            values = np.loadtxt(
                lines, np.float64, comments=None, delimiter=self._separator.decode(), usecols=self._places, ndmin=2
            )
        except ValueError:
            return None
        # It skips blank lines.
        return values if len(values) == len(lines) and np.isfinite(values).all() else None

    def _checked(self, line: bytes, row: int) -> list[float]:
        """The numbers of a row, with a look at each cell."""
        separator = self._separator.decode()
        try:
            reader = csv.reader([line.decode()], delimiter=separator, skipinitialspace=True, strict=True)
            cells = next(reader, []) or [""]
        except UnicodeDecodeError as error:
            byte = line[error.start]
            raise self._wrong(row, f"byte 0x{byte:02x} is not UTF-8 text; save the file as UTF-8.") from None
        except csv.Error as error:
            raise self._wrong(row, f"{error}; check the quotation marks; a cell must end on its line.") from None
        if len(cells) != self._width:
            raise self._wrong(
                row,
                f"the row has {len(cells)} cells separated by {separator!r}, but the header has {self._width}; correct "
                "the line.",
            )
        numbers = []
        for name, place in zip(self.columns, self._places, strict=True):
            cell = cells[place].strip()
            try:
                numbers.append(np.nan if cell.lower() in MISSING else float(cell))
            except ValueError:
                kind = "no number"
            else:
                if not np.isinf(numbers[-1]):
                    continue
                kind = "not finite"
            raise self._wrong(
                row,
                f"column {name!r} holds {cell!r}, which is {kind}; correct the cell, or leave it empty if the value is "
                "missing.",
            )
        return numbers

    def _wrong(self, row: int, what: str) -> DataError:
        """What is wrong with a row, with the number of its line, which is counted only now."""
        before, position = -1, 0
        with self._open() as file:
            for number, line in enumerate(file, start=1):
                before += position >= self._begin and len(self._rows_of([line.rstrip(b"\n")]))
                position += len(line)
                if before == row:
                    return DataError(f"{self.path}, line {number}: {what}")
        raise AssertionError


def _header(path: Path) -> tuple[list[str], bytes, int]:
    """The columns' names, what separates cells, and where the first line below them begins."""
    if not path.is_file():
        read_bytes(path, "a CSV file")
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    if len(head) == HEAD:
        head = head[: head.rfind(b"\n") + 1]
        if not head:
            raise DataError(f"{path}, line 1: no line ends in the first {HEAD} bytes; give a CSV file with a header.")
    text = decoded(path, head)
    separator = find_separator(text)
    lines, rows = csv_rows(path, text, separator)
    if all(map(is_number, rows[0])):
        shown = separator.join(rows[0])
        raise DataError(f"{path}, line {lines[0]}: {shown!r} is no header; add a first line with the columns' names.")
    if len(rows) < 2:
        raise DataError(f"{path} has a header but no rows below it; it must hold rows of numbers.")
    above = head.split(b"\n", lines[1] - 1)
    if len(above) < lines[1]:
        raise DataError(f"{path}: its lines end with carriage returns alone; save the file with line feeds.")
    header = [name or f"column {number}" for number, name in enumerate(rows[0], start=1)]
    return header, separator.encode(), len(head) - len(above[-1])


def _only(path: Path, header: list[str]) -> tuple[str, ...]:
    if len(header) > 1:
        raise DataError(f"{path} has several columns; name those to read: {', '.join(map(repr, header))}.")
    return (header[0],)


def _place(path: Path, header: list[str], name: str) -> int:
    if header.count(name) > 1:
        raise DataError(f"{path}, line 1: {header.count(name)} columns are called {name!r}; rename them.")
    if name not in header:
        near = difflib.get_close_matches(name, header, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise DataError(f"{path} has no column {name!r}: {hint}choose one of {', '.join(map(repr, header))}.")
    return header.index(name)


def _state(file: BinaryIO) -> tuple[int, int]:
    """What a change of the file changes."""
    stat = os.fstat(file.fileno())
    return stat.st_size, stat.st_mtime_ns
