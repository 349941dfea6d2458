"""What a classifier attended to: texts with each word shaded by its weight, as an HTML page and as a picture."""

import dataclasses
import importlib.resources
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import numpy as np

from lstm_jax.report.drawing import TARGET, VALIDATION, new_figure, plain, save_png
from lstm_jax.train.folder import write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TEMPLATE = "attention.html.j2"
_RED, _GREEN, _BLUE = 31, 95, 168
_WIDTH = 96  # characters of a line of the picture
_INCHES = 0.085, 0.24  # of a character, of a line
_MONOSPACE = 0.602  # DejaVu Sans Mono: a character's width over the font's size


@dataclasses.dataclass(frozen=True, eq=False)
class Attended:
    """A text and how it was read."""

    pieces: Sequence[str]
    """Its words or pieces of words ``[T]``, with the blanks between them."""
    weights: np.ndarray
    """How much each counted ``[T]``, at least 0."""
    truth: str
    """Its class."""
    answer: str
    """The class that was predicted."""
    probability: float
    """Of the predicted class."""

    @classmethod
    def of(
        cls,
        pieces: Sequence[Sequence[str]],
        weights: np.ndarray,
        classes: Sequence[str],
        targets: np.ndarray,
        logits: np.ndarray,
    ) -> "list[Attended]":
        """Texts, from what a classifier said of them.

        Args:
            pieces: of each text; those behind the last step were not read.
            weights: how much each step counted, ``[T, N]``.
            classes: their names.
            targets: the true classes, int ``[N]``.
            logits: ``[N, C]``.
        """
        probabilities = np.asarray(jax.nn.softmax(logits))
        read = []
        for row, its in enumerate(pieces):
            seen, said = its[: len(weights)], int(logits[row].argmax())
            truth, answer = classes[int(targets[row])], classes[said]
            read.append(cls(seen, weights[: len(seen), row], truth, answer, float(probabilities[row, said])))
        return read

    def __post_init__(self) -> None:
        """Refuse weights that belong to other pieces."""
        if len(self.pieces) != len(self.weights):
            raise ValueError(f"There are {len(self.pieces)} pieces but {len(self.weights)} weights; give one for each.")

    @property
    def right(self) -> bool:
        """Whether the predicted class is the true one."""
        return self.truth == self.answer

    @property
    def shades(self) -> list[float]:
        """How dark each piece is, 0 to 1: from the lowest of the weights to the highest; 0 where all are equal."""
        lowest, highest = self._range
        return [(float(weight) - lowest) / (highest - lowest) if highest > lowest else 0.0 for weight in self.weights]

    @property
    def heading(self) -> str:
        """What was predicted, whether it is wrong, and between which weights the shades are."""
        lowest, highest = self._range
        truth = "" if self.right else f", in truth {self.truth}"
        return f"{self.answer} ({self.probability:.0%}){truth}; weights {lowest:.1%} to {highest:.1%}"

    @property
    def _range(self) -> tuple[float, float]:
        return float(np.min(self.weights, initial=1.0)), float(np.max(self.weights, initial=0.0))

    @property
    def shown(self) -> list[tuple[str, str, str, str]]:
        """Each piece with its background, its ink and its weight, for the page."""
        return [
            (piece, f"rgba({_RED},{_GREEN},{_BLUE},{shade:.2f})", _ink(shade) or "inherit", f"{weight:.1%}")
            for piece, shade, weight in zip(self.pieces, self.shades, self.weights, strict=True)
        ]


def write_attention(path: Path, title: str, texts: Sequence[Attended]) -> Path:
    """Write texts as one HTML page that needs nothing but itself; a word's weight is told where the pointer rests.

    Args:
        path: the HTML file; what is there is replaced.
        title: the page's.
        texts: what it shows.

    Raises:
        ImportError: Jinja2 is not installed.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    source = importlib.resources.files("lstm_jax.report").joinpath(TEMPLATE).read_text(encoding="utf-8")
    write_text(path, environment.from_string(source).render(title=title, texts=texts))
    return path


def draw_attention(path: Path, title: str, texts: Sequence[Attended]) -> Path:
    """Draw texts into a PNG file.

    Raises:
        ImportError: matplotlib is not installed.
    """
    lines = [_lines(text) for text in texts]
    height = 2 + sum(len(of_text) + 1.6 for of_text in lines)
    figure = new_figure(((_WIDTH + 4) * _INCHES[0], height * _INCHES[1]))
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-2, _WIDTH + 2), ylim=(height, 0))
    axes.axis("off")
    size = 72 * _INCHES[0] / _MONOSPACE
    axes.text(0, 0.9, plain(title), fontsize=size, va="center")
    row = 2.0
    for text, of_text in zip(texts, lines, strict=True):
        color = TARGET if text.right else VALIDATION
        axes.text(0, row, plain(text.heading), fontsize=0.9 * size, va="center", color=color)
        for number, line in enumerate(of_text, start=1):
            for column, piece, shade in line:
                _draw(axes, column, row + number, piece, shade, size)
        row += len(of_text) + 1.6
    with warnings.catch_warnings():
        # A character that the font lacks is drawn as a box; the page shows it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        return save_png(figure, path)


def _draw(axes: "Axes", column: int, row: float, piece: str, shade: float, size: float) -> None:
    from matplotlib.patches import Rectangle

    color = (_RED / 255, _GREEN / 255, _BLUE / 255, shade)
    axes.add_patch(Rectangle((column, row - 0.42), len(piece), 0.84, facecolor=color, linewidth=0))
    ink = _ink(shade) or "black"
    axes.text(column, row, piece.replace("$", r"\$"), family="monospace", fontsize=size, va="center", color=ink)


def _ink(shade: float) -> str:
    """The letters' colour on this shade; empty: that of the page."""
    return "white" if shade > 0.8 else ""


def _lines(text: Attended) -> list[list[tuple[int, str, float]]]:
    """Columns, pieces and shades, line by line: broken between the pieces."""
    lines: list[list[tuple[int, str, float]]] = [[]]
    column = 0
    for piece, shade in zip(text.pieces, text.shades, strict=True):
        piece = re.sub(r"\s", " ", piece)[:_WIDTH]
        if column and column + len(piece.rstrip()) > _WIDTH:
            lines.append([])
            column = 0
        lines[-1].append((column, piece, shade))
        column += len(piece)
    return lines
