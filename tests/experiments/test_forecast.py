"""The forecast experiment: no look-ahead, gaps, the numbers beside it, and what it writes."""

import csv
import dataclasses
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.forecast import Config, build
from lstm_jax import GRU, data
from lstm_jax.train import NonFiniteError, Optimizer, train
from lstm_jax.train.settings import from_json

pytest.importorskip("pandas")
SMALL = Config(horizon=2, context=6, cell=GRU(4), steps=20, batch_size=8)
ROWS = 100  # training 0-69, validation 70-84, test 85-99


def _values(seed=0):
    return 50 + 10 * np.sin(np.arange(ROWS)) + np.random.default_rng(seed).normal(size=ROWS)


def _csv(tmp_path, values, name="series.csv"):
    path = tmp_path / name
    lines = [f"d{row:03},{'' if np.isnan(value) else repr(float(value))}" for row, value in enumerate(values)]
    path.write_text("\n".join(["day,sold", *lines]) + "\n")
    return str(path)


def _run(tmp_path, values, **settings):
    config = dataclasses.replace(SMALL, csv=_csv(tmp_path, values), **settings)
    return train(build(config), workdir=tmp_path / "run", quiet=True)


def _batch(xs, targets):
    """As `Buckets` gives it: ``xs [T + H, B, D]``, ``targets [B, H, C]``."""
    batch = {"xs": xs, "lengths": np.full(len(targets), len(xs)), "targets": targets, "weights": np.ones(len(targets))}
    return jax.tree.map(jnp.float32, batch)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return _run(tmp_path_factory.mktemp("forecast"), _values())


@pytest.mark.proof
def test_rows_to_come_change_nothing_that_was_learnt(tmp_path, run):
    """Neither what validation sees of the test rows, nor what training sees of both."""
    (tmp_path / "other").mkdir()
    values = _values()
    values[85:] = 1e6
    other = _run(tmp_path / "other", values)
    for one, another in zip(jax.tree.leaves(run.params), jax.tree.leaves(other.params), strict=True):
        np.testing.assert_array_equal(one, another)
    validations = [[r["rmse"] for r in result.history if r["split"] == "validation"] for result in (run, other)]
    assert validations[0] == validations[1]
    assert other.metrics["rmse"] > 100 * run.metrics["rmse"]
    (tmp_path / "third").mkdir()
    values[70:] = 1e6
    third = _run(tmp_path / "third", values)
    losses = [[r["loss"] for r in result.history if r["split"] == "train"] for result in (run, third)]
    assert losses[0] == losses[1]


def test_the_simple_forecasts_are_what_they_say(run):
    values = _values()
    windows = range(85, ROWS - 1)  # the first target's row, of two each in 85-99
    truth = np.array([values[row : row + 2] for row in windows])

    def rmse(answers):
        return pytest.approx(np.sqrt(np.mean((np.array(answers) - truth) ** 2)), rel=1e-5)

    season = data.detect_season(values[:70], 6)
    assert run.metrics["rmse_naive"] == rmse([[values[row - 1]] * 2 for row in windows])
    seasonal = [[values[row - season + ahead % season] for ahead in range(2)] for row in windows]
    assert run.metrics["rmse_seasonal_naive"] == rmse(seasonal)
    past = np.array([[*values[row - 6 : row], 1.0] for row in range(6, 69)])
    weights = np.linalg.lstsq(past, np.array([values[row : row + 2] for row in range(6, 69)]))[0]
    assert run.metrics["rmse_linear"] == rmse([np.array([*values[row - 6 : row], 1.0]) @ weights for row in windows])
    assert run.baseline == pytest.approx(run.metrics["rmse_naive"])


