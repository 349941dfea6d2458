"""Walk-forward forecasts of returns: no look-ahead, the baselines, the verdict, and what is written."""

import csv
import dataclasses

import jax
import numpy as np
import pytest

from experiments.stocks import Config, build
from lstm_jax import GRU
from lstm_jax.data.prices import generated_prices
from lstm_jax.data.walk_forward import Folds
from lstm_jax.metrics.direction import bootstrap_interval
from lstm_jax.report.walk_forward import verdict
from lstm_jax.train import Optimizer, train

pytestmark = pytest.mark.proof  # they train

SMALL = Config(cell=GRU(4), context=6, folds=3, steps=50, batch_size=8, optimizer=Optimizer(clip_norm=None))
DATES = 151  # 150 returns: 90 before the test (the last 14 or 13 validate), 20 in each of three folds


def _prices(seed=0):
    return generated_prices(DATES, 2, seed).values


def _write(path, values):
    dates = np.busday_offset("2021-01-01", np.arange(len(values)), roll="forward")
    lines = [
        f"{'AB'[column]},{date},{float(values[row, column])!r}"
        for column in range(2)
        for row, date in enumerate(dates)
        if not np.isnan(values[row, column])
    ]
    path.write_text("\n".join(["symbol,date,price", *lines]) + "\n")
    return str(path)


def _run(folder, values, **settings):
    config = dataclasses.replace(SMALL, csv=_write(folder / "prices.csv", values), **settings)
    return train(build(config), workdir=folder / "run", quiet=True)


