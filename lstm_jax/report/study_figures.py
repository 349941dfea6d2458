"""Figures of a study: learning curves of its trials, the objective against each setting, importances."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_jax.report.bands import plot_band, validation_band
from lstm_jax.report.drawing import BASELINE, COLORS, PALE, TARGET, finish, legend, level, log_if_wide, plain
from lstm_jax.sweep.settings import MEASURES
from lstm_jax.sweep.space import Dimension
from lstm_jax.sweep.study import Study
from lstm_jax.sweep.trial import TrialView
from lstm_jax.train.errors import RunError
from lstm_jax.train.folder import CONFIG, read_json

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BEST = 4
"""Trials that the learning curves have in colours."""
_DECADE = 10
_RUG = 0.03
"""Height of the marks of trials without a value, as a share of the picture."""

Curves = Mapping[int, tuple[np.ndarray, np.ndarray]]
"""By the trial's number: steps ``[N]`` and validation scores ``[seeds, N]``."""


def curves_of(study: Study, trials: Sequence[TrialView], metric: str) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """What the trials' runs have validated; those that have not, or cannot be read just now, are left out."""
    found = {}
    for trial in trials:
        try:
            found[trial.number] = validation_band(runs_of(study, trial), metric)
        except (FileNotFoundError, RunError, KeyError, ValueError):
            continue
    return found


def runs_of(study: Study, trial: TrialView) -> list[Path]:
    """The run folders of a trial that have begun, by seed."""
    folders = [trial.folder / f"seed-{seed}" for seed in range(study.sweep.seeds)]
    return [folder for folder in folders if (folder / CONFIG).exists()]


def about(study: Study, trials: Sequence[TrialView]) -> dict[str, Any]:
    """The ``config.json`` of one of the runs; empty before the first."""
    for trial in trials:
        for folder in runs_of(study, trial):
            try:
                return read_json(folder / CONFIG) or {}
            except RunError:
                continue
    return {}


def validated(study: Study, told: Mapping[str, Any]) -> str:
    """The score whose curves are drawn: the objective, or the experiment's metric where only the end has that."""
    return told.get("metric", "") if study.objective in MEASURES else study.objective


def draw_learning_curves(
    figure: "Figure", study: Study, trials: Sequence[TrialView], curves: Curves, told: Mapping[str, Any]
) -> None:
    """Draw the best trials in colours, in bands over their seeds, before the others; a pruned one ends where it ends.

    Args:
        figure: an empty one.
        study: the trials' own.
        trials: all.
        curves: of those that have any.
        told: a run's ``config.json``.
    """
    axes = figure.add_subplot()
    best = [trial for trial in sorted(trials, key=study.rank) if study.rank(trial) < np.inf and trial.number in curves]
    colored = {trial.number: color for trial, color in zip(best[:BEST], COLORS, strict=False)}
    labels = {"pruned": "pruned", "failed": "failed"}
    for trial in trials:
        if trial.number in curves and trial.number not in colored:
            steps, values = curves[trial.number]
            kind = labels.get(trial.state, "other trials")
            known = {line.get_label() for line in axes.lines}
            axes.plot(
                steps,
                np.nanmedian(values, axis=0),
                ":" if kind in labels else "-",
                color=PALE,
                linewidth=1.0,
                label=kind if kind not in known else None,
                marker="." if len(steps) == 1 else "",
            )
    for trial in best[:BEST]:
        steps, values = curves[trial.number]
        label = f"trial {trial.number}: {trial.value:.4g}"
        plot_band(axes, steps, values, colored[trial.number], label=label, marker="." if len(steps) == 1 else "")
    metric = validated(study, told)
    if metric == told.get("metric"):
        if told["baseline"] is not None:
            level(axes, told["baseline"], f"trivial model: {told['baseline']:.3g}", BASELINE, "--")
        if told["target"] is not None:
            level(axes, told["target"], f"solved: {told['target']:.3g}", TARGET, "-.")
    if study.goal == "min":
        log_if_wide(axes)
    finish(axes, "optimiser steps", f"validation {metric}")
    legend(figure)


