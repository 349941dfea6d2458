"""How well does a recurrent network forecast a column of a CSV file that is larger than memory?

    python -m experiments.stream_forecast --csv FILE --column NAME --inputs OTHER ANOTHER --horizon 24
    python -m experiments.stream_forecast

The file stays on the disk: it is read once to find its rows and once for the scale of the training rows; then the
windows of each step are read while the device computes the step before (`lstm_jax.data.HostBatches`). Memory does not
grow with the file, but for 8 bytes for 256 rows. The last rows are the test, those before them the validation, as many
windows each as ``held_out`` says, in memory; all rows before are for training. Rows are taken to be in order of time
and equally far apart. A missing input is taken for the value before; a missing target counts for nothing. Without a
file 20,000 rows are generated: a wave, noise, and what a second column was 12 rows before.

Model: `lstm_jax.models.forecaster`, a recurrent layer and a dense layer that answers all rows to come at once, relative
to the last value. Beside it, as in `experiments.forecast`: the last value (naive), the value one season before, and a
linear map of the column's context by least squares, fitted on `SAMPLE` windows spread over the training rows. ``skill``
is the share of the best of their errors that the network saves. Errors are in the column's own units. The run folder
gets ``predictions.csv`` (the test windows) and ``plots/forecast.png``. With files that fit into memory,
`experiments.forecast` does more.

Paper: Hyndman & Athanasopoulos (2021), "Forecasting: Principles and Practice", section 5.2 (the simple forecasts).

Measured on public files, beside what is published: docs/applications.md.
"""

import dataclasses
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lstm_jax import data
from lstm_jax.cells import LSTM, AnyCell
from lstm_jax.cli import run_experiment
from lstm_jax.data.host_batches import HostBatches
from lstm_jax.data.large_csv import LargeCsv
from lstm_jax.data.row_windows import Rows, RowWindows, fit_scale
from lstm_jax.metrics import forecasting as scores
from lstm_jax.models.forecaster import Forecaster
from lstm_jax.models.heads import Point, measures
from lstm_jax.options import of_a_file, positive
from lstm_jax.report.figures import forecast_against_truth
from lstm_jax.report.forecasting import write_forecasts
from lstm_jax.train import Experiment, Optimizer
from lstm_jax.train.supervised import predict, supervised_experiment

SAMPLE = 5000
"""Windows that the linear forecast is fitted on, and rows in which the season is looked for."""


@dataclass(frozen=True)
class Config:
    """A forecast of a column of a CSV file on the disk."""

    csv: str = ""
    """The file: a header, a row for each time, oldest first; empty: generated rows."""
    column: str = ""
    """The column to forecast; empty: the only one."""
    inputs: tuple[str, ...] = ()
    """Further columns of numbers that are inputs, known up to the origin of a forecast."""
    horizon: int = 12
    """Rows to forecast."""
    context: int = 48
    """Rows that a forecast sees."""
    held_out: int = 1000
    """Windows of validation, and of the test."""
    cell: AnyCell = LSTM(32)
    """The recurrent layer."""
    optimizer: Optimizer = Optimizer(learning_rate=3e-3)
    batch_size: int = 32
    """Windows in a training step."""
    steps: int = 2000
    """Optimiser steps at most."""
    evaluate_every: int = 100
    """Steps between two validations."""
    patience: int = 10
    """Validations without a better score that end the training."""


