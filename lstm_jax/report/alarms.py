"""A monitor's alarms as tables, and as a picture: what they cost and catch, and a stretch of the stream."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lstm_jax.metrics.alarms import AlarmScores, Events, chance_sensitivity
from lstm_jax.report.drawing import BASELINE, COLORS, PALE, TARGET, VALIDATION, finish, legend, new_figure, save_png
from lstm_jax.report.rows import write_rows


def alarm_picture(
    path: Path,
    curves: Mapping[str, list[tuple[float, AlarmScores]]],
    chosen: AlarmScores,
    *,
    values: np.ndarray,
    scores: np.ndarray,
    threshold: float,
    alarms: np.ndarray,
    events: Events,
    rate: float,
    most: float,
    stretch: slice,
) -> Path:
    """Draw sensitivity against false alarms an hour, and below it a stretch of the stream with its alarms.

    Args:
        path: the PNG file.
        curves: operating points on the test stream by name.
        chosen: what the monitor came to on the test stream.
        values: the stream's first channel ``[samples]``.
        scores: the monitor's ``[samples]``.
        threshold: the monitor's.
        alarms: samples at which it raised one.
        events: what there was to tell.
        rate: samples in a second.
        most: false alarms an hour that the threshold was chosen for.
        stretch: the samples to show.

    Raises:
        ImportError: matplotlib is not installed.
    """
    figure = new_figure((9, 8))
    curve, stream, score = figure.subplots(3, 1, height_ratios=(2.2, 1, 1))
    for number, (name, points) in enumerate(curves.items()):
        found = [point for _, point in points]
        at = [point.false_alarms_an_hour for point in found], [point.sensitivity for point in found]
        # The highest thresholds first; below the best one, alarms melt together, and the curve would turn back.
        turn = int(np.argmax(at[1])) + 1
        curve.plot(at[0][:turn], at[1][:turn], color=COLORS[3 * number], label=name)
    an_hour = np.geomspace(0.1, 1000)
    chance = [chance_sensitivity(events, rate, each) for each in an_hour]
    curve.plot(an_hour, chance, color=PALE, label="chance")
    curve.plot(chosen.false_alarms_an_hour, chosen.sensitivity, "o", color=VALIDATION, label="chosen on validation")
    curve.axvline(most, color=BASELINE, linestyle="--", linewidth=0.9, label="bound for validation")
    curve.set_xscale("symlog", linthresh=1.0)
    curve.set_xlim(0, 1000)
    curve.set_ylim(0, 1.02)
    finish(curve, "false alarms an hour", "sensitivity", "Test stream: events told")
    shown = np.arange(stretch.start, stretch.stop)
    seconds = shown / rate
    stream.plot(seconds, values[stretch], color="#333333", linewidth=0.7)
    score.plot(seconds, scores[stretch], color=COLORS[0], linewidth=0.9)
    if np.isfinite(threshold):
        score.axhline(threshold, color=BASELINE, linestyle="--", linewidth=0.9)
    for axes in (stream, score):
        for first, behind in events:
            if behind > stretch.start and first < stretch.stop:
                axes.axvspan(first / rate, behind / rate, color=TARGET, alpha=0.18, linewidth=0)
        for alarm in alarms[(alarms >= stretch.start) & (alarms < stretch.stop)]:
            axes.axvline(alarm / rate, color=VALIDATION, linewidth=1.2)
        axes.set_xlim(seconds[0], seconds[-1])
    finish(stream, "", "stream", "A stretch of it: events (shaded) and alarms (lines)")
    finish(score, "seconds", "score")
    legend(figure, 9)
    return save_png(figure, path)


def write_alarms(folder: Path, alarms: np.ndarray, events: Events, rate: float) -> None:
    """Write ``alarms.csv``, each with its event if it is in one, and ``events.csv``, each with its first alarm."""
    spans = np.array(events)
    rows = []
    for alarm in alarms:
        inside = np.flatnonzero((spans[:, 0] <= alarm) & (alarm < spans[:, 1])) + 1
        rows.append([alarm, f"{alarm / rate:.3f}", *(inside if len(inside) else [""])])
    write_rows(folder / "alarms.csv", ["sample", "second", "event"], rows)
    rows = []
    for number, (first, behind) in enumerate(events, start=1):
        told = alarms[(first <= alarms) & (alarms < behind)][:1]
        times = [value for alarm in told for value in (alarm, (alarm - first) / rate, (behind - alarm) / rate)]
        rows.append([number, first, behind, *(times or [""] * 3)])
    header = ["event", "first", "behind_last", "first_alarm", "delay_seconds", "lead_seconds"]
    write_rows(folder / "events.csv", header, rows)
