"""Lines over several seeds: the median, in a band from the worst to the best."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_jax.report.drawing import BASELINE, COLORS, finish, legend, level, new_figure, plain, save_png
from lstm_jax.train.folder import CONFIG, RESULT
from lstm_jax.train.writers import read

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DASHES = ("-", "--", ":")


def draw_bands(
    path: Path,
    lines: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    log_x: bool = False,
    log_y: bool = False,
    levels: Mapping[str, float] | None = None,
    alike: int = 1,
    marker: str = "",
) -> Path:
    """Draw lines with their bands.

    Args:
        path: the PNG file.
        lines: by label, the places ``[N]`` and each seed's values there, ``[seeds, N]``.
        title: what is shown.
        xlabel: what the places are.
        ylabel: what the values are.
        log_x: whether the places' axis is logarithmic.
        log_y: whether the values' axis is.
        levels: heights of horizontal lines by label, such as what a trivial model scores.
        alike: how many lines in a row have one colour, and differ in their dashes.
        marker: a marker at each place, in matplotlib's letters.

    Raises:
        ImportError: matplotlib is not installed.
    """
    figure = new_figure(dpi=130)
    axes = figure.add_subplot()
    for number, (label, (places, values)) in enumerate(lines.items()):
        color = COLORS[number // alike % len(COLORS)]
        dash = _DASHES[(number % alike if alike > 1 else number // len(COLORS)) % len(_DASHES)]
        plot_band(axes, places, values, color, label=label, dash=dash, marker=marker)
    for (label, height), dash in zip((levels or {}).items(), ("--", ":", "-.", "--", ":"), strict=False):
        level(axes, height, label, BASELINE, dash)
    if log_x:
        axes.set_xscale("log")
    if log_y:
        axes.set_yscale("log")
    finish(axes, xlabel, ylabel, title)
    legend(figure)
    return save_png(figure, path)


def plot_band(
    axes: "Axes",
    places: np.ndarray,
    values: np.ndarray,
    color: str,
    *,
    label: str = "",
    dash: str = "-",
    marker: str = "",
    width: float = 1.6,
) -> None:
    """Draw the median of ``values`` ``[seeds, N]``, in a band from the lowest to the highest."""
    middle = np.nanmedian(values, axis=0)
    shown = plain(label) if label else None
    axes.plot(places, middle, dash, color=color, linewidth=width, label=shown, marker=marker, markersize=4)
    if len(values) > 1:
        low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
        axes.fill_between(places, low, high, color=color, alpha=0.16, linewidth=0)


def learning_curves(path: Path, groups: Mapping[str, Sequence[Path]], *, title: str) -> Path:
    """Draw the validation metric of several runs, the seeds of one setting as a band.

    What a trivial model scores, and the score that counts as solved, are lines in it.

    Args:
        path: the PNG file.
        groups: run folders by label, the seeds of one setting in each.
        title: what is shown.

    Raises:
        FileNotFoundError: a folder holds no run, or one without a validation.
        ValueError: the runs have different metrics.
        ImportError: matplotlib is not installed.
    """
    abouts = [json.loads((folders[0] / CONFIG).read_text("utf-8")) for folders in groups.values()]
    metrics = sorted({about["metric"] for about in abouts})
    if len(metrics) > 1:
        raise ValueError(f"One picture shows one metric, but these runs have {', '.join(metrics)}.")
    baselines = sorted({about["baseline"] for about in abouts} - {None})
    targets = sorted({about["target"] for about in abouts} - {None})
    levels = {f"trivial model: {height:.3g}": height for height in baselines}
    levels |= {f"solved: {height:.3g}": height for height in targets}
    lines = {_counted(label, len(folders)): validation_band(folders, metrics[0]) for label, folders in groups.items()}
    positive = all(np.nanmin(values) > 0 for _, values in lines.values())
    return draw_bands(
        path,
        lines,
        title=title,
        xlabel="optimiser steps",
        ylabel=f"validation {metrics[0]}",
        log_y=positive and abouts[0]["goal"] == "min",
        levels=levels,
    )


def by_number(
    groups: Mapping[str, Sequence[Path]], value: Callable[[dict[str, Any]], float]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Lines for `draw_bands` from finished runs, over the number behind the last comma of each group's label.

    Args:
        groups: run folders by label, such as "chrono, 200": the text before the comma names the line.
        value: what to draw of the content of a run's ``result.json``.

    Returns:
        By name and number of seeds: the numbers ``[N]``, ascending, and values ``[seeds, N]``, NaN where a seed is
        missing.
    """
    found: dict[str, dict[int, list[float]]] = {}
    for label, folders in groups.items():
        name, number = label.rsplit(", ", 1)
        results = [json.loads((folder / RESULT).read_text("utf-8")) for folder in folders]
        found.setdefault(name, {})[int(number)] = [value(result) for result in results]
    lines = {}
    for name, values in found.items():
        seeds = max(map(len, values.values()))
        table = np.full((seeds, len(values)), np.nan)
        for column, number in enumerate(sorted(values)):
            table[: len(values[number]), column] = values[number]
        lines[_counted(name, seeds)] = (np.array(sorted(values)), table)
    return lines


def _counted(label: str, seeds: int) -> str:
    return f"{label} ({seeds} seed{'s' * (seeds > 1)})"


def validation_band(folders: Sequence[Path], metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps ``[N]`` and the metric of each run at them ``[runs, N]``; a run that has stopped keeps its last value.

    Raises:
        FileNotFoundError: a folder has no validation on record.
    """
    curves = []
    for folder in folders:
        points = [(r["step"], r[metric]) for r in read(folder) if r["split"] == "validation"]
        if not points:
            raise FileNotFoundError(f"{folder} holds no validation.")
        curves.append(np.array(points, float))
    steps = np.unique(np.concatenate([curve[:, 0] for curve in curves]))
    at = [np.maximum(np.searchsorted(curve[:, 0], steps, side="right") - 1, 0) for curve in curves]
    return steps, np.stack([curve[index, 1] for curve, index in zip(curves, at, strict=True)])
