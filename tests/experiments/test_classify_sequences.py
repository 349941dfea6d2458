"""Classes of sequences: no look at the test file, the numbers beside the network's, what it writes and refuses."""

import csv
import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.classify_sequences import Config, build
from lstm_jax import GRU, LSTM
from lstm_jax.metrics.classification import wilson_interval
from lstm_jax.train import Optimizer, train

pytestmark = pytest.mark.proof  # they train

SMALL = Config(cell=LSTM(6), steps=30, batch_size=8, optimizer=Optimizer(learning_rate=2e-2))
TAGS = "@classLabel true up down flat\n@data\n"


def _rows(count, seed):
    """Two channels of unequal lengths; the first rises, falls or stays."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        length, kind = int(rng.integers(4, 9)), number % 3
        slope = (1, -1, 0)[kind] * np.linspace(-1, 1, length)
        values = np.stack([100 + 10 * (slope + 0.3 * rng.normal(size=length)), rng.normal(size=length)], axis=1)
        rows.append((values, ("up", "down", "flat")[kind]))
    return rows


def _ts(path, rows):
    lines = [
        ":".join(",".join(f"{v:.5f}" for v in channel) for channel in values.T) + f":{label}" for values, label in rows
    ]
    path.write_text(TAGS + "\n".join(lines) + "\n")
    return str(path)


def _config(folder, test_rows=None, **settings):
    train_file = _ts(folder / "train.ts", _rows(45, 0))
    return dataclasses.replace(
        SMALL, train=train_file, test=_ts(folder / "test.ts", test_rows or _rows(20, 1)), **settings
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classify")
    return train(build(_config(folder)), workdir=folder / "run", quiet=True)


def _table(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_the_test_file_changes_nothing_that_was_learnt(tmp_path, run):
    other = [(1e4 * values, "up") for values, _ in _rows(7, 2)]
    again = train(build(_config(tmp_path, other)), workdir=tmp_path / "run", quiet=True)
    for one, another in zip(jax.tree.leaves(run.params), jax.tree.leaves(again.params), strict=True):
        np.testing.assert_array_equal(one, another)
    assert run.validation == again.validation
    assert run.metrics["cross_entropy"] != again.metrics["cross_entropy"]


def test_it_learns_and_scores_are_what_the_predictions_say(run):
    rows = _table(run.workdir / "predictions.csv")
    truth = [label for _, label in _rows(20, 1)]
    assert [(int(row["place"]), row["truth"]) for row in rows] == [(n + 3, label) for n, label in enumerate(truth)]
    for column, score in {
        "predicted": "accuracy",
        **{n: f"accuracy_{n}" for n in ("majority", "nearest", "linear")},
    }.items():
        found = np.mean([row[column] == row["truth"] for row in rows])
        assert run.metrics[score] == pytest.approx(found, rel=1e-5), column
    assert run.metrics["accuracy"] >= 0.8
    right = sum(row["predicted"] == row["truth"] for row in rows)
    assert (run.metrics["accuracy_low"], run.metrics["accuracy_high"]) == pytest.approx(wilson_interval(right, 20))
    by_class = {row["class"]: row for row in _table(run.workdir / "classes.csv")}
    f1s = []
    for name in ("up", "down", "flat"):
        hits = sum(row["predicted"] == row["truth"] == name for row in rows)
        said, there = (sum(row[column] == name for row in rows) for column in ("predicted", "truth"))
        f1s.append(2 * hits / (said + there))
        found = [float(by_class[name][score]) for score in ("precision", "recall", "f1", "support")]
        assert found == pytest.approx([hits / max(said, 1), hits / there, f1s[-1], there], rel=1e-5)
    assert run.metrics["macro_f1"] == pytest.approx(np.mean(f1s))
    assert (run.workdir / "plots" / "confusion.png").stat().st_size > 5_000


def _again(run):
    return build(Config(**{**vars(SMALL), "train": run.config["train"], "test": run.config["test"]}))


def test_the_scale_is_that_of_what_trains(run):
    [part] = _again(run).batch.parts
    stored = np.concatenate(part.sequences())
    np.testing.assert_allclose(stored.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(stored.std(axis=0), 1, rtol=1e-4)
    assert len(part) == 36 and np.bincount(part.targets).tolist() == [12, 12, 12]  # of 45


def test_what_stands_beside_it_is_what_it_says(run):
    """Nearest neighbour and ridge regression on resampled series, by hand."""
    known, asked = _rows(45, 0), _rows(20, 1)
    longest = max(len(values) for values, _ in known)
    # Each step that trains, as it is and as it was: their lines give the scale.
    [part] = _again(run).batch.parts
    rows = [one for one in part.sequences() if len(one) == longest]
    scales = [
        (values, one) for values, _ in known for one in rows if len(values) == longest and _correlated(values, one)
    ]
    values, one = scales[0]
    std = (values[1] - values[0]) / (one[1] - one[0])
    mean = values[0] - one[0] * std

    def even(values):
        at, scaled = np.linspace(0, len(values) - 1, longest), (values - mean) / std
        return np.concatenate([np.interp(at, np.arange(len(values)), channel) for channel in scaled.T])

    ours, theirs = (np.array([even(values) for values, _ in part]) for part in (known, asked))
    names, table = ["down", "flat", "up"], _table(run.workdir / "predictions.csv")
    nearest = [known[int(np.argmin([np.sum((one - other) ** 2) for other in ours]))][1] for one in theirs]
    assert [row["nearest"] for row in table] == nearest
    hot = np.array([[label == name for name in names] for _, label in known], float)
    left, right = ours - ours.mean(axis=0), hot - hot.mean(axis=0)
    weights = np.linalg.solve(left.T @ left + np.eye(left.shape[1]), left.T @ right)
    answers = (theirs - ours.mean(axis=0)) @ weights + hot.mean(axis=0)
    assert [row["linear"] for row in table] == [names[at] for at in np.argmax(answers, axis=1)]
    assert {row["majority"] for row in table} == {"down"}
    assert run.baseline == pytest.approx(math.log(3), rel=1e-3)  # fifteen of each


def _correlated(values, one):
    return all(np.corrcoef(values[:, channel], one[:, channel])[0, 1] > 1 - 1e-6 for channel in range(2))


def test_a_run_that_is_there_is_not_run_again(run):
    again = train(_again(run), workdir=run.workdir, quiet=True)
    assert again.metrics == run.metrics and again.steps == run.steps


def test_the_other_models_are_built():
    for settings in ({"model": "lstm-fcn", "layers": 2}, {"pooling": "attention", "cell": GRU(3)}, {"noise": 0.5}):
        experiment = build(dataclasses.replace(SMALL, **settings))
        params = jax.eval_shape(experiment.init, jax.random.key(0))
        assert ("conv_2" in params["params"]) == ("model" in settings)
        if experiment.complete is not None and experiment.carry is not None:
            params = experiment.complete(params, jax.eval_shape(experiment.carry, params))
        scores = jax.eval_shape(experiment.evaluate, params, jax.random.key(0))
        assert set(scores) == {"cross_entropy", "accuracy"}


def test_without_validation_all_of_the_file_trains_for_all_steps(tmp_path):
    experiment = build(_config(tmp_path, validation=0.0, patience=1))
    [part] = experiment.batch.parts
    assert len(part) == 45 and experiment.patience is None
    np.testing.assert_allclose(np.concatenate(part.sequences()).mean(axis=0), 0, atol=1e-4)


def test_noise_is_on_training_inputs_alone():
    experiments = [build(dataclasses.replace(SMALL, noise=noise, dropout=0.0)) for noise in (0.0, 1.0)]
    params = experiments[0].init(jax.random.key(0))
    batch = experiments[0].batch.batches[0](jax.random.key(0), jnp.int32(0))
    losses = [float(one.loss(params, batch, jax.random.key(1))[0]) for one in experiments]
    assert losses[0] != losses[1]
    scores = [float(one.evaluate(params, jax.random.key(0))["cross_entropy"]) for one in experiments]
    assert scores[0] == scores[1]


def test_gaps_and_rare_classes_are_said(tmp_path):
    rows = [*_rows(30, 0), (np.ones((3, 2)), "flat")]
    config = dataclasses.replace(SMALL, train=_ts(tmp_path / "a.ts", rows), test=_ts(tmp_path / "b.ts", _rows(6, 1)))
    text = (tmp_path / "a.ts").read_text().splitlines()
    text[2] = text[2].replace(",", ",?,", 1)
    first, second, label = text[2].split(":")
    text[2] = ":".join([first, "1," + second, label])
    (tmp_path / "a.ts").write_text(
        "\n".join([*text, "1:2:rare", "3:4:rare"]).replace("up down flat", "up down flat rare")
    )
    assert build(config).notes == (
        f"{tmp_path / 'a.ts'}: 1 missing values are filled with the value before.",
        "Few training sequences are of the class 'rare' (1).",
    )


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"test": ""}, "Give both files, --train and --test, or neither for generated ones"),
        ({"train": "a.ts", "test": "./a.ts"}, r"a\.ts cannot be tested on: it trains\. Give another file by --test"),
        ({"shuffle": True}, "shuffle is of the model lstm-fcn: leave it out, or set --model lstm-fcn"),
        ({"train": "gone.ts"}, r"gone\.ts does not exist"),
        ({"layers": 0}, "layers must be a whole number of at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
        ({"validation": 1.0}, "validation must be at least 0 and below 1, got 1.0"),
        ({"noise": -1.0}, "noise must be at least 0, got -1.0"),
        ({"steps": 0}, "steps must be a whole number of at least 1, got 0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(tmp_path, settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        build(dataclasses.replace(_config(tmp_path), **settings))


@pytest.mark.parametrize(
    ("train_rows", "test_rows", "sentence"),
    [
        ([(np.ones((3, 1)), "up")] * 4, [(np.ones((3, 1)), "up")], r"train\.ts has sequences of one class only, 'up'"),
        ([(np.ones((3, 1)), "up"), (np.ones((3, 1)), "down")], _rows(3, 0), "has sequences of 2 channels, but .* of 1"),
        (_rows(2, 0), _rows(3, 0), r"test\.ts, line 5: the class 'flat' does not occur in .*train\.ts"),
        (_rows(3, 0), _rows(3, 0), "3 sequences are too few to keep some of them for validation"),
    ],
)
def test_files_that_cannot_be_learnt_from_are_refused(tmp_path, train_rows, test_rows, sentence):
    config = dataclasses.replace(
        SMALL, train=_ts(tmp_path / "train.ts", train_rows), test=_ts(tmp_path / "test.ts", test_rows)
    )
    with pytest.raises(ValueError, match=sentence):
        build(config)
