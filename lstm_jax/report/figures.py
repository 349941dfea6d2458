"""Figures of a run, drawn from the files of its folder alone."""

import json
import os
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_jax.report.drawing import (
    BASELINE,
    MANY,
    TARGET,
    TRAINING,
    VALIDATION,
    finish,
    legend,
    level,
    log_if_wide,
    new_figure,
    save_png,
)
from lstm_jax.train.folder import CONFIG, METRICS
from lstm_jax.train.writers import Record, read

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def learning_curve(run_folder: str | os.PathLike[str]) -> Path:
    """Draw the training loss and the validation scores over the steps, from ``metrics.jsonl``.

    The score of a trivial model and the score that counts as solved are lines in it.

    Returns:
        Where the picture is: ``plots/learning_curve.png`` in the run folder.

    Raises:
        FileNotFoundError: the folder holds no run, or one without records.
        ImportError: matplotlib is not installed.
    """
    folder = Path(run_folder)
    records = read(folder)
    if not records or not (folder / CONFIG).exists():
        raise FileNotFoundError(f"{folder} holds no records of a run: it needs {CONFIG} and {METRICS}.")
    about = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    figure = new_figure()
    draw_curves(figure, about, records, title=_title(about))
    return save_png(figure, folder / "plots" / "learning_curve.png")


def draw_curves(figure: "Figure", about: dict[str, Any], records: list[Record], *, title: str = "") -> None:
    """Draw the learning curve of a run: ``about`` is its ``config.json``."""
    trained, metric = [r for r in records if r["split"] == "train"], about["metric"]
    # In the units of the score, where the training records have it.
    shown = metric if trained and metric in trained[0] else "loss"
    # A loss falls and an accuracy rises: each has a panel of its own.
    apart = shown != metric and about["goal"] == "max"
    panels = figure.subplots(2 if apart else 1, 1, sharex=True, squeeze=False)[:, 0]
    above, below = panels[0], panels[-1]
    train = np.array([(r["step"], r[shown]) for r in trained]).reshape(-1, 2)
    validation = np.array([(r["step"], r[metric]) for r in records if r["split"] == "validation"]).reshape(-1, 2)
    many = len(train) > MANY
    above.plot(*train.T, color=TRAINING, linewidth=0.8, label=f"training {shown}", rasterized=many)
    if len(validation):
        style = {"color": VALIDATION, "marker": "o", "markersize": 3.5, "linewidth": 1.4}
        below.plot(*validation.T, **style, label=f"validation {metric}")
    if about["baseline"] is not None:
        level(below, about["baseline"], f"trivial model: {about['baseline']:.3g}", BASELINE, "--")
    if about["target"] is not None:
        level(below, about["target"], f"solved: {about['target']:.3g}", TARGET, "-.")
    log_if_wide(above)
    finish(
        below,
        "optimiser steps",
        f"validation {metric}" if apart or shown == metric else f"{shown}, validation {metric}",
    )
    finish(above, "" if apart else "optimiser steps", shown if apart else below.get_ylabel(), title)
    legend(figure, 9)


def draw_gradient_norms(figure: "Figure", records: list[Record]) -> bool:
    """Draw the gradient's norm before it is clipped, over the steps; False if none is on record."""
    norms = [(r["step"], r["grad_norm"]) for r in records if r["split"] == "train" and r.get("grad_norm", 0.0) > 0]
    if not norms:
        return False
    axes = figure.add_subplot()
    axes.plot(*np.array(norms, float).T, color=TRAINING, linewidth=0.8, rasterized=len(norms) > MANY)
    axes.set_yscale("log")
    finish(axes, "optimiser steps", "norm of the gradient")
    return True


