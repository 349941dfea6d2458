"""What a forecast gains on a baseline as time goes on, and how often its direction is right in each stretch."""

import textwrap
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lstm_jax.metrics.direction import bootstrap_interval
from lstm_jax.report.drawing import BASELINE, COLORS, finish, new_figure, plain, save_png


def draw_walk_forward(
    path: Path, dates: np.ndarray, gained: np.ndarray, hits: Mapping[str, np.ndarray], ends: np.ndarray, title: str
) -> None:
    """Draw the sum of the squared errors saved so far (it rises where the forecast is better), and accuracies below.

    Args:
        path: the PNG file.
        dates: ``[M]``.
        gained: the baseline's squared error less the forecast's, at each date ``[M]``.
        hits: by name, whether a direction was right ``[M, S]``; NaN: not known.
        ends: the row behind the last one of each stretch ``[K]``.
        title: what the picture shows, in words.

    Raises:
        ImportError: matplotlib is not installed.
    """
    figure = new_figure((9, 6))
    above, below = figure.subplots(2, 1, height_ratios=[1.2, 1.0])
    above.plot(dates, np.cumsum(gained), color=COLORS[0], linewidth=1.2)
    above.axhline(0, color=BASELINE, linewidth=0.8, linestyle="--")
    for end in ends[:-1]:
        above.axvline(dates[end], color="#dddddd", linewidth=0.8)
    finish(above, "", "squared error saved, summed up")
    stretches = [slice(start, stop) for start, stop in zip([0, *ends[:-1]], ends, strict=True)]
    for number, (name, right) in enumerate(hits.items()):
        at = np.arange(len(ends)) + 0.15 * number
        scored = [part for part in stretches if not np.isnan(right[part]).all()]
        at = at[[part in scored for part in stretches]]
        means = np.array([np.nanmean(right[part]) for part in scored])
        intervals = np.array([bootstrap_interval(right[part]) for part in scored])
        spread = np.abs(intervals.T - means)
        below.errorbar(at, means, spread, fmt="o", capsize=3, color=COLORS[number], label=plain(name))
    below.axhline(0.5, color=BASELINE, linewidth=0.8, linestyle="--")
    below.set_xticks(range(len(ends)), [f"from {dates[part.start]}" for part in stretches], fontsize=8)
    finish(below, "", "direction right (95% intervals)")
    below.legend(fontsize=8, frameon=False)
    figure.suptitle(plain("\n".join(textwrap.wrap(title, 110))), fontsize=8)
    save_png(figure, path)
