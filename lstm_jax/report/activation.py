"""A text coloured by what single units remember, as an HTML page and as a picture.

Karpathy, Johnson & Fei-Fei 2016, "Visualizing and Understanding Recurrent Networks", section 4.2.
"""

import dataclasses
import importlib.resources
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lstm_jax.report.drawing import new_figure, plain, save_png
from lstm_jax.train.folder import write_text

TEMPLATE = "activation.html.j2"
LAG = 12
_LINE, _LINES = 92, 14  # of the picture
_HIGH, _LOW = (196 / 255, 78 / 255, 31 / 255), (31 / 255, 95 / 255, 168 / 255)


@dataclasses.dataclass(frozen=True, eq=False)
class Unit:
    """What one unit remembers along a text."""

    name: str
    pieces: Sequence[str]
    """The text's tokens ``[T]``."""
    values: np.ndarray
    """``[T]``, -1 to 1."""

    @property
    def shown(self) -> list[tuple[str, str, str]]:
        """Each piece with its class and how strong its colour is, for the page."""
        return [
            (piece, "high" if value > 0 else "low", f"{0.8 * min(1.0, abs(value)):.2f}")
            for piece, value in zip(self.pieces, self.values, strict=True)
        ]


def slow_units(memory: np.ndarray, count: int) -> list[int]:
    """The units of ``memory [T, H]`` that change most, and most slowly.

    At most ``count``, ranked by the covariance of a unit's value with itself ``LAG`` tokens before.
    """
    centred = memory - memory.mean(axis=0)
    lag = min(LAG, max(1, len(memory) // 4))
    slowness = np.mean(centred[lag:] * centred[:-lag], axis=0)
    return np.argsort(-slowness)[:count].tolist()


def write_activation(path: Path, title: str, units: Sequence[Unit]) -> Path:
    """Write the page, which needs nothing but itself.

    Raises:
        ImportError: Jinja2 is not installed.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    source = importlib.resources.files("lstm_jax.report").joinpath(TEMPLATE).read_text(encoding="utf-8")
    write_text(path, environment.from_string(source).render(title=title, units=units))
    return path


def draw_activation(path: Path, title: str, unit: Unit) -> Path:
    """Draw the beginning of one unit's text.

    Raises:
        ImportError: matplotlib is not installed.
    """
    from matplotlib.patches import Rectangle

    figure = new_figure((9, 0.28 * (_LINES + 2)))
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-2, _LINE + 2), ylim=(_LINES + 1.2, -1))
    axes.axis("off")
    axes.text(0, -0.3, plain(f"{title}: {unit.name}"), fontsize=9, va="center")
    line, column = 1, 0
    for piece, value in zip(unit.pieces, unit.values, strict=True):
        for character in piece:
            if character == "\n" or column >= _LINE:
                line, column = line + 1, 0
            if line > _LINES:
                return save_png(figure, path)
            if character == "\n":
                continue
            color = (*(_HIGH if value > 0 else _LOW), 0.8 * min(1.0, abs(float(value))))
            axes.add_patch(Rectangle((column, line - 0.5), 1, 1, facecolor=color, linewidth=0))
            axes.text(column + 0.5, line, plain(character), family="monospace", fontsize=9, ha="center", va="center")
            column += 1
    return save_png(figure, path)
