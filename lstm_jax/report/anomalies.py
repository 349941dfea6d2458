"""Series with their labelled windows and their anomaly scores: a picture and a table."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lstm_jax.data.nab import LabelledSeries, ScaledSeries
from lstm_jax.metrics.nab import probation
from lstm_jax.report.drawing import BASELINE, TARGET, TRAINING, VALIDATION, new_figure, plain, save_png
from lstm_jax.report.rows import write_rows

COLUMNS = 3
"""Series beside each other."""
WINDOW = "#f0c9b8"


def draw_anomalies(
    path: Path, series: Sequence[LabelledSeries], scores: Sequence[np.ndarray], thresholds: Mapping[str, float]
) -> None:
    """Draw each series with its windows marked, below it the anomaly scores, and dots where they reach a threshold.

    Args:
        path: the PNG file.
        series: the series, each of any length.
        scores: their anomaly scores ``[N]``.
        thresholds: up to two by name; alarms of the first are dots.

    Raises:
        ImportError: matplotlib is not installed.
    """
    columns = min(COLUMNS, len(series))
    lines = -(-len(series) // columns)
    figure = new_figure((max(7.5, 5 * columns), max(4.0, 2.6 * lines)), dpi=110)
    heights = [ratio for _ in range(lines) for ratio in (2.0, 1.0)]
    axes = figure.subplots(2 * lines, columns, squeeze=False, sharex=False, height_ratios=heights)
    for unused in axes.ravel():
        unused.set_axis_off()
    for number, (one, its) in enumerate(zip(series, scores, strict=True)):
        line, column = divmod(number, columns)
        above, below = axes[2 * line, column], axes[2 * line + 1, column]
        start, at = probation(len(its)), np.arange(len(its))
        for shown in (above, below):
            shown.set_axis_on()
            shown.axvspan(0, start, color="#eeeeee", linewidth=0)
            for first, last in one.windows:
                shown.axvspan(first, last + 1, color=WINDOW, linewidth=0)
            shown.tick_params(labelsize=6)
            shown.set_xlim(0, len(its))
        above.plot(at, one.values, color=TRAINING, linewidth=0.5, rasterized=True)
        above.set_title(plain(Path(one.name).stem), fontsize=8)
        above.set_xticklabels([])
        below.plot(at, its, color=BASELINE, linewidth=0.5, rasterized=True)
        for (_, height), color in zip(thresholds.items(), (VALIDATION, TARGET), strict=False):
            below.axhline(height, color=color, linewidth=0.8, linestyle="--")
        alarms = at[(its >= next(iter(thresholds.values()))) & (at >= start)]
        above.plot(alarms, one.values[alarms], ".", color=VALIDATION, markersize=4)
    names = ", ".join(f"{name} {height:.3g}" for name, height in thresholds.items())
    figure.suptitle(f"Windows of anomalies (red), probation (grey), alarms (dots); thresholds: {names}", fontsize=9)
    save_png(figure, path)


def write_anomalies(path: Path, rows: Sequence[ScaledSeries], scores: Sequence[np.ndarray], threshold: float) -> None:
    """Write a row for each row of each series.

    Args:
        path: the CSV file.
        rows: the series.
        scores: their anomaly scores ``[N]``.
        threshold: scores from which on there is an alarm.
    """
    table = []
    for one, its in zip(rows, scores, strict=True):
        inside = np.zeros(len(its), int)
        for first, last in one.series.windows:
            inside[first : last + 1] = 1
        for row, score in enumerate(its):
            time = str(one.series.times[row]).replace("T", " ")
            known = int(row < one.probation)
            alarm = int(score >= threshold and not known)
            table.append([one.series.name, time, one.series.values[row], f"{score:.4f}", alarm, inside[row], known])
    write_rows(path, ["series", "timestamp", "value", "anomaly_score", "alarm", "window", "probation"], table)
