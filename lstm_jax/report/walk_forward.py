"""What a forecast gains on a baseline as time goes on: a picture, a table, a sentence."""

import itertools
import textwrap
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lstm_jax.data.prices import Prices
from lstm_jax.metrics.direction import bootstrap_interval
from lstm_jax.report.drawing import BASELINE, COLORS, finish, new_figure, plain, save_png
from lstm_jax.report.rows import write_rows


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


def verdict(scores: Mapping[str, float]) -> str:
    """In words, whether the baselines are beaten.

    Args:
        scores: `lstm_jax.metrics.direction.walk_forward_scores` of forecasts among which is a ``drift``.
    """
    error = "beaten" if scores["gain_on_last_value_low"] > 0 else "NOT beaten"
    # To do better than a majority that turned round is nothing, if a coin does as well.
    way = "beaten" if scores["direction_gain_low"] > 0 and scores["direction_low"] > 0.5 else "NOT beaten"
    return (
        f"The last value is {error}: RMSE {scores['rmse']:.4g}, last value {scores['rmse_last_value']:.4g}, drift "
        f"{scores['rmse_drift']:.4g}. The majority direction is {way}: right {scores['direction']:.1%} of the time "
        f"(95% interval {scores['direction_low']:.1%} to {scores['direction_high']:.1%}), majority "
        f"{scores['direction_majority']:.1%}."
    )


def write_walk_forward(path: Path, prices: Prices, said: Mapping[str, np.ndarray]) -> None:
    """A row for each tested date and symbol: the price and what was forecast the row before."""
    rows = []
    first = len(prices.dates) - len(said["forecast"])
    for at, column in itertools.product(range(first, len(prices.dates)), range(len(prices.symbols))):
        before, price = prices.values[at - 1, column], prices.values[at, column]
        if np.isnan(before) or np.isnan(price):
            continue
        expected = [f"{before * np.exp(forecast[at - first, column]):.6g}" for forecast in said.values()]
        rows.append([str(prices.dates[at]), prices.symbols[column], f"{price:.6g}", *expected])
    write_rows(path, ["date", "symbol", "price", *said], rows)
