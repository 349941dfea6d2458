"""Figures of a run, drawn from the files of its folder alone."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_jax.train.folder import CONFIG, METRICS
from lstm_jax.train.writers import read

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TRAIN, _VALIDATION, _BASELINE, _TARGET = "#9db8d6", "#c44e1f", "#555555", "#2e7d4f"


def learning_curve(run_folder: str | os.PathLike[str]) -> Path:
    """Draw the training loss and the validation scores over the steps, from ``metrics.jsonl``.

    The score of a trivial model and the score that counts as solved are lines in it.

    Returns:
        Where the picture is: ``plots/learning_curve.png`` in the run folder.

    Raises:
        FileNotFoundError: the folder holds no run, or one without records.
        ImportError: matplotlib is not installed.
    """
    # Not pyplot: it would choose a backend for the whole process, and keep the figure alive.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    folder = Path(run_folder)
    records = read(folder)
    if not records or not (folder / CONFIG).exists():
        raise FileNotFoundError(f"{folder} holds no records of a run: it needs {CONFIG} and {METRICS}.")
    about = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    figure = Figure(figsize=(7.5, 4.5), dpi=150, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _draw_curves(axes, records, about["metric"])
    _draw_line(axes, about["baseline"], f"trivial model: {about['baseline']:.3g}", _BASELINE, "--")
    if about["target"] is not None:
        _draw_line(axes, about["target"], f"solved: {about['target']:.3g}", _TARGET, "-.")
    if min(np.min(np.asarray(line.get_ydata()), initial=np.inf) for line in axes.lines) > 0:
        axes.set_yscale("log")
    axes.set_xlabel("optimiser steps")
    axes.set_ylabel(f"loss, validation {about['metric']}")
    axes.set_title(_title(about), fontsize=10, loc="left")
    axes.grid(alpha=0.25, which="major")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=9, loc="upper right", edgecolor="none", framealpha=0.9)
    path = folder / "plots" / "learning_curve.png"
    path.parent.mkdir(exist_ok=True)
    canvas.print_png(path)
    return path


def _draw_curves(axes: "Axes", records: list[dict[str, Any]], metric: str) -> None:
    train = np.array([(r["step"], r["loss"]) for r in records if r["split"] == "train"]).reshape(-1, 2)
    validation = np.array([(r["step"], r[metric]) for r in records if r["split"] == "validation"]).reshape(-1, 2)
    axes.plot(train[:, 0], train[:, 1], color=_TRAIN, linewidth=0.8, label="training loss")
    if len(validation):
        axes.plot(
            *validation.T, color=_VALIDATION, marker="o", markersize=3.5, linewidth=1.4, label=f"validation {metric}"
        )


def _draw_line(axes: "Axes", height: float, label: str, color: str, style: str) -> None:
    axes.axhline(height, color=color, linestyle=style, linewidth=1.1, label=label)


def _title(about: dict[str, Any]) -> str:
    config = about["config"] if isinstance(about["config"], dict) else {}
    shown = [f"{name} {value}" for name, value in config.items() if isinstance(value, (int, float, str))][:4]
    return ", ".join([about["experiment"], *shown, f"seed {about['seed']}"])
