"""CSV files as rows of cells, with the numbers of their lines: what is wrong with a file is said here."""

import csv
import gzip
import io
import re
import zlib
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
    text = read_text(path, "a CSV file")
    separator = find_separator(text)
    lines, rows = csv_rows(path, text, separator)
    header = [name or f"column {number}" for number, name in enumerate(rows[0], start=1)]
    if any(map(is_number, header)) and all(is_number(name) or _DATE.fullmatch(name) for name in header):
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


def read_text(path: Path, what: str) -> str:
    """The file's text, without a byte order mark: UTF-8, perhaps compressed by gzip; ``what`` as in `read_bytes`.

    Raises:
        DataError: it cannot be read, or is no such text; names the line.
    """
    data = read_bytes(path, what)
    if data.startswith(b"\x1f\x8b"):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            raise DataError(f"{path} cannot be uncompressed: it is cut off or damaged.") from None
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{path}, line 1: byte 0x{data[0]:02x} begins a text in UTF-16; save the file as UTF-8.")
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        raise DataError(f"{path}, line {line}: byte 0x00 shows a binary file; give {what}, which is text.")
    return decoded(path, data)


def decoded(path: Path, data: bytes) -> str:
    """The first lines of a file, or all, as UTF-8 text without a byte order mark.

    Raises:
        DataError: they are none; names the line.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, byte = error.object[: error.start].count(b"\n") + 1, error.object[error.start]
        raise DataError(f"{path}, line {line}: byte 0x{byte:02x} is not UTF-8 text; save the file as UTF-8.") from None


def csv_rows(path: Path, text: str, separator: str) -> tuple[list[int], list[list[str]]]:
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


def find_separator(text: str) -> str:
    """What cuts most of the first lines into as many cells as the first of them, more than one; a comma if nothing."""
    sample = text[:20_000].splitlines()[:20]

    def regularity(separator: str) -> tuple[int, int]:
        widths = [len(cells) for cells in csv.reader(sample, delimiter=separator, skipinitialspace=True) if cells]
        return (widths.count(widths[0]), widths[0]) if widths and widths[0] > 1 else (0, 0)

    return max(_SEPARATORS, key=regularity)


def is_number(cell: str) -> bool:
    """Whether a cell holds a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return cell.lower() not in MISSING
