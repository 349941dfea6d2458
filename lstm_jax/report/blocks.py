"""What a page consists of: sections of blocks. Their look, and that all text is escaped, is page.html.j2's matter."""

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lstm_jax.sweep.display import shown
from lstm_jax.train.find import find_experiment
from lstm_jax.train.folder import RESULT


@dataclass(frozen=True)
class Picture:
    """A figure."""

    uri: str
    text: str
    """What is in it, for who cannot see it."""


@dataclass(frozen=True)
class Cell:
    """An entry of a table."""

    text: str
    key: str
    """What the column is sorted by: a number in full, or the text."""

    @classmethod
    def of(cls, value: Any) -> "Cell":
        """A value, shown with four digits; None, and what is not a number, is an empty entry."""
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return cls("", "")
        key = repr(value).replace("inf", "Infinity") if isinstance(value, float) else str(value)
        return cls(shown(value), key)

    @property
    def numeric(self) -> bool:
        """Whether it stands on the right."""
        try:
            float(self.key)
        except ValueError:
            return False
        return True


@dataclass(frozen=True)
class Table:
    """Rows of entries; a click on the head of a column sorts them."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    marked: int | None = None
    """The row that stands out: the best."""
    sortable: bool = False

    @property
    def number_columns(self) -> list[bool]:
        """Whether a column's head stands on the right: all its entries are numbers, or empty."""
        told = [[row[place] for row in self.rows if row[place].key] for place in range(len(self.columns))]
        return [bool(cells) and all(cell.numeric for cell in cells) for cells in told]


@dataclass(frozen=True)
class Block:
    """A part of a section; what is empty is not shown."""

    heading: str
    note: str = ""
    facts: Sequence[tuple[str, str]] = ()
    """Names with their values."""
    command: str = ""
    """To be copied."""
    pictures: Sequence[Picture] = ()
    table: Table | None = None


@dataclass(frozen=True)
class Section:
    """A run or a study."""

    title: str
    what: str
    """Where it comes from, in one line."""
    blocks: Sequence[Block]


def asked(experiment: str | None) -> str:
    """The question of an experiment: the first line of its file; empty where it cannot be found here."""
    try:
        module = None if experiment is None else find_experiment(experiment)
    except Exception:  # it is code: of a page it must not be the end
        return ""
    return ((module and module.__doc__) or "").strip().partition("\n")[0]


def environment(results: Sequence[tuple[Path, dict[str, Any]]]) -> Block:
    """Where results come from: run folders with their ``result.json``. Several devices or revisions are all named."""
    if not results:
        return Block("Environment", note="Nothing is finished yet: no result says where it was made.")

    def each(field: str) -> str:
        return ", ".join(sorted({str(result[field]) for _, result in results if result[field] is not None}))

    dates = sorted(dt.datetime.fromtimestamp((folder / RESULT).stat().st_mtime) for folder, _ in results)
    first, last = (date.isoformat(" ", "minutes") for date in (dates[0], dates[-1]))
    versions = sorted({", ".join(f"{n} {v}" for n, v in result["versions"].items()) for _, result in results})
    facts = [
        ("device", each("device")),
        ("git revision", each("git_revision") or "not in a repository"),
        ("finished", first if first == last else f"{first} to {last}"),
        ("versions", "; ".join(versions)),
    ]
    return Block("Environment", facts=facts)
