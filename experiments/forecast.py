"""How well does a recurrent network forecast series, beside forecasts that take no training?

    python -m experiments.forecast --csv FILE --column NAME --horizon 7
    python -m experiments.forecast --csv FILE --column A B --covariates C --known D --calendar --strategy seq2seq
    python -m experiments.forecast --csv FILE --column price --group symbol --time date --head quantile
    python -m experiments.forecast

The last ``context`` rows are read, the next ``horizon`` are forecast: one column or several together, of one series or
of many in one model (``group``), each scaled by itself. The rows are cut in order of time: the first 70% train, the
next 15% validate (training stops when they get no better, and the best parameters are kept), the last 15% test, once,
from every origin in them. Scales are those of the training rows alone. A gap is filled with the value before it and
marked as an input; a missing value is never a target. What is known when is declared: targets and covariates up to the
origin, ``known`` columns and the calendar in advance; before training, all values behind an origin are replaced and
every input has to stay as it is. Without a file the series is generated: the daily demand of a shop, 1,500 days.

Model: `lstm_jax.models.forecaster`: recurrent layers, then a dense layer that answers all rows to come at once
(``direct``), row by row by its own forecasts (``recursive``), or a decoder (``seq2seq``); with a number, quantiles or a
normal distribution for each. It sees each context relative to its last value and in units of its own spread.

Beside it: the last value (naive), the value one season before (seasonal naive), and a linear map from each column's
context by least squares. ``skill`` is the share of the best of their errors that the network saves: below 0 it is of no
use. ``rmse``, ``mae`` and ``crps`` are in the series' own units, of several series or columns in standard units (those
of the training rows), in which ``standard_mse`` and ``standard_mae`` always are. Of a backtest whose origin rolls on,
each ``--folds K --fold k`` is a run, trained on all rows before its test block.
The run folder gets ``predictions.csv`` (the test rows), ``future.csv`` (the rows to come), ``backtest.csv`` (errors by
origin, named by its first row to come, and by distance) and ``plots/forecast.png``.

Expected with seed 0 on the generated series: test RMSE about 5.6; naive 13.45, seasonal naive 7.42, linear 5.82.

Papers: Hyndman & Athanasopoulos (2021), "Forecasting: Principles and Practice", section 5.2 (the simple forecasts);
Hewamalage, Bergmeir & Bandara (2021), "Recurrent Neural Networks for Time Series Forecasting" (one model for many
series); Tashman (2000), "Out-of-sample tests of forecasting accuracy" (rolling origins).

Measured on public files, beside what is published: docs/applications.md.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np

from lstm_jax import data
from lstm_jax.cells import LSTM, AnyCell
from lstm_jax.cli import run_experiment
from lstm_jax.data.baselines import season_of
from lstm_jax.data.panel import Part, make_panel
from lstm_jax.data.roles import Roles, read_with_roles
from lstm_jax.data.split import split_panel
from lstm_jax.metrics import forecasting as scores
from lstm_jax.models.forecaster import Forecaster
from lstm_jax.models.heads import Point, check_levels, make_head, measures, quantile_columns
from lstm_jax.options import of_a_file, positive
from lstm_jax.report.forecasting import report_forecasts
from lstm_jax.train import Experiment, Optimizer
from lstm_jax.train.supervised import predict, supervised_experiment

Columns = dict[str, np.ndarray]
EXACT = "A simple forecast is exact on the test rows: there is nothing to gain, and no skill to measure."


@dataclass(frozen=True)
class Config:
    """A forecast of columns of a CSV file."""

    csv: str = ""
    """The file: a header, a row for each time, oldest first; empty: the generated series."""
    column: tuple[str, ...] = ()
    """The columns to forecast; none: the only column of numbers; all: every column of numbers."""
    covariates: tuple[str, ...] = ()
    """Columns that are inputs alone, known as long as those to forecast."""
    known: tuple[str, ...] = ()
    """Columns that are inputs alone, known in advance, as holidays are."""
    calendar: bool = False
    """Hour, weekday and time of the year are inputs, too."""
    group: str = ""
    """The column that names the series of a row, where the file holds many; empty: it holds one."""
    time: tuple[str, ...] = ()
    """The column of dates, or those of year, month, day, hour; none: the first one that looks like it."""
    horizon: int = 7
    """Rows to forecast."""
    context: int = 28
    """Rows that a forecast sees."""
    season: int = 0
    """Rows of a season for the seasonal naive forecast; 0: found in the training rows, 1 if there is none."""
    split: tuple[float, float, float] = (0.7, 0.15, 0.15)
    """Training, validation and test: shares, or numbers of rows."""
    folds: int = 1
    """Blocks of the test rows in a backtest."""
    fold: int = 0
    """Which of them is tested, from 0; all before it trains and validates."""
    head: Literal["point", "quantile", "gaussian"] = "point"
    """What is said of each number: itself, its quantiles, a normal distribution."""
    levels: tuple[float, ...] = (0.1, 0.25, 0.5, 0.75, 0.9)
    """The levels of quantiles."""
    strategy: Literal["direct", "recursive", "seq2seq"] = "direct"
    """All rows at once, row by row from its own forecasts, or by a decoder."""
    relative_to: Literal["last", "mean", "none"] = "last"
    """What a context is seen relative to: its last value, its mean, or nothing."""
    linear_path: bool = False
    """Add a linear map of each column's context to the network's answer."""
    cell: AnyCell = LSTM(32)
    """The recurrent layer."""
    dropout: float = 0.0
    """Rate on the outputs of the recurrent layer."""
    optimizer: Optimizer = Optimizer(learning_rate=3e-3)
    batch_size: int = 32
    """Windows in a training step."""
    steps: int = 5000
    """Optimiser steps at most."""
    evaluate_every: int = 50
    """Steps between two validations."""
    patience: int = 10
    """Validations without a better score that end the training."""


def build(config: Config) -> Experiment:
    """The experiment for these settings."""
    for setting in ("horizon", "context", "batch_size", "patience"):
        positive(setting, getattr(config, setting))
    of_a_file(config, "csv", "column", "covariates", "known", "group", "time")
    check_levels(config.levels)
    head = make_head(config.head, config.levels)
    series, roles = _read(config)
    _check_recursive(config, roles)
    parts = split_panel(series, config.split, config.fold, config.folds)
    panel = make_panel(series, roles, parts, config.context, config.horizon)
    season = config.season or season_of(series[0], parts[0][0], config.context)
    model = Forecaster(
        cells=(config.cell,),
        context=config.context,
        targets=len(roles.targets),
        known=panel.known,
        head=head,
        strategy=config.strategy,
        relative_to=config.relative_to,
        linear_path=config.linear_path,
        dropout=config.dropout,
    )
    # Of several series or columns only the standard units compare.
    unit = float(panel.scales[0].std[0]) if len(series) == len(roles.targets) == 1 else 1.0
    metric = "rmse" if isinstance(head, Point) else "crps"
    simple = panel.simple_forecasts(panel.test, season)
    truth = panel.test.examples.targets
    # A number is a distribution whose CRPS is its absolute error.
    baseline = (scores.rmse if metric == "rmse" else scores.mae)(simple["naive"], truth) * unit
    exact = not all(scores.rmse(values, truth) for values in simple.values())

    def forecasts(params: Any, part: Part) -> Columns:
        """The truth and all forecasts of a part's windows, ``[W, H, C]`` by name, in standard units."""
        answers = jnp.asarray(predict(model, params, part.examples))
        said = {"truth": part.examples.targets, "forecast": np.asarray(head.point(answers))}
        said |= quantile_columns(head, answers, config.levels)
        return said | (simple if part is panel.test else panel.simple_forecasts(part, season))

    def further_scores(params: Any) -> dict[str, float]:
        columns = forecasts(params, panel.test)
        forecast, quantiles = columns["forecast"], {name: columns[name] for name in columns if name.startswith("q")}
        scales = panel.naive_errors(series, parts, season)
        own = panel.invert(panel.test, forecast), panel.invert(panel.test, truth)
        return scores.forecast_scores(forecast, truth, simple, quantiles, scales, own, unit)

    def report(params: Any, folder: Path) -> None:
        tables = {"predictions": panel.test} | ({} if panel.ahead is None else {"future": panel.ahead})
        columns = {name: forecasts(params, part) for name, part in tables.items()}
        report_forecasts(folder, series, roles.targets, panel, columns)

    return supervised_experiment(
        model,
        name="forecast",
        config=config,
        train=panel.train.of_one_row(config.context) if config.strategy == "recursive" else panel.train.examples,
        validation=panel.validation.examples,
        test=panel.test.examples,
        loss=dataclasses.replace(head.loss, name="loss"),
        scores=measures(head, unit),
        metric=metric,
        optimizer=config.optimizer,
        batch_size=config.batch_size,
        steps=config.steps,
        baseline=baseline,
        patience=config.patience,
        evaluate_every=config.evaluate_every,
        scores_on_host=further_scores,
        report=report,
        notes=(*panel.notes(series), *((EXACT,) if exact else ())),
    )


def _read(config: Config) -> tuple[list[data.Series], Roles]:
    """The series, with a column for each of the roles, in this order."""
    if config.csv:
        roles = Roles(config.column, config.covariates, config.known, config.calendar)
        return read_with_roles(config.csv, roles, group=config.group, time=config.time)
    one = data.generated_series()
    roles = Roles((one.name,), calendar=config.calendar)
    return [dataclasses.replace(one, values=one.values[:, None], columns=(one.name,))], roles


def _check_recursive(config: Config, roles: Roles) -> None:
    """Refuse what a forecast that is fed back cannot do."""
    if config.strategy != "recursive":
        return
    if roles.covariates:
        raise ValueError(
            f"A recursive forecast has no {roles.covariates[0]!r} of rows to come: name it by --column, to be forecast "
            "as well, or choose --strategy direct."
        )
    if config.head != "point" and config.horizon > 1:
        raise ValueError(
            "A recursive forecast feeds its middle back, so beyond one row its quantiles would be far too narrow: "
            "choose --strategy direct or seq2seq."
        )


if __name__ == "__main__":
    run_experiment(Config, build, name="forecast")