def _predictions(result):
    with (result.workdir / "predictions.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return _run(tmp_path_factory.mktemp("stocks"), _prices())


@pytest.mark.parametrize(
    ("date", "networks"),
    [(91, 2), pytest.param(111, 3, marks=pytest.mark.proof), pytest.param(131, 4, marks=pytest.mark.proof)],
)
def test_prices_to_come_change_no_network_and_no_forecast_before_them(tmp_path, run, date, networks):
    """From this date on all is different: the networks of folds that begin there, and before, stay as they are."""
    values = _prices()
    values[date:] *= np.exp(np.random.default_rng(1).normal(0, 0.3, values[date:].shape))
    other = _run(tmp_path, values)
    assert other.best_step == run.best_step
    for one, another in zip(jax.tree.leaves(run.params), jax.tree.leaves(other.params), strict=True):
        np.testing.assert_array_equal(one[:networks], another[:networks])
        if networks < 4:
            assert not np.array_equal(one[networks:], another[networks:])
    rows = [[row for row in _predictions(result) if row["date"] <= str(_date(date))] for result in (run, other)]
    assert len(rows[0]) == 2 * (date - 90)
    for one, another in zip(*rows, strict=True):
        assert one["forecast"] == another["forecast"]


def _date(row):
    return np.busday_offset("2021-01-01", row, roll="forward")


def test_a_forecast_is_that_of_the_network_of_its_fold(run):
    """By hand: the forecast of a row is that of its fold's network on the returns before it."""
    from lstm_jax.models import SequenceTagger

    returns = np.diff(np.log(_prices()), axis=0)
    table = _predictions(run)
    for row, network in ((90, 1), (109, 1), (110, 2), (149, 3)):
        start = {1: 90, 2: 110, 3: 130}[network]
        mean, std = returns[:start].mean(axis=0), returns[:start].std(axis=0)
        params = jax.tree.map(lambda leaf, network=network: leaf[network], run.params)
        xs = ((returns[:row] - mean) / std)[..., None].astype(np.float32)
        said = np.asarray(SequenceTagger((GRU(4),)).apply(params, xs))[-1, :, 0] * std + mean
        expected = _prices()[row] * np.exp(said)
        found = table[2 * (row - 90) : 2 * (row - 90) + 2]
        assert [one["date"] for one in found] == [str(_date(row + 1))] * 2
        assert [float(one["forecast"]) for one in found] == pytest.approx(expected.tolist(), rel=1e-5)
        assert [float(one["drift"]) for one in found] == pytest.approx(
            (_prices()[row] * np.exp(mean)).tolist(), rel=1e-5
        )
        assert [float(one["last_value"]) for one in found] == pytest.approx(_prices()[row].tolist(), rel=1e-5)


def test_the_scores_are_those_of_the_predictions(run):
    table = _predictions(run)
    assert len(table) == 60 * 2
    price, forecast, last = (
        np.array([float(row[name]) for row in table]).reshape(60, 2) for name in ("price", "forecast", "last_value")
    )
    assert run.metrics["rmse"] == pytest.approx(np.sqrt(np.mean((forecast - price) ** 2)), rel=1e-4)
    assert run.metrics["rmse_last_value"] == pytest.approx(np.sqrt(np.mean((last - price) ** 2)), rel=1e-4)
    hits = ((forecast > last) == (price > last)).astype(float)
    assert run.metrics["direction"] == pytest.approx(hits.mean())
    assert (run.metrics["direction_low"], run.metrics["direction_high"]) == pytest.approx(bootstrap_interval(hits))
    returns = np.diff(np.log(_prices()), axis=0)
    up = np.concatenate([np.tile((returns[:end] > 0).mean(axis=0) >= 0.5, (20, 1)) for end in (90, 110, 130)])
    right = (up == (returns[90:] > 0)).astype(float)
    assert run.metrics["direction_majority"] == pytest.approx(right.mean())
    assert run.metrics["direction_gain"] == pytest.approx((hits - right).mean())
    saved = np.log(price / last) ** 2 - np.log(price / forecast) ** 2
    assert run.metrics["gain_on_last_value"] == pytest.approx(1e4 * saved.mean(), rel=1e-2, abs=1e-4)
    assert (run.workdir / "plots" / "walk_forward.png").stat().st_size > 10_000
    assert (run.workdir / "verdict.txt").read_text() == verdict(run.metrics) + "\n"


def test_the_verdict_is_plain():
    scores = dict.fromkeys(("rmse", "rmse_last_value", "rmse_drift"), 2.0)
    scores |= {"direction": 0.52, "direction_low": 0.49, "direction_high": 0.55, "direction_majority": 0.51}
    sentence = verdict(scores | {"gain_on_last_value_low": -0.1, "direction_gain_low": -0.2})
    assert sentence.startswith(
        "The last value is NOT beaten: RMSE 2, last value 2, drift 2. The majority direction is NOT"
    )
    assert "right 52.0% of the time (95% interval 49.0% to 55.0%), majority 51.0%." in sentence
    assert "The last value is beaten" in verdict(scores | {"gain_on_last_value_low": 0.1, "direction_gain_low": 0.0})
    better = scores | {"gain_on_last_value_low": 0.0, "direction_gain_low": 0.1}
    assert "direction is beaten" in verdict(better | {"direction_low": 0.51})
    assert "direction is NOT beaten" in verdict(better)  # no better than a coin


def test_what_can_be_forecast_is_found(tmp_path):
    """Learning: returns that alternate but for some noise, in seconds."""
    rng = np.random.default_rng(0)
    returns = 0.01 * (-1.0) ** np.arange(400)[:, None] + rng.normal(0, 0.003, (400, 2))
    settings = {"steps": 200, "optimizer": Optimizer(learning_rate=1e-2, clip_norm=None)}
    result = _run(tmp_path, 100 * np.exp(np.cumsum(returns, axis=0)), **settings)
    assert result.metrics["direction"] > 0.95
    assert verdict(result.metrics).startswith("The last value is beaten")
    assert "direction is beaten" in verdict(result.metrics)


def test_a_symbol_that_starts_later(tmp_path):
    values = _prices()
    values[:100, 1] = np.nan  # inside of the first fold: it has no past of its own there
    result = _run(tmp_path, values)
    table = _predictions(result)
    first = [row["date"] for row in table if row["symbol"] == "B"]
    assert first[0] == str(_date(101))
    assert len(table) == 60 + 50
    assert np.isfinite(list(result.metrics.values())).all()
    assert build(dataclasses.replace(SMALL, csv=str(tmp_path / "prices.csv"))).notes[0].startswith("100 prices are mis")
    # A hidden past is no past.
    folds = Folds.of(np.diff(np.log(values), axis=0), 3)
    assert folds.mean[1, 1] == folds.mean[1, 0]
    assert folds.mean[2, 1] != folds.mean[2, 0]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"folds": 0}, "folds must be a whole number of at least 1, got 0"),
        ({"optimizer": Optimizer()}, "optimizer.clip_norm must be None: a common norm would let later rows into"),
        ({"context": 90}, "prices.csv has 151 dates: too few for a context of 90 and 3 folds; give more, or a smaller"),
        ({"folds": 40}, "has 151 dates: too few for a context of 6 and 40 folds"),
        ({"symbol": "C"}, "has no symbol 'C'; did you mean 'B'|'A'"),
        ({"csv": "gone.csv"}, "gone.csv does not exist"),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path, settings, sentence):
    path = _write(tmp_path / "prices.csv", _prices())
    with pytest.raises(ValueError, match=sentence) as error:
        build(dataclasses.replace(SMALL, **{"csv": path, **settings}))
    assert "\n" not in str(error.value)


def test_prices_that_stand_still_are_refused_before_any_work(tmp_path):
    path = _write(tmp_path / "prices.csv", np.full_like(_prices(), 7.0))
    with pytest.raises(ValueError, match=r"has no price that changes among the last .* dates, which test"):
        build(dataclasses.replace(SMALL, csv=path))
