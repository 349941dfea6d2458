"""How often the direction of a change is forecast, and how sure that is. All in NumPy."""

from collections.abc import Mapping

import numpy as np

from lstm_jax.options import positive


def right_direction(forecasts: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """1 where a forecast change has the sign of the true one, 0 where not, NaN where the truth is 0 or missing.

    A forecast of 0 says nothing and is right half of the time: 0.5.

    Args:
        forecasts: changes, such as returns, of any shape.
        truth: the true ones, of the same shape; NaN where missing.

    Raises:
        ValueError: the shapes differ.
    """
    forecasts, truth = np.asarray(forecasts, np.float64), np.asarray(truth, np.float64)
    if forecasts.shape != truth.shape:
        raise ValueError(f"forecasts {list(forecasts.shape)} and truth {list(truth.shape)} differ in shape.")
    hits = np.where(forecasts == 0, 0.5, np.sign(forecasts) == np.sign(truth))
    return np.where((truth == 0) | np.isnan(truth), np.nan, hits)


def bootstrap_interval(
    values: np.ndarray, *, confidence: float = 0.95, block: int | None = None, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """The confidence interval of a mean over time, by the circular block bootstrap.

    Rows near each other in time may depend on each other, and columns of one row surely do: blocks of whole rows are
    drawn. Politis & Romano (1992), "A Circular Block-Resampling Procedure for Stationary Data".

    Args:
        values: ``[T]`` or ``[T, S]``, in order of time; NaN counts for nothing.
        confidence: the probability that the interval is to hold, such as 0.95: its quantiles are (1 -+ confidence) / 2.
        block: rows of a block; None: the cube root of T, rounded up.
        draws: how many means are drawn.
        seed: of NumPy's generator.

    Returns:
        The interval's ends.

    Raises:
        ValueError: no known value, ``confidence`` outside of 0..1, a size below 1 or a block longer than the series.
    """
    values = np.asarray(values, np.float64)
    values = values.reshape(len(values), -1)
    rows = len(values)
    known = ~np.isnan(values)
    if not known.any():
        raise ValueError("There is no known value to take the mean of.")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence}.")
    size = positive("block", int(np.ceil(rows ** (1 / 3))) if block is None else block)
    if size > rows:
        raise ValueError(f"block must be at most the {rows} rows that there are, got {size}.")
    # Sums over each block that begins at a row and goes round the end.
    ends = np.arange(rows)[:, None] + np.arange(size)
    sums = np.where(known, values, 0).sum(axis=1)[ends % rows].sum(axis=1)
    counts = known.sum(axis=1)[ends % rows].sum(axis=1)
    starts = np.random.default_rng(seed).integers(0, rows, (positive("draws", draws), -(-rows // size)))
    totals = counts[starts].sum(axis=1)
    means = (sums[starts].sum(axis=1) / np.maximum(totals, 1))[totals > 0]
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def walk_forward_scores(
    prices: np.ndarray, truth: np.ndarray, said: Mapping[str, np.ndarray], majority: np.ndarray
) -> dict[str, float]:
    """Errors of forecast prices, directional accuracy, and the intervals of the differences from the baselines.

    Args:
        prices: ``[N, S]``, of S symbols; NaN where missing.
        truth: the log returns of the last M of these rows ``[M, S]``.
        said: the returns that were forecast ``[M, S]`` by name; ``forecast`` is the network's, ``last_value`` 0, and
            others, such as ``drift``.
        majority: returns of the direction that was more frequent before ``[M, S]``.

    Returns:
        ``rmse`` of the forecast prices and ``rmse_NAME`` of the others; ``gain_on_last_value``, the squared errors of
        returns that are saved, times 10,000; ``direction``, the share of right directions, ``direction_majority``, and
        their difference ``direction_gain``; ``NAME_low`` and ``NAME_high`` are the ends of 95% intervals.
    """
    before, after = prices[-len(truth) - 1 : -1], prices[-len(truth) :]
    scores = {}
    for name, forecast in said.items():
        error = np.sqrt(np.nanmean((before * np.exp(forecast) - after) ** 2))
        scores["rmse" if name == "forecast" else f"rmse_{name}"] = float(error)
    # In returns, where all times and symbols count alike.
    gain = 1e4 * ((truth - said["last_value"]) ** 2 - (truth - said["forecast"]) ** 2)
    hits, simple = right_direction(said["forecast"], truth), right_direction(majority, truth)
    for name, values in {"gain_on_last_value": gain, "direction": hits, "direction_gain": hits - simple}.items():
        low, high = bootstrap_interval(values)
        scores |= {name: float(np.nanmean(values)), f"{name}_low": low, f"{name}_high": high}
    return scores | {"direction_majority": float(np.nanmean(simple))}
