"""The cells in words: what ``lstm-jax cells`` prints, and the table of docs/cells.md."""

import textwrap
from collections.abc import Sequence
from dataclasses import MISSING
from typing import Any

from lstm_jax.cells.registry import CELLS, Description, describe
from lstm_jax.options import one_of, positive
from lstm_jax.report.arguments import Parser

COMMON = ("hidden_size", "param_dtype", "dtype")
"""Settings that all cells have."""


def list_cells(arguments: Sequence[str]) -> str:
    """What ``lstm-jax cells`` prints for these arguments.

    Raises:
        ValueError: an unknown cell or flag.
    """
    parser = Parser(prog="lstm-jax cells", description="List the cells.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="cells to tell all about; all, in brief, if none")
    parser.add_argument("--input-size", type=int, default=128, help="D, to count parameters by (default 128)")
    parser.add_argument("--hidden-size", type=int, default=128, help="H, to count parameters by (default 128)")
    parser.add_argument("--markdown", action="store_true", help="as a page of the documentation")
    asked = parser.parse_args(list(arguments))
    sizes = positive("--input-size", asked.input_size), positive("--hidden-size", asked.hidden_size)
    lower: dict[str, str] = {name.lower(): name for name in CELLS}
    names: list[str] = [lower.get(name.lower().replace("-", ""), name) for name in list[str](asked.names)]
    for name in names:
        one_of("cell", name, CELLS)
    told = [describe(CELLS[name], *sizes) for name in names or CELLS]
    if asked.markdown:
        return markdown(told, *sizes)
    if names:
        return "\n".join(_all_about(cell, *sizes) for cell in told)
    width = max(len(cell.name) for cell in told)
    lines = [f"{cell.name:<{width}}  {cell.parameters:>9,}  {_plain(cell.summary)}" for cell in told]
    head = f"{'cell':<{width}}  {f'D={sizes[0]} H={sizes[1]}':>9}  what it is"
    return "\n".join([head, *lines, "", "Equations, papers and settings: lstm-jax cells NAME", ""])


def _all_about(cell: Description, input_size: int, hidden_size: int) -> str:
    def wrapped(text: str, indent: str = "  ") -> str:
        return textwrap.fill(text, 100, initial_indent=indent, subsequent_indent=indent)

    settings = cell.settings.items()
    path = "the fast path" if cell.gated else "a plain scan: it has only a step"
    parts = [
        f"{cell.name}: {_plain(cell.summary)}",
        wrapped(_plain(cell.paper)),
        textwrap.indent(cell.equation, "      "),
        *([wrapped(_plain(cell.deviations))] if cell.deviations else []),
        f"  {cell.parameters:,} parameters with D = {input_size}, H = {hidden_size}; runs on {path}.",
        "\n".join(wrapped(f"{name}{_default(value)}  {_plain(text)}", "    ") for name, (value, text) in settings),
    ]
    return "\n\n".join(parts) + "\n"


def _plain(text: str) -> str:
    """For a terminal: without the marks around code."""
    return text.replace("`", "")


def _default(default: Any) -> str:
    return "" if default is MISSING else f" = {default!r}"


def markdown(cells: Sequence[Description], input_size: int, hidden_size: int) -> str:
    """The page docs/cells.md."""
    rows = []
    for cell in cells:
        fast = "yes" if cell.gated else ""
        rows.append(f"| [{cell.name}](#{cell.name.lower()}) | {cell.summary} | {cell.parameters:,} | {fast} |")
    page = [
        "# The cells",
        "Made by `lstm-jax cells --markdown > docs/cells.md`; do not edit. Parameters are counted with "
        f"D = {input_size}, H = {hidden_size}. All have the settings `hidden_size`, `param_dtype` and `dtype`.",
        "\n".join(["| cell | what it is | parameters | fast path |", "| --- | --- | ---: | --- |", *rows]),
    ]
    for cell in cells:
        own = {name: setting for name, setting in cell.settings.items() if name not in COMMON}
        settings = "\n".join(f"- `{name}{_default(default)}`: {text}" for name, (default, text) in own.items())
        page += [f"## {cell.name}", cell.paper, f"```text\n{cell.equation}\n```", cell.deviations, settings]
    return "\n\n".join(part for part in page if part) + "\n"
