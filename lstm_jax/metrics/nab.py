"""The score of the Numenta Anomaly Benchmark (NAB): early detections in labelled windows count most. All in NumPy.

Lavin & Ahmad (2015), "Evaluating Real-time Anomaly Detection Algorithms: the Numenta Anomaly Benchmark", arXiv
1510.03336, section 3, in the form of NAB 1.1, which wrote the published scoreboard. The rule, for rows i = 0, 1, ... of
a series and sigma(y) = 2 / (1 + exp(5 y)) - 1:

- The first 15% of the rows, at most 750 of them, are probation: a detector may learn on them, nothing is scored.
- A window with the rows a..b, w = b - a + 1, is worth A_TP sigma(-(b - i + 1) / w) / sigma(-1) if i is the first
  detection in it: all of A_TP at its first row. A window without one costs A_FN.
- A detection outside of all windows costs A_FP before the first window; behind one it is worth A_FP sigma((i - b) /
  (w - 1)), near 0 just behind the window and -A_FP from three window lengths on.
- The score is 100 (raw - null) / (perfect - null): null detects nothing, perfect the first row of each window.
- All series have one threshold. NAB takes the best for the very series that are scored: ``nab_score`` without one.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

Window = tuple[int, int]
"""The first and the last row of an anomaly."""


@dataclasses.dataclass(frozen=True)
class Profile:
    """What the kinds of detections are worth."""

    tp: float
    """A_TP: a window that is detected at its first row."""
    fp: float
    """A_FP: what a detection far from all windows costs."""
    fn: float
    """A_FN: what a window that is not detected costs."""


PROFILES = {
    "standard": Profile(tp=1.0, fp=0.11, fn=1.0),
    "reward_low_fp": Profile(tp=1.0, fp=0.22, fn=1.0),
    "reward_low_fn": Profile(tp=1.0, fp=0.11, fn=2.0),
}
"""The three application profiles of the paper; NAB's configuration calls the latter reward_low_FP_rate, ..._FN_rate."""


@dataclasses.dataclass(frozen=True)
class NabScore:
    """The score of a detector on one or several series."""

    score: float
    """100 for a perfect detector, 0 for one that detects nothing; below 0 with many false alarms."""
    threshold: float
    """A row is detected if its anomaly score is at least this."""


def probation(rows: int) -> int:
    """How many of the first rows are not scored: 15%, rounded down, at most 750."""
    return min(math.floor(0.15 * rows), 750)


def row_values(rows: int, windows: Sequence[Window], profile: Profile) -> np.ndarray:
    """What a detection at each row is worth ``[rows]``, if it is the first one of its window.

    Args:
        rows: how many rows the series has.
        windows: its windows, in order, without overlap.
        profile: the weights.

    Raises:
        ValueError: windows outside of the rows, out of order or with rows in common.
    """
    _check(rows, windows)
    at = np.arange(rows)
    values = np.full(rows, -profile.fp)
    for first, last in windows:
        width = last - first + 1
        # Of a window of one row the paper's rule divides by zero; any row behind it is far away then.
        behind = (at[last + 1 :] - last) / max(width - 1, 1 / 3)
        values[last + 1 :] = profile.fp * np.where(behind >= 3, -1.0, _sigma(behind))
        inside = -(last - at[first : last + 1] + 1) / width
        values[first : last + 1] = profile.tp * _sigma(inside) / _sigma(-1.0)
    return values


