"""Tables in files."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV file (RFC 4180, UTF-8) whose first line is ``header``."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
