"""How a fit went, epoch by epoch, and its picture."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lstm_jax.report.drawing import TRAINING, VALIDATION, finish, legend, log_if_wide, new_figure, save_png


class History(dict[str, list[float]]):
    """Scores by name, one for each epoch: ``loss`` in training, ``validation_...`` on what was kept for validation."""

    def plot(self, path: str | os.PathLike[str]) -> Path:
        """Draw the loss and its validation over the epochs, into a PNG file.

        Raises:
            ValueError: the path is not that of a PNG file.
            ImportError: matplotlib is not installed.
        """
        if Path(path).suffix.lower() != ".png":
            raise ValueError(f"{path} is no name of a PNG file; give one such as history.png.")
        figure = new_figure()
        axes = figure.add_subplot()
        shown = {"loss": TRAINING} | ({"validation_loss": VALIDATION} if "validation_loss" in self else {})
        for name, color in shown.items():
            axes.plot(
                range(1, len(self[name]) + 1),
                self[name],
                color=color,
                marker="." if len(self[name]) < 3 else None,
                label=name.replace("_", " "),
            )
        log_if_wide(axes)
        axes.locator_params(axis="x", integer=True)
        finish(axes, "epochs", "loss")
        legend(figure, 9)
        return save_png(figure, Path(path))


def history_of(records: Sequence[Mapping[str, Any]], loss: str, per_epoch: int, kept: bool) -> History:
    """The means of the training loss over each epoch, and the scores at its end."""
    training = [record["loss"] for record in records if record["split"] == "train"]
    history = History(loss=[float(np.mean(part)) for part in _parts(training, per_epoch)])
    for record in records:
        if record["split"] == "validation" and kept:
            for name in sorted(record.keys() - {"step", "split", "seconds"}, key=lambda name: (name != loss, name)):
                label = "validation_loss" if name == loss else f"validation_{name}"
                history.setdefault(label, []).append(record[name])
    return history


def _parts(values: Sequence[float], size: int) -> list[Sequence[float]]:
    return [values[start : start + size] for start in range(0, len(values), size)]
