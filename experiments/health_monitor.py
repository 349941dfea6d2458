"""Can a network that hears a heart sample by sample tell runs of abnormal beats, early and with few false alarms?

    python -m experiments.health_monitor --train ECG5000_TRAIN.tsv --test ECG5000_TEST.tsv
    python -m experiments.health_monitor

Files: single beats with their classes, as in UCR's ECG5000 (class 1 is normal); without them the beats are generated.
Half of the training file's beats, a draw that is always the same, train, the other half validate. Of each part one long
stream is put together: 8 to 24 normal beats, then a run of 3 to 6 abnormal ones, which is an event, and so on. Each
normal test beat is used once; those of the other parts 20 and 10 times, in ever new company. Beats were cut out and
brought to 140 values by those who made the file, so a second is nominal: ``rate`` values.

Model: a causal recurrent layer and a dense layer, trained to say at every sample whether it belongs to an event. The
test stream goes through `lstm_jax.models.monitor.Monitor` one sample at a time, from its first to its last, with one
state. The threshold is the most sensitive one with at most so many false alarms an hour on the validation stream.

Sensitivity: the share of the events with an alarm between their first and last sample. Delay: from an event's first
sample to its first alarm. Lead: from there to its end. A false alarm is one outside of all events. Beside it: how far
the last 140 values are from the mean normal training beat (deviation), which is told where beats begin, with a
threshold chosen in the same way; and as many alarms at random as the monitor's false ones (chance).

The run folder gets ``events.csv``, ``alarms.csv`` and ``plots/alarms.png``.

Measured on public files, beside what is published: docs/applications.md.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from lstm_jax.cells import LSTM, AnyCell
from lstm_jax.cli import run_experiment
from lstm_jax.data.beats import NORMAL, deviation, generated_beats, streams_of
from lstm_jax.data.labelled import read_both
from lstm_jax.metrics.alarms import (
    AlarmScores,
    alarm_scores,
    alarms_of,
    best_threshold,
    chance_sensitivity,
    events_of,
    operating_points,
)
from lstm_jax.metrics.classification import wilson_interval
from lstm_jax.models.losses import Measure, binary_cross_entropy
from lstm_jax.models.monitor import Monitor
from lstm_jax.models.tagger import SequenceTagger
from lstm_jax.options import above_zero, positive
from lstm_jax.report.alarms import alarm_picture, write_alarms
from lstm_jax.train import Experiment, Optimizer, supervised_experiment

EVENT = Measure("cross_entropy", lambda answers, targets: binary_cross_entropy(answers[..., 0], targets))


@dataclass(frozen=True)
class Config:
    """A monitor of heartbeats."""

    train: str = ""
    """A file of beats to train and validate on; empty: generated beats."""
    test: str = ""
    """A file of beats to test on."""
    normal: str = NORMAL
    """The class of normal beats; all others are abnormal."""
    rate: float = 175.0
    """Samples in a second: at 175, a beat of 140 lasts 0.8 s."""
    most: float = 6.0
    """False alarms an hour on the validation stream, at most."""
    hold_off: int = 140
    """Samples for which the score must have been below the threshold before another alarm."""
    context: int = 1000
    """Samples of a training sequence."""
    cell: AnyCell = LSTM(32)
    """The recurrent layer; it hears the past alone."""
    optimizer: Optimizer = Optimizer(learning_rate=3e-3)
    batch_size: int = 32
    """Sequences in a training step."""
    steps: int = 1000
    """Optimiser steps at most."""
    patience: int = 6
    """Validations, 50 steps apart, without a better score that end the training."""


class Watched(NamedTuple):
    """How the monitor, and the deviation from the mean beat, do on the test stream."""

    scores: dict[str, np.ndarray]
    """``[samples]`` of either."""
    thresholds: dict[str, float]
    alarms: dict[str, np.ndarray]
    found: dict[str, AlarmScores]


def build(config: Config) -> Experiment:
    """The experiment for these settings."""
    for setting in ("hold_off", "context", "batch_size", "patience"):
        positive(setting, getattr(config, setting))
    above_zero("rate", config.rate)
    above_zero("most", config.most)
    files = read_both(config.train, config.test)
    files = files or (generated_beats(400, seed=0), generated_beats(1500, seed=1))
    streams, mean = streams_of(*files, config.normal, config.context)
    events = {name: events_of(stream.abnormal) for name, stream in streams.items()}
    model = SequenceTagger(cells=(config.cell,), outputs=1)
    parts = {name: stream.pieces(config.context) for name, stream in streams.items()}
    deviations = {name: deviation(stream, mean) for name, stream in streams.items()}

    def watch(params: Any) -> Watched:
        monitor = Monitor(model, params, np.inf, config.hold_off)
        heard = {"monitor": np.asarray(monitor.watch(jnp.asarray(streams["validation"].values))[0])}
        thresholds = {
            kind: best_threshold(
                operating_points(score, events["validation"], config.rate, config.hold_off), config.most
            )
            for kind, score in {**heard, "deviation": deviations["validation"]}.items()
        }
        score, raised = replace(monitor, threshold=thresholds["monitor"]).watch(jnp.asarray(streams["test"].values))
        compared = alarms_of(deviations["test"], thresholds["deviation"], config.hold_off)
        alarms = {"monitor": np.flatnonzero(raised), "deviation": compared}
        samples = len(streams["test"].values)
        found = {kind: alarm_scores(at, events["test"], samples, config.rate) for kind, at in alarms.items()}
        return Watched({"monitor": np.asarray(score), "deviation": deviations["test"]}, thresholds, alarms, found)

    def scores(params: Any) -> dict[str, float]:
        watched = watch(params)
        monitor = watched.found["monitor"]
        low, high = wilson_interval(monitor.told, monitor.events)
        told = {"sensitivity_low": low, "sensitivity_high": high, "events": monitor.events, "hours": monitor.hours}
        told["chance_sensitivity"] = chance_sensitivity(events["test"], config.rate, monitor.false_alarms_an_hour)
        if np.isfinite(threshold := watched.thresholds["monitor"]):  # else none keeps the bound: it never alarms
            told["threshold"] = threshold
        for kind, found in watched.found.items():
            prefix = "" if kind == "monitor" else f"{kind}_"
            told[f"{prefix}sensitivity"] = found.sensitivity
            told[f"{prefix}false_alarms_an_hour"] = found.false_alarms_an_hour
            if found.told:
                told[f"{prefix}delay_seconds"] = float(np.median(found.delays)) / config.rate
                told[f"{prefix}lead_seconds"] = float(np.median(found.leads)) / config.rate
        return {name: value for name, value in told.items() if np.isfinite(value)}

    def report(params: Any, folder: Path) -> None:
        watched = watch(params)
        write_alarms(folder, watched.alarms["monitor"], events["test"], config.rate)
        curves = {
            kind: operating_points(score, events["test"], config.rate, config.hold_off)
            for kind, score in watched.scores.items()
        }
        values = streams["test"].values[:, 0]
        alarm_picture(
            folder / "plots" / "alarms.png",
            curves,
            watched.found["monitor"],
            values=values,
            scores=watched.scores["monitor"],
            threshold=watched.thresholds["monitor"],
            alarms=watched.alarms["monitor"],
            events=events["test"],
            rate=config.rate,
            most=config.most,
            stretch=slice(0, min(len(values), round(60 * config.rate))),
        )

    share = streams["test"].abnormal.mean()
    return supervised_experiment(
        model,
        name="health_monitor",
        config=config,
        train=parts["train"],
        validation=parts["validation"],
        test=parts["test"],
        loss=EVENT,
        optimizer=config.optimizer,
        batch_size=config.batch_size,
        steps=config.steps,
        patience=config.patience,
        baseline=float(-share * np.log(share) - (1 - share) * np.log(1 - share)),
        scores_on_host=scores,
        report=report,
    )


if __name__ == "__main__":
    run_experiment(Config, build, name="health_monitor")
