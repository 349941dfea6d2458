"""How good the alarms of a monitor are: how many events it tells, how early, and how often it is wrong."""

import dataclasses
from collections.abc import Sequence

import numpy as np

Events = Sequence[tuple[int, int]]
"""Each from its first sample to the one behind its last."""


@dataclasses.dataclass(frozen=True, eq=False)
class AlarmScores:
    """What the alarms of one stream are worth."""

    events: int
    """How many events there are."""
    told: int
    """Events with an alarm between their first and their last sample."""
    false_alarms: int
    """Alarms outside of all events."""
    hours: float
    """How long the stream is."""
    delays: np.ndarray
    """Of each event told, the samples from its first one to its first alarm."""
    leads: np.ndarray
    """Of each event told, the samples from its first alarm to its end: the time in which something can be done."""

    @property
    def sensitivity(self) -> float:
        """The share of the events told; NaN without events."""
        return self.told / self.events if self.events else float("nan")

    @property
    def false_alarms_an_hour(self) -> float:
        """Over the whole stream, events included."""
        return self.false_alarms / self.hours


def alarm_scores(alarms: np.ndarray, events: Events, samples: int, rate: float) -> AlarmScores:
    """Score alarms; further alarms of an event that was told count neither for nor against.

    Args:
        alarms: the samples at which an alarm is raised, rising.
        events: ``(first, behind the last)`` sample of each, in order, apart from one another.
        samples: how long the stream is.
        rate: samples in a second.

    Raises:
        ValueError: events that overlap or lie outside, alarms outside, or a rate that is not above 0.
    """
    alarms = np.asarray(alarms, int)
    spans = np.asarray(events, int).reshape(-1, 2)
    bounds = spans.ravel()
    if (
        (np.diff(bounds) < 0).any()
        or (spans[:, 0] >= spans[:, 1]).any()
        or (bounds < 0).any()
        or (bounds > samples).any()
    ):
        raise ValueError(f"Events must be in order, apart, and lie in the {samples} samples of the stream.")
    if len(alarms) and not 0 <= alarms.min() <= alarms.max() < samples:
        raise ValueError(f"Alarms must lie in the {samples} samples of the stream.")
    if not rate > 0:
        raise ValueError(f"rate must be above 0 samples in a second, got {rate}.")
    firsts = np.searchsorted(alarms, spans[:, 0])
    behind = np.searchsorted(alarms, spans[:, 1])
    told = behind > firsts
    first_alarms = alarms[firsts[told]]
    return AlarmScores(
        events=len(spans),
        told=int(told.sum()),
        false_alarms=len(alarms) - int((behind - firsts).sum()),
        hours=samples / rate / 3600,
        delays=first_alarms - spans[told, 0],
        leads=spans[told, 1] - first_alarms,
    )


def events_of(marks: np.ndarray) -> list[tuple[int, int]]:
    """Events from marks ``[samples]``: each run of marked samples is one."""
    changes = np.diff(np.concatenate([[0], np.asarray(marks, bool).astype(np.int8), [0]]))
    starts, stops = np.flatnonzero(changes > 0), np.flatnonzero(changes < 0)
    return [(int(start), int(stop)) for start, stop in zip(starts, stops, strict=True)]


def chance_sensitivity(events: Events, rate: float, false_alarms_an_hour: float) -> float:
    """The sensitivity of as many alarms at random, evenly in time: mean of ``1 - exp(-length * rate of alarms)``."""
    seconds = np.array([stop - start for start, stop in events]) / rate
    return float(np.mean(1 - np.exp(-seconds * false_alarms_an_hour / 3600)))


def alarms_of(scores: np.ndarray, threshold: float, hold_off: int) -> np.ndarray:
    """The samples at which a score reaches the threshold, having been below it for ``hold_off`` samples, or always.

    Args:
        scores: ``[samples]``.
        threshold: from which on there is an alarm.
        hold_off: at least 1.
    """
    up = np.flatnonzero(np.asarray(scores) >= threshold)
    quiet = np.diff(up, prepend=np.iinfo(np.int64).min // 2) - 1
    return up[quiet >= hold_off]


def operating_points(
    scores: np.ndarray, events: Events, rate: float, hold_off: int, points: int = 400
) -> list[tuple[float, AlarmScores]]:
    """What alarms are worth at thresholds from high to low: above all scores, then at even quantiles of them."""
    scores = np.asarray(scores)
    levels = np.unique(np.quantile(scores, np.linspace(0, 1, points)))[::-1]
    return [
        (float(level), alarm_scores(alarms_of(scores, level, hold_off), events, len(scores), rate))
        for level in (np.inf, *levels)
    ]


def best_threshold(points: list[tuple[float, AlarmScores]], most: float) -> float:
    """The threshold that tells the most events, going down from the highest while false alarms are at most so many.

    It ends at the first threshold with more false alarms an hour than ``most``: far below, where the score is nearly
    always up, there are few alarms again, and they mean nothing. Of several, the lowest: its alarms come first.
    """
    best, told = np.inf, 0
    for level, found in points:
        if found.false_alarms_an_hour > most:
            break
        if found.told >= max(told, 1):
            best, told = level, found.told
    return best
