"""The forecast experiment: no look-ahead, gaps, the numbers beside it, and what it writes."""

import csv
import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.forecast import Config, build
from lstm_jax import GRU, data
from lstm_jax.train import NonFiniteError, train

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


@pytest.fixture
def run(tmp_path):
    return _run(tmp_path, _values())


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
    assert (run.workdir / "plots" / "forecast.png").stat().st_size > 10_000


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
    xs, _ = experiment.batch(jax.random.key(0), jnp.int32(0))
    assert xs.shape == (6, 8, 2)
    every = jnp.concatenate([experiment.batch(jax.random.key(0), jnp.int32(step))[1] for step in range(8)])
    assert int(jnp.isnan(every).sum()) >= 3  # both rows of the gap, in windows of two targets


def test_the_gradient_of_a_batch_without_any_known_target_is_zero(tmp_path):
    experiment = build(dataclasses.replace(SMALL, csv=_csv(tmp_path, _values())))
    params = experiment.init(jax.random.key(0))
    batch = jnp.ones((6, 8, 1)), jnp.full((8, 2), jnp.nan)
    (loss, _), grads = jax.value_and_grad(experiment.loss, has_aux=True)(params, batch, jax.random.key(0))
    assert float(loss) == 0
    assert all(not leaf.any() for leaf in jax.tree.leaves(grads))


def test_a_forecast_moves_with_its_series(tmp_path):
    """Another level and, but for a tenth of the series' spread, another unit are the same picture to the network."""
    experiment = build(dataclasses.replace(SMALL, csv=_csv(tmp_path, _values())))
    params = experiment.init(jax.random.key(0))

    def loss(shift):
        xs = jax.random.normal(jax.random.key(1), (6, 8, 1))
        return experiment.loss(params, (xs + shift, jnp.zeros((8, 2)) + shift), jax.random.key(0))[0]

    np.testing.assert_allclose(loss(0.0), loss(30.0), rtol=1e-3)


def test_the_generated_series_is_the_default():
    experiment = build(dataclasses.replace(SMALL, season=0))
    xs, targets = experiment.batch(jax.random.key(0), jnp.int32(0))
    assert (xs.shape, targets.shape) == ((6, 8, 1), (8, 2))
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
        ({"context": 80}, "needs at least 82 there; use a longer series or a shorter window"),
        ({"horizon": 40}, "a window of context 6 and horizon 40 needs at least"),
        ({"column": "solt"}, "has no column 'solt': did you mean 'sold'"),
        ({"season": 9}, "A season of 9 rows needs a context of at least as many, but it has 6"),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path, settings, sentence):
    with pytest.raises(ValueError, match=sentence) as error:
        build(dataclasses.replace(SMALL, **{"csv": _csv(tmp_path, _values()), **settings}))
    assert "\n" not in str(error.value)
    assert not isinstance(error.value, NonFiniteError)
