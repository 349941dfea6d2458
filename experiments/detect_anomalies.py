"""Do the errors of a recurrent network point out the anomalies of a series, as they come in?

    python -m experiments.detect_anomalies --path FOLDER
    python -m experiments.detect_anomalies --path FILE.csv --windows WINDOWS.json
    python -m experiments.detect_anomalies

Series in the format of the Numenta Anomaly Benchmark (NAB): CSV files with ``timestamp,value`` and a JSON file of the
windows that hold anomalies. Of each series the first 15%, at most 750 rows, is probation, where nothing is scored: the
first four fifths of it train (and set the scale), the last fifth validates. One model learns from all series. The
windows are read for the score alone. Without files four small series are generated.

Model: one recurrent layer that sees the value and the time of day. ``forecaster`` forecasts the value ``horizon`` rows
ahead; ``autoencoder`` repeats the last ``context`` rows from one vector. How unlikely the last errors are beside the
earlier ones (`lstm_jax.models.anomaly`) is the anomaly score of a row; no later row enters it, and ``stream`` gives the
same scores row by row.

Score: NAB's, in three profiles (`lstm_jax.metrics.nab`): 100 is perfect, 0 as good as no detector. ``nab_standard`` and
so on take, as NAB itself does, the threshold that is best for the very rows that are scored. ``nab_*_at_probation``
takes the highest score that was seen in the validating rows: what can be had without labels. Beside it: NAB's windowed
Gaussian and a random detector, with thresholds of the first kind. The figures of NAB's scoreboard (58 series: windowed
Gaussian 39.6, random 11) compare with a run on all of its series only. The default horizon, of 1, 6, 12 and 24, is the
one with the best ``nab_standard`` on the artificial series: those of realKnownCause are the ones it was not chosen on.

The run folder gets ``predictions.csv``, a row for each row of each series, and ``plots/anomalies.png``.

Papers: Lavin & Ahmad (2015), arXiv 1510.03336; Malhotra et al. (2016), arXiv 1607.00148 (the autoencoder).

Measured on public files, beside what is published: docs/applications.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from lstm_jax import data
from lstm_jax.cells import LSTM, AnyCell
from lstm_jax.cli import run_experiment
from lstm_jax.data.nab import ScaledSeries, features, generated_nab, read_nab
from lstm_jax.metrics.nab import PROFILES, nab_score, probation, windowed_gaussian
from lstm_jax.models import SequenceTagger
from lstm_jax.models.anomaly import ErrorTail, SequenceAutoencoder, stream_autoencoder, stream_forecaster
from lstm_jax.models.losses import MAE
from lstm_jax.options import of_a_file, one_of, positive
from lstm_jax.report.anomalies import draw_anomalies, write_anomalies
from lstm_jax.train import Experiment, Optimizer, predict, supervised_experiment

HOP = 4
"""Rows between two training windows."""
DRAWS = 10
"""Random detectors whose mean score is reported: on few series the best threshold makes it vary."""


@dataclass(frozen=True)
class Config:
    """A detector of anomalies in series."""

    path: str = ""
    """A folder of CSV files, or one of them; empty: generated series."""
    windows: str = ""
    """The JSON file of windows; empty: labels/combined_windows.json in the folder."""
    detector: Literal["forecaster", "autoencoder"] = "forecaster"
    """Whose errors are looked at."""
    horizon: int = 24
    """How many rows ahead the forecaster forecasts: a near value is easily had by repeating the last one."""
    cell: AnyCell = LSTM(32)
    """The recurrent layer."""
    context: int = 64
    """Rows of a training window; what the autoencoder repeats."""
    tail: ErrorTail = ErrorTail()
    """How errors become anomaly scores."""
    optimizer: Optimizer = Optimizer(learning_rate=3e-3)
    batch_size: int = 32
    """Windows in a training step."""
    steps: int = 3000
    """Optimiser steps at most."""
    patience: int = 10
    """Validations, 50 steps apart, without a better score that end the training."""


def build(config: Config) -> Experiment:
    """The experiment for these settings."""
    for setting in ("horizon", "context", "batch_size", "steps", "patience"):
        positive(setting, getattr(config, setting))
    of_a_file(config, "path", "windows")
    one_of("detector", config.detector, ("forecaster", "autoencoder"))
    found = read_nab(config.path, config.windows) if config.path else generated_nab()
    needed = config.context + config.horizon
    rows = [ScaledSeries.of(series, probation(len(series.values)), needed) for series in found]
    windows = [series.windows for series in found]
    train, validation, test = (_examples(config, rows, part) for part in ("train", "validation", "test"))
    gaussian = [np.abs(windowed_gaussian(series.values)) for series in found]
    trivial = {f"nab_{profile}_windowed_gaussian": nab_score(gaussian, windows, profile).score for profile in PROFILES}
    drawn = np.random.default_rng(0)
    for profile in PROFILES:
        guesses = [[drawn.random(len(series.values)) for series in found] for _ in range(DRAWS)]
        trivial[f"nab_{profile}_random"] = float(np.mean([nab_score(one, windows, profile).score for one in guesses]))

    def judged(params: Any) -> tuple[list[np.ndarray], float]:
        scores = anomaly_scores(config, params, rows)
        seen = [its[one.trained : one.probation] for one, its in zip(rows, scores, strict=True)]
        return scores, float(np.nextafter(max(its.max() for its in seen), np.inf))

    def nab_scores(params: Any) -> Mapping[str, float]:
        scores, threshold = judged(params)
        metrics = {"threshold_at_probation": threshold}
        for profile in PROFILES:
            best = nab_score(scores, windows, profile)
            metrics |= {f"nab_{profile}": best.score, f"threshold_{profile}": best.threshold}
            metrics[f"nab_{profile}_at_probation"] = nab_score(scores, windows, profile, threshold).score
        return metrics | trivial

    def report(params: Any, folder: Path) -> None:
        scores, threshold = judged(params)
        best = nab_score(scores, windows).threshold
        write_anomalies(folder / "predictions.csv", rows, scores, threshold)
        draw_anomalies(folder / "plots" / "anomalies.png", found, scores, {"best": best, "probation": threshold})

    return supervised_experiment(
        model_of(config),
        name="detect_anomalies",
        config=config,
        train=train,
        validation=validation,
        test=test,
        loss=MAE,
        optimizer=config.optimizer,
        batch_size=config.batch_size,
        steps=config.steps,
        patience=config.patience,
        scores_on_host=nab_scores,
        report=report,
        notes=(f"{len(rows)} series, {sum(map(len, windows))} windows of anomalies.",),
    )


def model_of(config: Config) -> nn.Module:
    """The network: an answer ``[T, B, 1]`` at each step."""
    if config.detector == "autoencoder":
        return SequenceAutoencoder(config.cell)
    return SequenceTagger((config.cell,))


def anomaly_scores(config: Config, params: Any, rows: list[ScaledSeries]) -> list[np.ndarray]:
    """The anomaly scores ``[N]`` of each series."""
    errors, ahead = [], config.horizon
    if config.detector == "autoencoder":
        for one in rows:
            cut = one.windows(0, len(one.xs), config.context, 1)
            answers = predict(model_of(config), params, data.Examples.of(list(cut), cut[..., :1], every_step=True))
            late = np.abs(answers[..., 0] - cut[..., 0].T).mean(axis=0)
            errors.append(np.concatenate([np.zeros(config.context - 1), late]))
    else:
        whole = data.Examples.of([one.xs for one in rows], [one.xs[:, :1] for one in rows], every_step=True)
        answers = predict(model_of(config), params, whole)
        for number, one in enumerate(rows):
            late = np.abs(answers[: len(one.xs) - ahead, number, 0] - one.xs[ahead:, 0])
            errors.append(np.concatenate([np.zeros(ahead), late]))
    return [np.asarray(jax.jit(config.tail.scores)(jnp.asarray(its, jnp.float32)), np.float64) for its in errors]


def stream(config: Config, params: Any, scale: data.Standardizer) -> Callable[..., tuple[Any, float]]:
    """A detector for one series, a row at a time: ``step(state, value, hour) -> (state, anomaly score)``.

    The first state is None. A step's work does not grow with the length of the stream.
    """
    if config.detector == "autoencoder":
        next_score = stream_autoencoder(config.cell, params, config.tail, config.context)
    else:
        next_score = stream_forecaster(config.cell, params, config.tail, config.horizon)
    return lambda state, value, hour: next_score(state, jnp.asarray(features(scale, np.array(value), np.array(hour))))


def _examples(config: Config, rows: list[ScaledSeries], part: str) -> data.Examples:
    """Windows that train; and, of a forecaster, whole series whose targets are those of the part alone."""
    repeats = config.detector == "autoencoder"
    ahead, sequences, targets = 0 if repeats else config.horizon, [], []
    for one in rows:
        first, stop = {
            "train": (0, one.trained),
            "validation": (one.trained, one.probation),
            "test": (one.probation, len(one.xs)),
        }[part]
        if part == "train" or repeats:
            length, hop = config.context + ahead, HOP if part != "test" else config.context // 2 or 1
            cut = one.windows(max(first - length + 1, 0), stop, length, hop)
            sequences += list(cut[:, : config.context])
            targets += list(cut[:, ahead:, :1])
        else:
            answers = one.xs[ahead:stop, :1].copy()
            answers[: first - ahead] = np.nan
            sequences.append(one.xs[: stop - ahead])
            targets.append(answers)
    return data.Examples.of(sequences, targets, every_step=True)


if __name__ == "__main__":
    run_experiment(Config, build, name="detect_anomalies")
