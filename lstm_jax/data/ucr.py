"""Rows of files of labelled sequences: UCR ``.tsv``, sktime and UEA ``.ts``, UCI pen digits ``.tra`` and ``.tes``.

UCR (Dau et al. 2018, "The UCR Time Series Archive"): a row holds the class and then the values of one channel,
separated by tabs (in the older ``.txt`` by commas or blanks); shorter series end in NaN. ``.ts`` (Löning et al. 2019,
"sktime", and the UEA archive of Bagnall et al. 2018): tags such as ``@classLabel true a b``, then behind ``@data`` a
row for each sequence: its channels separated by colons, values by commas, the class last. Pen digits (Alimoglu &
Alpaydin 1996): x and y of eight points, then the digit, separated by commas.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from lstm_jax.data.table import MISSING, DataError

Row = tuple[int, np.ndarray, str]
"""A line's number, its values ``[T, D]`` with NaN where missing, its label."""


def _ucr(path: Path, lines: Sequence[str]) -> Iterator[Row]:
    """Rows of label and values; which separator, the first row tells."""
    first = next(line for line in lines if line.strip())
    separator = "\t" if "\t" in first.strip() else "," if "," in first else None
    for number, line in enumerate(lines, start=1):
        if line.strip():
            label, *cells = line.strip("\r\n ").split(separator)
            values = _numbers(path, number, cells)
            if not len(values):
                raise DataError(f"{path}, line {number}: {line.strip()[:40]!r} is no class followed by values.")
            if not label.strip():
                raise DataError(f"{path}, line {number}: the row has no class; it stands in the first column.")
            yield number, values[:, None], _label(label)


def _pen_digits(path: Path, lines: Sequence[str]) -> Iterator[Row]:
    """Rows of sixteen coordinates and the digit."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            *cells, label = line.split(",")
            if len(cells) != 16:
                raise DataError(
                    f"{path}, line {number}: the row has {len(cells) + 1} cells; 16 coordinates and a digit."
                )
            yield number, _numbers(path, number, cells).reshape(8, 2), _label(label)


def _ts(path: Path, lines: Sequence[str]) -> Iterator[Row]:
    """Rows behind ``@data``."""
    tags, start = _head(path, lines)
    classes = tags["classlabel"].split()[1:]
    for number, line in enumerate(lines[start:], start=start + 1):
        if not line.strip() or line.startswith(("#", "%")):
            continue
        *channels, label = line.strip().split(":")
        label = label.strip()
        if not channels:
            raise DataError(
                f"{path}, line {number}: the row has no colon; it must be channels and a class between them."
            )
        if classes and label not in classes:
            raise DataError(f"{path}, line {number}: the class {label!r} is none of @classLabel, {' '.join(classes)}.")
        stated = tags.get("dimensions", tags.get("dimension", ""))
        if stated.isdigit() and int(stated) != len(channels):
            raise DataError(
                f"{path}, line {number}: the row has {len(channels)} channels, but @dimensions is {stated}."
            )
        columns = [_numbers(path, number, channel.split(",")) for channel in channels]
        if len({len(column) for column in columns}) > 1:
            raise DataError(
                f"{path}, line {number}: the channels have {min(map(len, columns))} to {max(map(len, columns))} "
                "values; they must have equally many."
            )
        yield number, np.stack(columns, axis=1), label


def _head(path: Path, lines: Sequence[str]) -> tuple[dict[str, str], int]:
    """The tags above ``@data``, their names in small letters, and the number of its line."""
    tags = {}
    for number, line in enumerate(lines, start=1):
        name, _, value = line.strip().partition(" ")
        if name.lower() == "@data":
            break
        if name.startswith("@"):
            tags[name[1:].lower()] = value.strip()
        elif name and not name.startswith(("#", "%")):
            raise DataError(
                f"{path}, line {number}: {line[:40]!r} stands before @data, where tags such as @classLabel are."
            )
    else:
        raise DataError(f"{path} has no line @data; a .ts file has its rows behind it.")
    if tags.get("timestamps", "false").lower() != "false":
        raise DataError(f"{path} has time stamps (@timeStamps true), which are not read; write the values alone.")
    if not tags.get("classlabel", "").lower().startswith("true"):
        raise DataError(f"{path} has no classes: its head needs a line such as '@classLabel true a b'.")
    return tags, number


def _numbers(path: Path, line: int, cells: Sequence[str]) -> np.ndarray:
    """Cells as float64 ``[T]``, NaN where missing."""
    try:
        values = np.array(cells, np.float64)
    except ValueError:
        values = np.array([_number(path, line, cell.strip()) for cell in cells])
    large = np.abs(values) > np.finfo(np.float32).max
    if large.any():
        raise DataError(f"{path}, line {line}: value {int(np.argmax(large)) + 1} is infinite or too large; correct it.")
    return values


def _number(path: Path, line: int, cell: str) -> float:
    try:
        return float("nan") if cell.lower() in MISSING else float(cell)
    except ValueError:
        raise DataError(
            f"{path}, line {line}: {cell[:40]!r} is no number; correct it, or write ? for what is missing."
        ) from None


def _label(text: str) -> str:
    """A class, where 1, 1.0 and 1.0000000e+00 are one: the archive's files differ in it."""
    text = text.strip()
    try:
        return f"{float(text):g}"
    except ValueError:
        return text


READERS: dict[str, Callable[[Path, Sequence[str]], Iterator[Row]]] = {
    ".tsv": _ucr, ".txt": _ucr, ".ts": _ts, ".tra": _pen_digits, ".tes": _pen_digits
}  # fmt: skip
"""What reads a file's lines, by the end of its name."""