def test_predictions_are_in_the_series_own_units_and_rows(run):
    with (run.workdir / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    values = _values()
    assert len(rows) == 14 * 2
    for number, row in enumerate(rows):
        window, ahead = divmod(number, 2)
        at = 85 + window + ahead
        assert (row["time"], row["rows_ahead"]) == (f"d{at:03}", str(ahead + 1))
        assert float(row["truth"]) == pytest.approx(values[at], rel=1e-5)
        assert float(row["naive"]) == pytest.approx(values[84 + window], rel=1e-5)
    errors = [float(row["forecast"]) - float(row["truth"]) for row in rows]
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(run.metrics["rmse"], rel=1e-4)
    assert np.mean(np.abs(errors)) == pytest.approx(run.metrics["mae"], rel=1e-4)
    season = data.detect_season(values[:70], 6)
    scale = np.mean(np.abs(values[season:70] - values[: 70 - season]))
    assert np.mean(np.abs(errors)) / scale == pytest.approx(run.metrics["mase"], rel=1e-4)
    sizes = [abs(float(row["forecast"])) + abs(float(row["truth"])) for row in rows]
    assert np.mean(200 * np.abs(errors) / sizes) == pytest.approx(run.metrics["smape"], rel=1e-4)
    assert (run.workdir / "plots" / "forecast.png").stat().st_size > 10_000


def test_the_rows_to_come_are_forecast_from_the_last_ones(run):
    with (run.workdir / "future.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["time"] for row in rows] == ["+1", "+2"]
    assert [float(row["naive"]) for row in rows] == pytest.approx([_values()[-1]] * 2, rel=1e-5)
    # As if the file had gone on: the first test window of a longer file with the same parameters.
    values = _values()
    scale = data.Standardizer.fit(values[:70])
    experiment = build(Config(**vars(from_json(run.config, Config))))
    xs = np.concatenate([scale.apply(values[-6:, None, None]), np.full((2, 1, 1), np.nan)])
    targets = scale.apply(np.array([[[float(r["forecast"])] for r in rows]]))
    loss, _ = experiment.loss(run.params, _batch(xs, targets), jax.random.key(0))
    assert float(loss) < 1e-6


def test_skill_is_the_share_of_the_best_simple_error_that_is_saved(run):
    best = min(value for name, value in run.metrics.items() if name.startswith("rmse_"))
    assert run.metrics["skill"] == pytest.approx(1 - run.metrics["rmse"] / best, rel=1e-4)
    assert run.solved is None


def test_times_left_out_are_said(tmp_path):
    path = tmp_path / "dates.csv"
    days = np.datetime64("2024-01-01") + np.delete(np.arange(ROWS + 2), [10, 50])
    path.write_text(
        "\n".join(["day,sold", *(f"{day},{value}" for day, value in zip(days, _values(), strict=True))]) + "\n"
    )
    assert build(dataclasses.replace(SMALL, csv=str(path))).notes == (
        "dates: 2 times are left out between the rows, which are taken as even.",
    )


@pytest.mark.proof
def test_missing_values_are_said_marked_and_never_scored(tmp_path, capsys):
    values = _values()
    values[[20, 21, 75, 90]] = np.nan
    config = dataclasses.replace(SMALL, csv=_csv(tmp_path, values))
    experiment = build(config)
    result = train(experiment, workdir=tmp_path / "run")
    assert "sold: 4 of its 100 values are missing: filled with the value before" in capsys.readouterr().err
    with (tmp_path / "run" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["truth"] == "" for row in rows] == [row["time"] == "d090" for row in rows]
    errors = [float(row["forecast"]) - float(row["truth"]) for row in rows if row["truth"]]
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(result.metrics["rmse"], rel=1e-4)
    assert isinstance(experiment.batch, data.Buckets)
    [windows] = experiment.batch.parts
    assert windows.xs.shape == (8, 63, 2)
    assert int(jnp.isnan(windows.targets).sum()) == 4  # both rows of the gap, in two windows each


def test_the_network_sees_the_marks_and_known_targets_alone(tmp_path):
    values = _values()
    values[20] = np.nan
    experiment = build(dataclasses.replace(SMALL, csv=_csv(tmp_path, values)))
    params, key = experiment.init(jax.random.key(0)), jax.random.key(1)
    loss = jax.jit(lambda *batch: experiment.loss(params, _batch(*batch), key)[0])
    xs = jax.random.normal(key, (8, 8, 2)).at[..., 1].set(0.0)
    zeros = jnp.zeros((8, 2, 1))
    assert loss(xs, zeros) != loss(xs.at[2, :, 1].set(1.0), zeros)
    # A mean over what is left: that of the first four windows.
    assert loss(xs, zeros.at[4:].set(jnp.nan)) == pytest.approx(float(loss(xs[:, :4], zeros[:4])), rel=1e-5)


def test_the_gradient_of_a_batch_without_any_known_target_is_zero(tmp_path):
    experiment = build(dataclasses.replace(SMALL, csv=_csv(tmp_path, _values())))
    params = experiment.init(jax.random.key(0))
    batch = _batch(jnp.ones((8, 8, 1)), jnp.full((8, 2, 1), jnp.nan))
    (loss, _), grads = jax.value_and_grad(experiment.loss, has_aux=True)(params, batch, jax.random.key(0))
    assert float(loss) == 0
    assert all(not leaf.any() for leaf in jax.tree.leaves(grads))


def test_the_generated_series_is_the_default():
    experiment = build(SMALL)
    assert isinstance(experiment.batch, data.Buckets)
    assert experiment.batch.parts[0].xs.shape == (8, 1050 - 7, 1)
    assert not experiment.notes


def test_other_data_are_another_fingerprint(tmp_path):
    paths = [_csv(tmp_path, _values(seed), f"{seed}.csv") for seed in (0, 1)]
    one, other, again = (build(dataclasses.replace(SMALL, csv=path)) for path in (*paths, paths[0]))
    assert one.fingerprint == again.fingerprint != other.fingerprint


def test_training_ends_when_validation_gets_no_better(tmp_path):
    noise = np.random.default_rng(0).normal(size=ROWS)
    result = _run(tmp_path, noise, steps=5000, patience=2)
    assert result.stopped
    assert result.best_step == result.steps - 100


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"csv": "gone.csv"}, r"gone\.csv does not exist"),
        ({"horizon": 0}, "horizon must be a whole number of at least 1, got 0"),
        (
            {"context": 80},
            r"series has 70 training rows or fewer, but a context of 80 and a horizon of 2 need at least 82",
        ),
        (
            {"horizon": 40},
            "series has 15 validation rows or fewer, but a context of 6 and a horizon of 40 need at least 40",
        ),
        ({"column": ("solt",)}, "has no column 'solt': did you mean 'sold'"),
        ({"covariates": ("sold",)}, "Column 'sold' is named twice in --column, --covariates and --known"),
        ({"time": ("sold",)}, "Column 'sold' cannot be numbers and --time as well"),
        ({"csv": "", "column": ("sold",)}, "column is said of a file, but there is none: give it by --csv"),
        ({"calendar": True}, "the rows are called 'd000' and so on, which are no dates such as 2024-05-31 08:00"),
        ({"levels": (0.9, 0.5)}, "levels must rise"),
        ({"head": "gaussian", "strategy": "recursive"}, "feeds its middle back, so beyond one row its quantiles would"),
        ({"split": (80.0, 15.0, 15.0)}, "Parts of 80, 15, 15 rows do not fit into 100 rows"),
        ({"folds": 2, "fold": 2}, "fold must be a whole number from 0 to 1"),
        ({"season": 9}, "A season of 9 rows needs a context of at least as many, but it has 6"),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path, settings, sentence):
    with pytest.raises(ValueError, match=sentence) as error:
        build(dataclasses.replace(SMALL, **{"csv": _csv(tmp_path, _values()), **settings}))
    assert "\n" not in str(error.value)
    assert not isinstance(error.value, NonFiniteError)