def forecast_against_truth(
    path: Path,
    times: Sequence[str],
    columns: Mapping[str, np.ndarray],
    name: str,
    ahead: Mapping[str, np.ndarray],
    shown: int = 120,
) -> None:
    """Draw the last ``shown`` rows of the truth, and over them forecasts that begin where the one before ends.

    Args:
        path: the PNG file.
        times: labels of the rows, from that of the first window's first target on, and of those ahead.
        columns: "truth", "forecast" and others by name, each ``[W, horizon]``, a window a row. Of quantiles, "q0.1" and
            so on, the first and the last bound a band.
        name: the series.
        ahead: of the rows behind the last known one, "forecast" and quantiles ``[horizon]``; empty: not known.
        shown: how many rows.

    Raises:
        ImportError: matplotlib is not installed.
    """
    truth = columns["truth"]
    windows, horizon = truth.shape
    rows = windows + horizon - 1
    known = np.concatenate([truth[:, 0], truth[-1, 1:]])
    starts = range((windows - 1) % horizon, windows, horizon)
    figure = new_figure((9, 4.5))
    axes = figure.add_subplot()
    axes.plot(np.arange(rows), known, color="#333333", linewidth=1.2, label="truth")
    styles = {"forecast": (VALIDATION, 1.6, 1.0), "seasonal_naive": (TARGET, 1.0, 0.7), "linear": (TRAINING, 1.4, 1.0)}
    # Joined, so that one-row forecasts show; each begins where the one before ends.
    at = np.concatenate([np.arange(start, start + horizon) for start in starts])
    joined = {name: np.concatenate([values[start] for start in starts]) for name, values in columns.items()}
    for column, (color, width, alpha) in styles.items():
        axes.plot(at, joined[column], color=color, linewidth=width, alpha=alpha, label=column.replace("_", " "))
    first, last, told, behind = max(0, rows - shown), rows - 1, "", np.arange(rows, rows + horizon)
    if names := [column for column in columns if column.startswith("q")]:
        band = {"color": VALIDATION, "alpha": 0.2, "linewidth": 0}
        label = f"{names[0][1:]} to {names[-1][1:]} quantile"
        axes.fill_between(at, joined[names[0]], joined[names[-1]], label=label, **band)
        if ahead:
            axes.fill_between(behind, ahead[names[0]], ahead[names[-1]], **band)
    if ahead:
        last, told = rows - 1 + horizon, ", and (dotted) the rows to come"
        axes.plot(behind, ahead["forecast"], color=VALIDATION, linewidth=1.6, linestyle=":", marker=".")
        axes.axvline(rows - 1, color=BASELINE, linewidth=0.8, linestyle="--")
    axes.set_xlim(first, last + 0.01 * (last - first))  # room for half of the last dot
    within = [column for column in columns if column in ("truth", "forecast") or column.startswith("q")]
    inside = [columns[column][max(0, first - horizon) :].ravel() for column in within]
    inside = np.concatenate([*inside, *(values for column, values in ahead.items() if column in within)])
    margin = 0.06 * (np.nanmax(inside) - np.nanmin(inside) or 1.0)
    axes.set_ylim(np.nanmin(inside) - margin, np.nanmax(inside) + margin)
    ticks = np.unique(np.linspace(first, last, 6).astype(int))
    axes.set_xticks(ticks, [str(times[tick]) for tick in ticks], fontsize=8)
    far = "1" if horizon == 1 else f"1 to {horizon}"
    finish(axes, "", name, f"{name}: test rows, forecast {far} ahead{told}")
    legend(figure, 9)
    save_png(figure, path)


def _title(about: dict[str, Any]) -> str:
    config = about["config"] if isinstance(about["config"], dict) else {}
    # Of a path the file's name says enough; an empty text says nothing.
    brief = {n: Path(v).name if isinstance(v, str) else v for n, v in config.items() if v != ""}
    shown = [f"{name} {value}" for name, value in brief.items() if isinstance(value, (int, float, str))][:4]
    return textwrap.shorten(", ".join([about["experiment"], *shown, f"seed {about['seed']}"]), 100, placeholder=" ...")
