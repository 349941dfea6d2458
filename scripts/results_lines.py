"""What is measured: the lines of results/lines.toml and results/applications.toml."""

import hashlib
import itertools
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path

RESULTS = Path(__file__).resolve().parent.parent / "results"
LINES, APPLICATIONS = RESULTS / "lines.toml", RESULTS / "applications.toml"
BUDGETS = ("quick", "full", "gpu")


@dataclass(frozen=True)
class Line:
    """One line of the table: a command, how often it is run, and what is published. lines.toml tells the fields."""

    name: str
    task: str
    command: str
    published: str
    source: str
    score: str
    setting: str = "ours"
    aim: str = ""
    seeds: int = 5
    budget: str = "full"
    figure: str = ""
    label: str = ""
    note: str = ""
    beside: str = ""
    application: bool = False
    rows: list[dict[str, str]] = field(default_factory=list, compare=False)
    each: dict[str, list[str]] = field(default_factory=dict, compare=False)

    def lines(self) -> list["Line"]:
        """A line for each of ``rows`` and combination of ``each``, whose names stand in braces in the texts."""
        texts = {name: text for name, text in vars(self).items() if isinstance(text, str)}
        chosen = [dict(zip(self.each, values, strict=True)) for values in itertools.product(*self.each.values())]
        if chosen == [{}] and not self.rows:
            return [self]
        return [
            replace(self, rows=[], each={}, **{n: t.format(**row, **one, seed="{seed}") for n, t in texts.items()})
            for row in self.rows or [{}]
            for one in chosen
        ]

    def folder(self, runs: Path, seed: int) -> Path:
        """Where the run of a seed lies: other settings have another folder."""
        digest = hashlib.sha256(self.command.encode()).hexdigest()[:8]
        return runs / f"{self.name}-{digest}" / f"seed-{seed}"


def read_lines() -> list[Line]:
    """The lines of both files, in their order.

    Raises:
        ValueError: one of them is none; a sentence says why.
    """
    lines: list[Line] = []
    for path in (LINES, APPLICATIONS):
        for entry in tomllib.loads(path.read_text(encoding="utf-8"))["line"]:
            told = f"{path.name}: the line {entry.get('name')!r}"
            try:
                lines += Line(**entry, application=path == APPLICATIONS).lines()
            except TypeError as error:
                raise ValueError(f"{told} lacks a field or has one that there is not: {error}.") from None
            except KeyError as error:
                raise ValueError(f"{told} has {error} in braces, which is no name of its rows.") from None
    names = [line.name for line in lines]
    for line in lines:
        if names.count(line.name) > 1:
            raise ValueError(f"There are two lines {line.name!r}.")
        if line.budget not in BUDGETS or line.setting not in ("paper", "ours"):
            raise ValueError(f"The line {line.name!r} has an unknown budget or setting.")
    return lines