def _panel(tmp_path, rows=90):
    """Two shops, each with what it sold, a price and a holiday; the second one is a thousand times as large."""
    path, days = tmp_path / "shops.csv", np.datetime64("2024-01-01") + np.arange(rows)
    lines = ["shop,day,sold,price,holiday"]
    for shop, size in (("A", 1), ("B", 1000)):
        sold = size * _values(size)[:rows]
        price = np.random.default_rng(size).normal(size=rows)
        lines += [f"{shop},{day},{sold[row]},{price[row]},{row % 9 // 8}" for row, day in enumerate(days)]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_many_series_and_columns_with_all_kinds_of_inputs(tmp_path):
    """One model for both shops and both columns: quantiles by a decoder, a calendar, a covariate."""
    settings = {"column": ("sold", "price"), "known": ("holiday",), "calendar": True, "group": "shop"}
    config = dataclasses.replace(
        SMALL, csv=_panel(tmp_path), **settings, strategy="seq2seq", head="quantile", levels=(0.1, 0.5, 0.9), steps=60
    )
    experiment = build(config)
    assert experiment.notes[-1].startswith("Rows to come are not forecast")
    result = train(experiment, workdir=tmp_path / "run", quiet=True)
    with (tmp_path / "run" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert not (tmp_path / "run" / "future.csv").exists()
    windows = 14 - 1  # of each shop's 14 test rows
    assert len(rows) == 2 * 2 * windows * 2
    assert {(row["series"], row["column"]) for row in rows} == {(s, c) for s in "AB" for c in ("sold", "price")}
    number = {name: np.array([float(row[name]) for row in rows]) for name in ("truth", "forecast", "q0.1", "q0.9")}
    assert ((number["q0.1"] <= number["forecast"]) & (number["forecast"] <= number["q0.9"])).all()
    large = np.array([row["series"] == "B" and row["column"] == "sold" for row in rows])
    assert number["truth"][large].min() > 1e4
    assert np.abs(number["forecast"][large] / number["truth"][large] - 1).max() < 1  # in its own units
    # Scores of several series are in standard units, each with a weight of one.
    assert result.metrics["standard_mse"] == pytest.approx(result.metrics["rmse"] ** 2, rel=1e-4)
    inside = np.mean((number["q0.1"] <= number["truth"]) & (number["truth"] <= number["q0.9"]))
    assert result.metrics["coverage_80"] == pytest.approx(inside, abs=0.02)
    assert (result.metric, result.baseline) == ("crps", pytest.approx(result.baseline))
    assert len(list((tmp_path / "run" / "plots").glob("forecast*.png"))) == 4


@pytest.mark.proof
@pytest.mark.parametrize("settings", [{"strategy": "recursive"}, {"head": "gaussian"}, {"linear_path": True}])
def test_other_ways_to_forecast_learn_too(tmp_path, settings):
    result = _run(
        tmp_path,
        _values(),
        **{"steps": 200, "horizon": 3, "cell": GRU(8), "optimizer": Optimizer(learning_rate=3e-2)} | settings,
    )
    assert result.metrics["rmse"] < 0.8 * result.metrics["rmse_naive"]


def test_a_recursive_forecast_cannot_know_a_later_covariate(tmp_path):
    config = dataclasses.replace(SMALL, csv=_panel(tmp_path), column=("sold",), covariates=("price",), group="shop")
    with pytest.raises(ValueError, match="no 'price' of rows to come: name it by --column"):
        build(dataclasses.replace(config, strategy="recursive"))


def test_all_columns(tmp_path):
    config = dataclasses.replace(SMALL, csv=_panel(tmp_path), column=("all",), covariates=("holiday",), group="shop")
    experiment = build(config)
    assert isinstance(experiment.batch, data.Buckets)
    assert experiment.batch.parts[0].targets.shape[1:] == (2, 2)  # sold and price


def test_a_leak_in_the_file_is_refused(tmp_path):
    values = _values()
    path = tmp_path / "leak.csv"
    rows = [
        f"d{row:03},{value!r},{later!r}"
        for row, (value, later) in enumerate(zip(values, [*values[1:], 50.0], strict=True))
    ]
    path.write_text("\n".join(["day,sold,orders", *rows]).replace("np.float64(", "").replace(")", "") + "\n")
    config = dataclasses.replace(SMALL, csv=str(path), column=("sold",), covariates=("orders",))
    with pytest.raises(data.DataError, match="Column 'orders' looks ahead: it is a copy of 'sold' 1 rows later"):
        build(config)


def test_a_fold_is_tested_on_its_block_alone(tmp_path):
    result = _run(tmp_path, _values(), folds=3, fold=1)
    with (tmp_path / "run" / "predictions.csv").open() as file:
        times = [row["time"] for row in csv.DictReader(file)]
    assert (times[0], times[-1]) == ("d090", "d094")
    with (tmp_path / "run" / "backtest.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [row["rows_ahead"] for row in table] == ["all"] * 4 + ["1", "2"]
    errors = [float(row["standard_rmse_forecast"]) ** 2 for row in table]
    scale = data.Standardizer.fit(_values()[:75]).std
    for some in (errors[:4], errors[4:]):
        assert np.sqrt(np.mean(some)) * scale == pytest.approx(result.metrics["rmse"], rel=1e-4)


@pytest.mark.proof
@pytest.mark.skipif("LSTM_JAX_DATA" not in os.environ, reason="LSTM_JAX_DATA names no folder of public data sets")
def test_the_public_split_of_etth1():
    path = Path(os.environ["LSTM_JAX_DATA"]) / "forecast_etth1" / "ETTh1.csv"
    config = Config(
        csv=str(path), column=("all",), horizon=24, context=24, season=24, split=(8640.0, 2880.0, 2880.0), calendar=True
    )
    experiment = build(config)
    assert isinstance(experiment.batch, data.Buckets)
    assert experiment.batch.parts[0].xs.shape == (48, 8640 - 48 + 1, 7 + 6)
    assert experiment.scores_on_host is not None
    values = data.read_panel(path).pop().values
    scaled = data.Standardizer.fit(values[:8640], axis=0).apply(values)
    errors = [scaled[row : row + 24] - scaled[row - 24 : row] for row in range(11_520, 14_400 - 23)]
    found = experiment.scores_on_host(experiment.init(jax.random.key(0)))
    assert found["rmse_seasonal_naive"] == pytest.approx(np.sqrt(np.mean(np.square(errors))), rel=1e-4)
