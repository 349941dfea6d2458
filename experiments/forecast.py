"""How well does a recurrent network forecast a series, beside forecasts that take no training?

    python -m experiments.forecast --csv FILE --column NAME --horizon 7
    python -m experiments.forecast

The last ``context`` values of one series are read, the next ``horizon`` are forecast at once. The rows are cut in order
of time: the first 70% train, the next 15% validate (training stops when they get no better, and the best parameters are
kept), the last 15% test, once. The scale is that of the training rows alone. A gap in the file is filled with the value
before it and marked as a second input; a missing value is never a target. Without a file the series is generated: the
daily demand of a shop, 1,500 days.

Model: one recurrent layer, a dense layer on its last output. It sees each context relative to its last value and in
units of its own spread, and answers in the same terms, so that a series may grow beyond what training saw.

Beside it: the last value (naive), the value one season before (seasonal naive), and a linear map from the context by
least squares. ``skill`` is the share of the best of their errors that the network saves: below 0 it is of no use.
The run folder gets ``predictions.csv`` (the test rows), ``future.csv`` (the rows to come) and ``plots/forecast.png``.

Measured on 2 CPU cores (AMD EPYC, jax 0.10.2, 2026-11-21) on the generated series, seed 0: 10 s, test RMSE 5.64; naive
13.45, seasonal naive 7.42, linear 5.82.

Papers: Hyndman & Athanasopoulos (2021), "Forecasting: Principles and Practice", section 5.2 (the simple forecasts);
Hewamalage, Bergmeir & Bandara (2021), "Recurrent Neural Networks for Time Series Forecasting" (recurrent ones).
"""

import csv
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax import data
from lstm_jax.cells import LSTM, AnyCell
from lstm_jax.cli import run_experiment
from lstm_jax.models import SequenceRegressor
from lstm_jax.options import positive
from lstm_jax.report.figures import forecast_against_truth
from lstm_jax.train import Experiment, Optimizer

FRACTIONS = (0.7, 0.15, 0.15)


@dataclass(frozen=True)
class Config:
    """A forecast of one column of a CSV file."""

    csv: str = ""
    """The file: a header, a row for each time, oldest first; empty: the generated series."""
    column: str = ""
    """The column to forecast; empty: the only column of numbers."""
    horizon: int = 7
    """Rows to forecast."""
    context: int = 28
    """Rows that a forecast sees."""
    season: int = 0
    """Rows of a season for the seasonal naive forecast; 0: found in the training rows, 1 if there is none."""
    cell: AnyCell = LSTM(32)
    """The recurrent layer."""
    optimizer: Optimizer = Optimizer(learning_rate=3e-3)
    batch_size: int = 32
    """Windows in a training step."""
    steps: int = 5000
    """Optimiser steps at most."""
    patience: int = 10
    """Validations, 50 steps apart, without a better score that end the training."""


@dataclass(frozen=True, eq=False)
class Part:
    """The windows of one part of the series, in the training part's standard units."""

    xs: np.ndarray
    """``[T, W, 1]``; ``[T, W, 2]`` with a mark of what was missing."""
    targets: np.ndarray
    """``[W, horizon]``, NaN where missing."""
    first: int
    """The row of the first window's first target."""