def build(config: Config) -> Experiment:
    """The experiment for these settings."""
    for setting in ("horizon", "context", "held_out", "batch_size", "patience"):
        positive(setting, getattr(config, setting))
    of_a_file(config, "csv", "column", "inputs")
    if config.column in config.inputs:
        raise ValueError(
            f"{config.column!r} is the column to forecast, which is an input anyway: leave it out of --inputs."
        )
    rows, name = _rows(config)
    ends = _ends(len(rows), config)
    scale = fit_scale(rows, ends[0])
    train, validation, test = (
        RowWindows(rows, scale, config.context, config.horizon, start, stop)
        for start, stop in itertools.pairwise((config.context, *ends))
    )
    held_out = test.examples()
    model = Forecaster(cells=(config.cell,), context=config.context)
    unit, level = float(scale.std[0]), float(scale.mean[0])
    simple = _simple(rows, train, held_out)
    trivial = {f"rmse_{key}": scores.rmse(values, held_out.targets) * unit for key, values in simple.items()}

    def further_scores(params: Any) -> dict[str, float]:
        rmse = scores.rmse(predict(model, params, held_out)[..., 0], held_out.targets) * unit
        return trivial | {"skill": 1 - rmse / min(trivial.values())}

    def report(params: Any, folder: Path) -> None:
        answers = predict(model, params, held_out)[..., 0]
        columns = {"truth": held_out.targets, "forecast": answers, **simple}
        columns = {key: values * unit + level for key, values in columns.items()}
        labels = [str(row) for row in range(test.start, test.stop + config.horizon)]
        times = [labels[window : window + config.horizon] for window in range(len(test))]
        write_forecasts(folder / "predictions.csv", [source] * len(test), [name], times, columns)
        drawn = {key: values[..., 0] for key, values in columns.items()}
        forecast_against_truth(folder / "plots" / "forecast.png", labels, drawn, name, {})

    source = Path(config.csv).stem or "generated"
    experiment = supervised_experiment(
        model,
        name="stream_forecast",
        config=config,
        train=train.examples(1),
        validation=validation.examples(),
        test=held_out,
        loss=dataclasses.replace(Point().loss, name="loss"),
        scores=measures(Point(), unit),
        metric="rmse",
        optimizer=config.optimizer,
        batch_size=config.batch_size,
        steps=config.steps,
        baseline=trivial["rmse_naive"],
        patience=config.patience,
        evaluate_every=config.evaluate_every,
        scores_on_host=further_scores,
        report=report,
        notes=(f"{len(train)} windows to train on, {len(validation)} to validate, {len(test)} to test.",),
    )
    batches = HostBatches(train, config.batch_size)
    source_data = getattr(rows, "fingerprint", "")
    return dataclasses.replace(experiment, batch=batches, batch_size=config.batch_size, fingerprint=source_data)


def _rows(config: Config) -> tuple[Rows, str]:
    """The rows, the column to forecast first, and its name."""
    if not config.csv:
        return _Generated(), "generated"
    if not config.column and config.inputs:
        raise ValueError("Name the column to forecast by --column.")
    file = LargeCsv(config.csv, (config.column, *config.inputs) if config.column else ())
    return file, file.columns[0]


def _ends(count: int, config: Config) -> tuple[int, int, int]:
    """The rows behind training, validation and test."""
    part = config.held_out + config.horizon - 1
    if count - 2 * part < config.context + config.horizon:
        raise data.DataError(
            f"{count} rows are too few to hold out {part} twice and to train on windows of "
            f"{config.context + config.horizon}: choose a smaller --held-out, or experiments.forecast."
        )
    return count - 2 * part, count - part, count


def _simple(rows: Rows, train: RowWindows, held_out: data.Examples) -> dict[str, np.ndarray]:
    """What needs no network, ``[W, H, 1]`` by name, in standard units."""
    sample = train.examples(SAMPLE)
    last = data.fill_missing(rows.read(max(0, train.stop - SAMPLE), train.stop)[:, 0])
    contexts, inputs = (part.xs[: train.context, :, :1] for part in (sample, held_out))
    return data.simple_forecasts(contexts, sample.targets, inputs, data.detect_season(last, train.context))


class _Generated:
    """A wave, noise, and what the second column was 12 rows before; each row depends on its number alone."""

    def __len__(self) -> int:
        return 20_000

    def read(self, start: int, stop: int) -> np.ndarray:
        t = np.arange(start, stop)
        values = 50 + 10 * np.sin(2 * np.pi * t / 24) + 8 * _hash((t - 12) // 4) + _hash(t + 0.5)
        return np.stack([values, _hash(t // 4)], axis=-1)


def _hash(numbers: np.ndarray) -> np.ndarray:
    """Numbers between -1 and 1 without a visible order."""
    return 2 * np.mod(np.sin(numbers * 12.9898) * 43758.5453, 1) - 1


if __name__ == "__main__":
    run_experiment(Config, build, name="stream_forecast")