def draw_against(
    figure: "Figure", study: Study, dimension: Dimension, trials: Sequence[TrialView], curves: Curves
) -> None:
    """Draw the objective over the values of one setting: a number's axis, or a strip for each name.

    Pruned trials and those in work are shown at their last validation; those without a score are marks at the bottom.
    """
    axes = figure.add_subplot()
    best = study.best_of(trials)
    places = _places(axes, dimension)
    styles = {
        "done": ("o", COLORS[0], "done"),
        "pruned": ("x", COLORS[1], "pruned, at its last validation"),
        "running": (".", COLORS[5], "in work"),
        "stopped": (".", COLORS[5], "in work"),
    }
    bare: list[float] = []
    ring: tuple[list[float], list[float]] | None = None
    points: dict[str, list[tuple[float, float]]] = {}
    for trial in trials:
        place, height = places(trial), _height(study, trial, curves)
        if place is None or trial.state == "waiting":
            continue
        if height is None or trial.state not in styles:
            bare.append(place)
        else:
            points.setdefault(styles[trial.state][2], []).append((place, height))
            if best is not None and trial.number == best.number:
                ring = [place], [height]
    for marker, color, label in dict.fromkeys(styles.values()):
        if label in points:
            axes.plot(*np.array(points[label]).T, marker, color=color, alpha=0.75, markersize=6, label=label)
    if study.goal == "min":
        log_if_wide(axes)
    if bare:
        axes.margins(y=0.12)  # room for them
        across = axes.get_xaxis_transform()  # heights as shares of the picture
        axes.plot(bare, [_RUG] * len(bare), "|", color=COLORS[1], markersize=9, transform=across, label="without score")
    if ring is not None:
        axes.plot(*ring, "o", color="none", markeredgecolor="black", markersize=11, label="best")
    finish(axes, dimension.field, study.objective)
    legend(figure)


def _places(axes: "Axes", dimension: Dimension) -> Any:
    """Where on the axis, which is prepared, a trial has its place; None where its value is not chosen yet."""
    field = dimension.field
    numbers = _numbers(dimension)
    if numbers is not None:
        low, high = min(numbers), max(numbers)
        if dimension.log or (low > 0 and high / low > _DECADE):
            axes.set_xscale("log")
        if dimension.choices:  # those values and no others
            axes.set_xticks(numbers, [str(choice) for choice in dimension.choices])
            axes.minorticks_off()
        return lambda trial: None if trial.values[field] is None else float(trial.values[field])
    names = list(dimension.choices)
    turned = sum(map(len, names)) > 40
    texts = [plain(name if len(name) <= 24 else f"{name[:22]} ...") for name in names]
    axes.set_xticks(range(len(names)), texts, rotation=30 if turned else 0, ha="right" if turned else "center")
    axes.set_xlim(-0.5, len(names) - 0.5)
    # Beside one another, by their numbers, so that equal ones can be counted.
    return lambda trial: (
        None if trial.values[field] is None else names.index(trial.values[field]) + (trial.number % 7 - 3) / 20
    )


def _numbers(dimension: Dimension) -> list[float] | None:
    """The values that stand for all, if they are numbers."""
    try:
        return [float(end) for end in dimension.ends()]
    except ValueError:
        return None


def _height(study: Study, trial: TrialView, curves: Curves) -> float | None:
    """A trial's objective, or the last that was validated."""
    if trial.value is not None:
        return trial.value
    if study.objective in MEASURES or trial.number not in curves:
        return None
    last = float(curves[trial.number][1][0, -1])
    return last if np.isfinite(last) else None


def draw_importances(figure: "Figure", importances: Mapping[str, float]) -> None:
    """Draw how much of the objective's spread each setting explains, the most important on top."""
    axes = figure.add_subplot()
    fields = sorted(importances, key=lambda field: importances[field])
    bars = axes.barh([plain(field) for field in fields], [importances[field] for field in fields], color=COLORS[0])
    axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=9)
    axes.set_xlim(0, 1.1 * max(importances.values()) or 1)
    finish(axes, "importance", "")