def build(config: Config) -> Experiment:
    """The experiment for these settings."""
    for setting in ("horizon", "context", "batch_size", "patience"):
        positive(setting, getattr(config, setting))
    series = data.read_series(config.csv, config.column or None) if config.csv else data.generated_series()
    _check_length(series, config)
    scale, parts = _parts(series, config)
    train, validation, test = parts
    season = config.season or _season(series, config.context)
    simple = _simple_forecasts(train, test.xs[..., 0], config.horizon, season)
    trivial = {f"rmse_{name}": _rmse(forecast, test.targets) * scale.std for name, forecast in simple.items()}
    best = min(trivial.values())
    model = SequenceRegressor(cells=(config.cell,), outputs=config.horizon)
    windows = train.targets.shape[0]
    batch_size = min(config.batch_size, windows)

    def init(key: jax.Array) -> Any:
        return model.init(key, jnp.asarray(train.xs[:, :1]))

    def forecast(params: Any, xs: jax.Array, **rngs: Any) -> jax.Array:
        values, marks = xs[..., :1], xs[..., 1:]
        level = values[-1]
        spread = jnp.std(values, axis=0) + 0.1  # a tenth of the series' own: of a flat context nothing is blown up
        seen = jnp.concatenate([(values - level) / spread, marks], axis=-1)
        answers: Any = model.apply(params, seen, **rngs)
        return answers * spread + level

    def batch(key: jax.Array, step: jax.Array) -> Any:
        rows = data.epoch_rows(key, step, windows, batch_size)
        return jnp.asarray(train.xs)[:, rows], jnp.asarray(train.targets)[rows]

    def loss(params: Any, batch: Any, key: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        xs, targets = batch
        value = _mean(forecast(params, xs, rngs={"dropout": key}), targets, jnp.square)
        return value, {"rmse": jnp.sqrt(value) * scale.std}

    def scores(params: Any, part: Part) -> dict[str, Any]:
        answers, targets = forecast(params, jnp.asarray(part.xs)), jnp.asarray(part.targets)
        return {
            "rmse": jnp.sqrt(_mean(answers, targets, jnp.square)) * scale.std,
            "mae": _mean(answers, targets, jnp.abs) * scale.std,
        }

    def with_skill(scores: dict[str, Any]) -> dict[str, Any]:
        return {**scores, **trivial, "skill": 1 - scores["rmse"] / best}

    def report(params: Any, folder: Path) -> None:
        answers = np.asarray(jax.jit(forecast)(params, jnp.asarray(test.xs)))
        columns = {"truth": test.targets, "forecast": answers, **simple}
        shown = {name: scale.invert(np.asarray(values, np.float64)) for name, values in columns.items()}
        times = series.times[test.first :]
        _write_predictions(folder / "predictions.csv", times, shown)
        xs = _last_context(series, scale, config.context)
        simple_ahead = _simple_forecasts(train, xs[..., 0], config.horizon, season)
        ahead = {"forecast": np.asarray(jax.jit(forecast)(params, jnp.asarray(xs))), **simple_ahead}
        to_come = {name: scale.invert(np.asarray(values, np.float64)) for name, values in ahead.items()}
        times_to_come = series.times_after(config.horizon)
        _write_predictions(folder / "future.csv", times_to_come, to_come)
        picture = folder / "plots" / "forecast.png"
        forecast_against_truth(picture, [*times, *times_to_come], shown, series.name, to_come["forecast"][0])

    notes = []
    if series.missing:
        gaps = f"{series.missing} of its {len(series.values)} values are missing"
        notes.append(f"{series.name}: {gaps}: filled with the value before, and marked.")
    if series.skipped:
        notes.append(f"{series.name}: {series.skipped} times are left out between the rows, which are taken as even.")
    return Experiment(
        name="forecast",
        init=init,
        batch=batch,
        loss=loss,
        evaluate=lambda params, key: scores(params, validation),
        test=lambda params, key: with_skill(scores(params, test)),
        optimizer=config.optimizer,
        steps=config.steps,
        batch_size=batch_size,
        metric="rmse",
        baseline=trivial["rmse_naive"],
        patience=config.patience,
        report=report,
        notes=tuple(notes),
        fingerprint=hashlib.sha256(series.values.tobytes()).hexdigest()[:16],
        config=config,
    )


def _check_length(series: data.Series, config: Config) -> None:
    """Refuse a series without a window of training, or with a part that no forecast fits into."""
    rows, needed = len(series.values), config.context + config.horizon
    train = FRACTIONS[0]
    needed = max(needed / train, config.horizon / min(FRACTIONS)) + 3  # each cut is rounded
    if rows < needed:
        raise ValueError(
            f"{config.csv or 'The generated series'} has {rows} rows, but a context of {config.context} and a horizon "
            f"of {config.horizon} need at least {int(needed) + 1}: give more rows, or a smaller --context or --horizon."
        )


def _parts(series: data.Series, config: Config) -> tuple[data.Standardizer, list[Part]]:
    """The scale of the training rows, and the windows of training, validation and test."""
    missing = np.isnan(series.values)
    filled = data.fill_missing(series.values)
    rows = data.chronological_split(len(filled), FRACTIONS)
    scale = data.Standardizer.fit(filled[rows[0]])
    scaled = scale.apply(filled).astype(np.float32)
    parts = []
    for part in rows:
        span = config.context, config.horizon, part.start, part.stop
        xs, targets = data.windows(scaled, *span)
        marks, unknown = data.windows(missing.astype(np.float32), *span)
        xs = np.concatenate([xs, marks], axis=-1) if series.missing else xs
        targets = np.where(unknown > 0, np.float32(np.nan), targets)
        parts.append(Part(xs, targets, max(part.start, config.context)))
    return scale, parts


def _season(series: data.Series, context: int) -> int:
    """The series' season, or what the training rows show, if a context holds it; else 1."""
    if series.season is not None and series.season <= context:
        return series.season
    filled = data.fill_missing(series.values)
    return data.detect_season(filled[data.chronological_split(len(filled), FRACTIONS)[0]], context)


def _last_context(series: data.Series, scale: data.Standardizer, context: int) -> np.ndarray:
    """What the series ends with ``[T, 1, features]``: the forecast from it is of rows to come."""
    columns = [scale.apply(data.fill_missing(series.values))]
    if series.missing:
        columns.append(np.isnan(series.values))
    return np.stack(columns, axis=-1).astype(np.float32)[-context:, None]


def _simple_forecasts(train: Part, context: np.ndarray, horizon: int, season: int) -> dict[str, np.ndarray]:
    """What needs no network, from contexts ``[T, W]``: ``[W, horizon]`` by name."""
    whole = ~np.isnan(train.targets).any(axis=1)
    return {
        "naive": data.naive(context, horizon),
        "seasonal_naive": data.seasonal_naive(context, horizon, season),
        "linear": data.fit_linear(train.xs[:, whole, 0], train.targets[whole])(context),
    }


def _mean(answers: jax.Array, targets: jax.Array, size: Callable[[jax.Array], jax.Array]) -> jax.Array:
    """The mean size of the errors at known targets."""
    known = ~jnp.isnan(targets)
    errors = answers - jnp.where(known, targets, answers)  # not NaN anywhere, or the gradient would be
    return jnp.sum(size(errors)) / jnp.maximum(known.sum(), 1)


def _rmse(forecast: np.ndarray, targets: np.ndarray) -> float:
    return float(np.sqrt(np.nanmean((forecast - targets) ** 2)))


def _write_predictions(path: Path, times: list[str], columns: dict[str, np.ndarray]) -> None:
    """A row for each window and row ahead: when the forecast was for, how far ahead, and each column's value."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["time", "rows_ahead", *columns])
        for window, ahead in np.ndindex(*columns["forecast"].shape):
            values = [columns[name][window, ahead] for name in columns]
            numbers = ["" if np.isnan(value) else f"{value:.6g}" for value in values]
            writer.writerow([times[window + ahead], ahead + 1, *numbers])


if __name__ == "__main__":
    run_experiment(Config, build, name="forecast")
