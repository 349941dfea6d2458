"""What all figures have in common: their look, and how they become a file or a part of a page."""

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = ("#1f5fa8", "#c44e1f", "#2e7d4f", "#7a4fa3", "#b08a00", "#5f6a72", "#a8326e", "#2a9d9d")
TRAINING, VALIDATION, BASELINE, TARGET = "#9db8d6", "#c44e1f", "#555555", "#2e7d4f"
PALE = "#c3c8cd"
"""What stands in the background: trials that are not among the best."""
PAGE_SIZE = 5.6, 3.6
"""Inches of a figure in a page: its letters can still be read on a telephone."""
MANY = 2000
"""A line with more points becomes an image inside of the vector graphic, or the page would weigh megabytes."""


def new_figure(size: tuple[float, float] = (7.5, 4.5), *, dpi: int = 150) -> "Figure":
    """An empty figure.

    Raises:
        ImportError: matplotlib is not installed.
    """
    # Not pyplot: it would choose a backend for the whole process, and keep the figure alive.
    from matplotlib.figure import Figure

    return Figure(figsize=size, dpi=dpi, layout="constrained")


def plain(text: str) -> str:
    """A text to be shown as it is: matplotlib takes $ for mathematics, and hides what begins with a dash below."""
    text = text.replace("$", r"\$")
    return f"\N{THIN SPACE}{text}" if text.startswith("_") else text


def level(axes: "Axes", height: float, label: str, color: str, dash: str) -> None:
    """A horizontal line, such as what a trivial model scores."""
    axes.axhline(height, color=color, linestyle=dash, linewidth=1.1, label=label)


def log_if_wide(axes: "Axes") -> None:
    """A logarithmic scale of heights where all have a logarithm and the largest is ten times the smallest."""
    heights = np.concatenate([np.asarray(line.get_ydata(), float) for line in axes.lines] or [np.ones(1)])
    heights = heights[np.isfinite(heights)]
    if len(heights) and 0 < 10 * heights.min() <= heights.max():
        axes.set_yscale("log")


def finish(axes: "Axes", xlabel: str, ylabel: str, title: str = "") -> None:
    """Name the axes, and draw them lightly."""
    axes.set_xlabel(plain(xlabel))
    axes.set_ylabel(plain(ylabel))
    if title:
        axes.set_title(plain(title), fontsize=10, loc="left")
    axes.set_axisbelow(True)
    axes.grid(alpha=0.25, which="major")
    axes.spines[["top", "right"]].set_visible(False)


def legend(figure: "Figure", fontsize: float = 8) -> None:
    """A legend below, in as many columns as its labels leave room for."""
    labels = [label for axes in figure.axes for label in axes.get_legend_handles_labels()[1]]
    if not labels:
        return
    inches = 0.5 + max(map(len, labels)) * fontsize / 120
    columns = int(np.clip(figure.get_figwidth() / inches, 1, 5))
    figure.legend(fontsize=fontsize, ncols=columns, loc="outside lower center", frameon=False)


def save_png(figure: "Figure", path: Path) -> Path:
    """Write a figure as a PNG file; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png")
    return path


def file_uri(path: Path) -> str:
    """A PNG file as a ``data:`` URI."""
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"


def as_uri(figure: "Figure") -> str:
    """A figure as a ``data:`` URI of an SVG: it needs no file beside the page, and no fonts."""
    import matplotlib as mpl

    written = io.BytesIO()
    # The same figure is the same text; letters are outlines, so they look alike everywhere.
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "lstm-jax"}):
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(written.getvalue()).decode()}"
