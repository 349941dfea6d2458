"""The streamed forecast: parts that do not overlap, errors against NumPy, what it writes, what it refuses."""

import csv
import dataclasses
import json

import jax
import numpy as np
import pytest

from experiments import stream_forecast
from experiments.stream_forecast import Config, build
from lstm_jax import GRU
from lstm_jax.data import DataError
from lstm_jax.data.host_batches import HostBatches
from lstm_jax.train import Optimizer, train

pytestmark = pytest.mark.proof  # they train

pytest.importorskip("grain")
ROWS, HELD_OUT = 200, 20
SMALL = Config(horizon=2, context=6, held_out=HELD_OUT, cell=GRU(4), steps=20, evaluate_every=10, batch_size=8)
TRAINED = ROWS - 2 * (HELD_OUT + 1)


def table(seed=0):
    noise = np.random.default_rng(seed).normal(size=(ROWS, 2))
    return 50 + 10 * np.sin(np.arange(ROWS))[:, None] + noise


def write(path, values):
    lines = [
        f"d{row},{','.join('' if np.isnan(v) else repr(float(v)) for v in row_)}" for row, row_ in enumerate(values)
    ]
    path.write_text("\n".join(["day,wind,sold", *lines]) + "\n")
    return str(path)


def settings(path, **changes):
    return dataclasses.replace(SMALL, csv=path, column="sold", inputs=("wind",), **changes)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stream")
    config = settings(write(folder / "file.csv", table()))
    return train(build(config), workdir=folder / "run", quiet=True), folder


def test_the_errors_are_those_of_the_predictions(run):
    result, folder = run
    pytest.importorskip("matplotlib")
    with (folder / "run" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == HELD_OUT * 2
    truth, forecast, naive = (np.array([float(row[name]) for row in rows]) for name in ("truth", "forecast", "naive"))
    values = table()[:, 1]
    times = np.array([int(row["time"]) for row in rows])
    np.testing.assert_allclose(truth, values[times], rtol=1e-5)
    np.testing.assert_allclose(naive, values[times - [int(row["rows_ahead"]) for row in rows]], rtol=1e-5)
    assert times.max() == ROWS - 1 and times.min() == ROWS - HELD_OUT - 1
    rmse = np.sqrt(np.mean((forecast - truth) ** 2))
    assert result.metrics["rmse"] == pytest.approx(rmse, rel=1e-4)
    assert result.baseline == pytest.approx(np.sqrt(np.mean((naive - truth) ** 2)), rel=1e-4)
    assert (folder / "run" / "plots" / "forecast.png").stat().st_size > 1000
    written = json.loads((folder / "run" / "result.json").read_text())
    assert written["metrics"]["skill"] == pytest.approx(
        1 - rmse / min(result.metrics[f"rmse_{name}"] for name in ("naive", "seasonal_naive", "linear")), rel=1e-3
    )


def test_rows_held_out_change_nothing_that_was_learnt(run, tmp_path):
    """With a rule that keeps the last parameters, which no validation chooses."""
    learnt = []
    for number, low in enumerate((0.0, 1e6)):
        values = table()
        values[TRAINED:] += low
        experiment = build(settings(write(tmp_path / f"{number}.csv", values)))
        experiment = dataclasses.replace(experiment, stop=lambda scores: True)
        learnt.append(train(experiment, quiet=True).params)
    jax.tree.map(np.testing.assert_array_equal, *learnt)


def test_training_reads_the_training_rows_alone(tmp_path):
    values = table()
    values[:, 1] = np.arange(ROWS)
    batches = build(settings(write(tmp_path / "file.csv", values))).batch
    assert isinstance(batches, HostBatches)
    rows = values[:TRAINED, 1]
    targets = np.concatenate([batches(jax.random.key(0), step)["targets"][..., 0] for step in range(30)])
    found = np.round(targets * rows.std() + rows.mean(), 3)
    assert found.min() == 6 and found.max() == TRAINED - 1
    assert len({tuple(window) for window in found}) == TRAINED - 6 - 1


def test_gaps_are_no_targets(tmp_path):
    values = table()
    values[::7, 1] = np.nan
    values[3::5, 0] = np.nan
    result = train(build(settings(write(tmp_path / "file.csv", values))), quiet=True)
    assert all(np.isfinite(value) for value in result.metrics.values())


def test_without_a_file_it_learns():
    """More than a linear map of the column itself could: what the second column was."""
    optimizer = Optimizer(learning_rate=2e-2)
    config = Config(
        steps=600, evaluate_every=100, held_out=200, cell=GRU(32), context=14, horizon=4, optimizer=optimizer
    )
    result = train(build(config), quiet=True)
    assert result.metrics["skill"] > 0.1


def test_generated_rows_do_not_depend_on_what_is_read():
    rows = stream_forecast._Generated()
    np.testing.assert_array_equal(rows.read(0, 100)[40:50], rows.read(40, 50))
    assert len(np.unique(rows.read(0, 1000)[:, 0])) == 1000


def test_what_cannot_be_forecast_is_refused(tmp_path):
    path = write(tmp_path / "file.csv", table())
    with pytest.raises(DataError, match="200 rows are too few to hold out 1001 twice"):
        build(settings(path, held_out=1000))
    with pytest.raises(ValueError, match="Name the column to forecast by --column"):
        build(dataclasses.replace(SMALL, csv=path, inputs=("wind",)))
    with pytest.raises(DataError, match="several columns; name those to read: 'day', 'wind', 'sold'"):
        build(dataclasses.replace(SMALL, csv=path))
    with pytest.raises(DataError, match=r"line 2: column 'day' holds 'd0', which is no number"):
        build(dataclasses.replace(SMALL, csv=path, column="day"))
    with pytest.raises(ValueError, match="held_out must be a whole number of at least 1"):
        build(settings(path, held_out=0))
