"""A picture of which classes are taken for which."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lstm_jax.report.drawing import new_figure, plain, save_png

NUMBERED = 25
"""With more classes than these, the numbers in the squares could not be read, and are left out."""


def confusion_picture(path: Path, confusion: np.ndarray, names: Sequence[str], title: str) -> Path:
    """Draw a confusion matrix ``[C, C]``, a row for each true class; a square is as dark as its share of its row.

    Args:
        path: the PNG file.
        confusion: counts, from `lstm_jax.metrics.confusion_matrix`.
        names: the classes.
        title: above it.

    Raises:
        ImportError: matplotlib is not installed.
    """
    classes = len(names)
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    side = float(np.clip(1.8 + 0.45 * classes, 3.6, 12.0))
    figure = new_figure((side + 0.8, side))
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    shown = [plain(name if len(name) <= 16 else f"{name[:15]}…") for name in names]
    turned = max(map(len, shown)) > 3
    axes.set_xticks(range(classes), shown, rotation=45 if turned else 0, ha="right" if turned else "center", fontsize=8)
    axes.set_yticks(range(classes), shown, fontsize=8)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_title(plain(title), fontsize=9, loc="left")
    if classes <= NUMBERED:
        for row, column in np.argwhere(confusion > 0):
            color = "white" if shares[row, column] > 0.5 else "#333333"
            axes.text(column, row, str(confusion[row, column]), ha="center", va="center", color=color, fontsize=8)
    figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    return save_png(figure, path)
