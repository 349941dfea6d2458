"""CSV files as rows of cells, with the numbers of their lines: what is wrong with a file is said here."""

import csv
import io
import re
from pathlib import Path

MISSING = ("", "na", "nan", "null", "?")
"""Cells that stand for a missing value, in any case of letters."""
_SEPARATORS = ",;\t"
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}\b.*")


class DataError(ValueError):
    """Data that cannot be used; the message is one sentence for the person who brought them."""


def read_table(path: Path) -> tuple[list[str], list[int], list[list[str]]]:
    """Read a CSV file: UTF-8, a header, cells separated by commas, semicolons or tabs, whichever fits.

    Blank lines are skipped; between the rows of a file with a single column they are rows with an empty cell.

    Returns:
        The columns' names; the rows' line numbers, from 1; the rows' cells, each row as long as the header.

    Raises:
        DataError: the file cannot be read, is no text, has no header, or has a row that is longer or shorter.
    """
    text = _text(path)
    separator = _separator(text)
    lines, rows = _rows(path, text, separator)
    header = [name or f"column {number}" for number, name in enumerate(rows[0], start=1)]
    if any(map(_is_number, header)) and all(_is_number(name) or _DATE.fullmatch(name) for name in header):
        shown = separator.join(header)
        raise DataError(f"{path}, line {lines[0]}: {shown!r} is no header; add a first line with the columns' names.")
    for name in header:
        if header.count(name) > 1:
            raise DataError(f"{path}, line {lines[0]}: {header.count(name)} columns are called {name!r}; rename them.")
    kept = []
    for line, cells in zip(lines[1:], rows[1:], strict=True):
        if _blank(cells):
            if len(header) > 1:
                continue
            cells = [""]
        if len(cells) != len(header):
            raise DataError(
                f"{path}, line {line}: the row has {len(cells)} cells separated by {separator!r}, but the header has "
                f"{len(header)}; correct the line."
            )
        kept.append((line, cells))
    if not kept:
        raise DataError(f"{path} has a header but no rows below it; it must hold rows of numbers.")
    return header, [line for line, _ in kept], [cells for _, cells in kept]


def read_bytes(path: Path, what: str) -> bytes:
    """The file's bytes; ``what`` it should be, such as "a CSV file".

    Raises:
        DataError: it is a folder, does not exist or cannot be read.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder; give the path of {what}.")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; check the path of the {what.split(' ', 1)[1]}.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None


def _text(path: Path) -> str:
    """The file's text, without a byte order mark."""
    data = read_bytes(path, "a CSV file")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{path}, line 1: byte 0x{data[0]:02x} begins a text in UTF-16; save the file as UTF-8.")
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        raise DataError(f"{path}, line {line}: byte 0x00 shows a binary file; give a CSV file, which is text.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, byte = error.object[: error.start].count(b"\n") + 1, error.object[error.start]
        raise DataError(f"{path}, line {line}: byte 0x{byte:02x} is not UTF-8 text; save the file as UTF-8.") from None


def _rows(path: Path, text: str, separator: str) -> tuple[list[int], list[list[str]]]:
    """Line numbers and cells of all rows from the first to the last that is not blank."""
    lines, rows, line = [], [], 1
    reader = csv.reader(io.StringIO(text, newline=None), delimiter=separator, skipinitialspace=True, strict=True)
    try:
        for cells in reader:
            lines.append(line)
            rows.append([cell.strip() for cell in cells])
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{path}, line {line}: {error}; check the quotation marks of the row that begins there."
        ) from None
    filled = [number for number, cells in enumerate(rows) if not _blank(cells)]
    if not filled:
        raise DataError(f"{path} is empty; it must hold a header and rows of numbers.")
    span = slice(filled[0], filled[-1] + 1)
    return lines[span], rows[span]


def _blank(cells: list[str]) -> bool:
    return len(cells) < 2 and not any(cells)


def _separator(text: str) -> str:
    """What cuts most of the first lines into as many cells as the first of them, more than one; a comma if nothing."""
    sample = text[:20_000].splitlines()[:20]

    def regularity(separator: str) -> tuple[int, int]:
        widths = [len(cells) for cells in csv.reader(sample, delimiter=separator, skipinitialspace=True) if cells]
        return (widths.count(widths[0]), widths[0]) if widths and widths[0] > 1 else (0, 0)

    return max(_SEPARATORS, key=regularity)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell.lower() not in MISSING