def sweep(
    scores: Sequence[np.ndarray], windows: Sequence[Sequence[Window]], profile: Profile
) -> tuple[np.ndarray, np.ndarray]:
    """The score at each threshold that makes a difference.

    Args:
        scores: the anomaly scores of each series ``[N]``; higher is stranger.
        windows: the windows of each series.
        profile: the weights.

    Returns:
        ``thresholds [K]``, falling, the first so high that nothing is detected; and the ``score [K]`` at each of them.

    Raises:
        ValueError: scores that are not finite ``[N]``, another number of series, wrong windows, or none behind the
            probation: without an anomaly there is nothing to score.
    """
    if len(scores) != len(windows):
        raise ValueError(f"There are the scores of {len(scores)} series but the windows of {len(windows)}.")
    levels, gains, count = [], [], 0
    for series, its_windows in zip(scores, windows, strict=True):
        series = np.asarray(series, np.float64)
        if series.ndim != 1 or not np.isfinite(series).all():
            raise ValueError(f"scores must be finite numbers [N] for each series, got the shape {list(series.shape)}.")
        values, start = row_values(len(series), its_windows, profile), probation(len(series))
        outside = np.ones(len(series), bool)
        for first, last in its_windows:
            outside[first : last + 1] = False
            rows = np.arange(max(first, start), last + 1)
            if not len(rows):
                continue
            count += 1
            # As the threshold falls, the window's worth rises from -A_FN to that of its earliest detection so far.
            rows = rows[np.argsort(-series[rows], kind="stable")]
            worth = np.maximum.accumulate(values[rows])
            levels.append(series[rows])
            gains.append(np.diff(worth, prepend=-profile.fn))
        rows = np.flatnonzero(outside & (np.arange(len(series)) >= start))
        levels.append(series[rows])
        gains.append(values[rows])
    if not count:
        raise ValueError("No series has an anomaly window behind its probation (the first 15%): nothing can be scored.")
    level, gain = np.concatenate(levels), np.concatenate(gains)
    order = np.argsort(-level, kind="stable")
    level, gain = level[order], np.cumsum(gain[order])
    last_of_ties = np.flatnonzero(np.append(level[1:] != level[:-1], True))
    thresholds = np.append(np.nextafter(level[0], np.inf), level[last_of_ties])
    above_null = np.append(0.0, gain[last_of_ties])
    return thresholds, 100 * above_null / (count * (profile.tp + profile.fn))


def nab_score(
    scores: Sequence[np.ndarray],
    windows: Sequence[Sequence[Window]],
    profile: str = "standard",
    threshold: float | None = None,
) -> NabScore:
    """The NAB score of all series together.

    Args:
        scores: the anomaly scores of each series ``[N]``.
        windows: the windows of each series.
        profile: one of `PROFILES`.
        threshold: rows with at least this score are detections; None: the best one for these series, the highest of
            several, which is NAB's own rule. It looks at the labels: no detector in use could have it.

    Raises:
        ValueError: as `sweep`, or an unknown profile.
    """
    if profile not in PROFILES:
        raise ValueError(f"profile={profile!r} is not known: choose one of {', '.join(map(repr, PROFILES))}.")
    thresholds, found = sweep(scores, windows, PROFILES[profile])
    if threshold is None:
        best = int(np.argmax(found))
        return NabScore(float(found[best]), float(thresholds[best]))
    # What is detected at this threshold is what is detected at the lowest level that is not below it.
    at = int(np.searchsorted(-thresholds, -threshold, side="right")) - 1
    return NabScore(float(found[max(at, 0)]), float(threshold))


def windowed_gaussian(values: np.ndarray, size: int = 6400, hop: int = 100) -> np.ndarray:
    """How many standard deviations each value is above the mean of those before it: NAB's windowed Gaussian detector.

    Mean and deviation are those of the ``size`` values before, which move on by ``hop`` values at a time; of all values
    before, while there are fewer. The detector's anomaly score is a tail of the normal distribution at this number, so
    it has the same order. It takes no training.

    Args:
        values: ``[N]``.
        size: values in the window.
        hop: how many values the window moves on at a time.

    Returns:
        ``[N]``, 0 at the first row.
    """
    values = np.asarray(values, np.float64)
    deviations = np.zeros(len(values))
    for row in range(1, len(values)):
        first = hop * max((row - size) // hop, 0)
        past = values[first : min(row, first + size)]
        deviations[row] = (values[row] - past.mean()) / (past.std() or 1e-6)
    return deviations


def _sigma(position: np.ndarray | float) -> np.ndarray:
    return 2 / (1 + np.exp(5 * np.minimum(position, 100.0))) - 1


def _check(rows: int, windows: Sequence[Window]) -> None:
    before = -1
    for first, last in windows:
        if not before < first <= last < rows:
            raise ValueError(
                f"The window of rows {first} to {last} must lie in the series of {rows} rows, behind the window before "
                "it."
            )
        before = last
