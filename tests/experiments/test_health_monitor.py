"""The health monitor: no look ahead, the scores of what it writes, the baseline beside it, what it refuses."""

import csv
import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.health_monitor import Config, build
from lstm_jax import LSTM
from lstm_jax.metrics.classification import wilson_interval
from lstm_jax.train import Optimizer, train

pytestmark = pytest.mark.proof  # they train

SMALL = Config(
    rate=10.0, most=60.0, hold_off=6, context=40, cell=LSTM(6), optimizer=Optimizer(learning_rate=3e-2), steps=60
)


def _tsv(path, count, seed, kinds="nnnab"):
    """Beats of ten values: a tooth, upside down in abnormal ones."""
    rng = np.random.default_rng(seed)
    tooth = np.array([0, 0, 1, 3, 1, 0, -1, 0, 0, 0.0])
    lines = []
    for number in range(count):
        kind = kinds[number % len(kinds)]
        beat = tooth * (1 if kind == "n" else -1) + 0.3 * rng.normal(size=10)
        lines.append("\t".join([kind, *(f"{value:.5f}" for value in beat)]))
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def _config(folder, **settings):
    train_file, test_file = _tsv(folder / "train.tsv", 60, 0), _tsv(folder / "test.tsv", 200, 1)
    return dataclasses.replace(SMALL, **{"train": train_file, "test": test_file, "normal": "n", **settings})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("monitor")
    return train(build(_config(folder)), workdir=folder / "run", quiet=True)


def _table(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_the_scores_are_those_of_the_tables(run):
    events, alarms = _table(run.workdir / "events.csv"), _table(run.workdir / "alarms.csv")
    told = [row for row in events if row["first_alarm"]]
    assert run.metrics["sensitivity"] == pytest.approx(len(told) / len(events)) and len(told) > 0.6 * len(events)
    assert (run.metrics["sensitivity_low"], run.metrics["sensitivity_high"]) == pytest.approx(
        wilson_interval(len(told), len(events))
    )
    for score in ("delay_seconds", "lead_seconds"):
        assert run.metrics[score] == pytest.approx(np.median([float(row[score]) for row in told]))
    for row in told:
        first, behind, alarm = (int(row[name]) for name in ("first", "behind_last", "first_alarm"))
        inside = [int(one["sample"]) for one in alarms if first <= int(one["sample"]) < behind]
        assert alarm == inside[0]
        assert float(row["delay_seconds"]) == pytest.approx((alarm - first) / 10)
        assert float(row["lead_seconds"]) == pytest.approx((behind - alarm) / 10)
    false = [row for row in alarms if not row["event"]]
    assert run.metrics["false_alarms_an_hour"] == pytest.approx(len(false) / run.metrics["hours"])
    assert {row["event"] for row in alarms} - {""} == {row["event"] for row in told}
    assert run.metrics["events"] == len(events)
    assert run.metrics["cross_entropy"] < run.baseline
    assert (run.workdir / "plots" / "alarms.png").stat().st_size > 10_000


def test_it_is_better_than_chance_and_the_deviation_is_told_beside_it(run):
    assert run.metrics["sensitivity"] > 2 * run.metrics["chance_sensitivity"]
    assert 0 <= run.metrics["deviation_sensitivity"] <= 1 and run.metrics["deviation_false_alarms_an_hour"] >= 0


def test_each_normal_test_beat_is_heard_once(run):
    experiment = build(_again(run))
    assert run.metrics["hours"] * 3600 * 10 == pytest.approx(
        10 * 120 + sum(int(row["behind_last"]) - int(row["first"]) for row in _table(run.workdir / "events.csv"))
    )
    [part] = experiment.batch.parts
    assert part.every_step and part.xs.shape[0] == part.targets.shape[0] == 40
    np.testing.assert_allclose(np.concatenate(part.sequences()).std(), 1, rtol=0.02)


def _again(run, **changes):
    given = {name: run.config[name] for name in ("train", "test", "normal")}
    return dataclasses.replace(SMALL, **given, **changes)


def test_the_test_file_changes_neither_parameters_nor_threshold(tmp_path, run):
    other = _config(tmp_path)
    _tsv(tmp_path / "test.tsv", 90, 5, kinds="nna")
    again = train(build(other), workdir=tmp_path / "run", quiet=True)
    for one, another in zip(jax.tree.leaves(run.params), jax.tree.leaves(again.params), strict=True):
        np.testing.assert_array_equal(one, another)
    assert again.metrics["threshold"] == run.metrics["threshold"]
    assert again.metrics["cross_entropy"] != run.metrics["cross_entropy"]


def test_a_lower_bound_is_a_higher_threshold(run):
    strict, loose = (build(_again(run, most=most)) for most in (1e-3, 1e6))
    found = [one.scores_on_host(run.params) for one in (strict, loose) if one.scores_on_host]
    assert found[0].get("threshold", np.inf) >= run.metrics["threshold"] >= found[1]["threshold"]
    assert found[0]["false_alarms_an_hour"] <= found[1]["false_alarms_an_hour"]


def test_the_target_is_the_event_at_each_sample(run):
    experiment = build(_again(run))
    params, key = experiment.init(jax.random.key(0)), jax.random.key(1)
    batch = experiment.batch.batches[0](key, jnp.int32(0))
    slopes = jax.grad(lambda xs: experiment.loss(params, {**batch, "xs": xs}, key)[0])(batch["xs"])
    assert np.any(np.asarray(slopes[-1] != 0))  # the last sample has an answer of its own
    mean = experiment.loss(params, batch, key)[0]
    assert mean == pytest.approx(np.log(2), abs=0.3)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"test": ""}, "Give both files, --train and --test, or neither for generated ones"),
        ({"test": "train.tsv", "train": "train.tsv"}, "train.tsv cannot be tested on: it trains"),
        ({"normal": "N"}, r"train\.tsv has beats of one kind only, or too few: .* of 'n', 'N' is normal; it needs 2"),
        ({"context": 10**6}, "The train beats make a stream of .* samples with .* events; it needs 1000000 samples"),
        ({"rate": 0.0}, "rate must be above 0, got 0"),
        ({"most": 0.0}, "most must be above 0, got 0"),
        ({"hold_off": 0}, "hold_off must be a whole number of at least 1, got 0"),
        ({"train": "gone.tsv"}, r"gone\.tsv does not exist"),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path, settings, sentence):
    with pytest.raises(ValueError, match=sentence) as error:
        build(_config(tmp_path, **settings))
    assert "\n" not in str(error.value)


def test_too_few_normal_beats_for_an_event_are_told(tmp_path):
    config = _config(tmp_path)
    _tsv(tmp_path / "test.tsv", 8, 1)
    with pytest.raises(
        ValueError, match="The test beats make a stream of 60 samples with 0 events; it needs 40 samples"
    ):
        build(config)


def test_the_generated_beats_are_the_default():
    experiment = build(Config())
    params = jax.eval_shape(experiment.init, jax.random.key(0))
    assert set(jax.eval_shape(experiment.evaluate, params, jax.random.key(0))) == {"cross_entropy"}
    assert experiment.baseline is not None and 0 < experiment.baseline < np.log(2)
