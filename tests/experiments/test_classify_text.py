"""The text classification experiment: parts that share nothing, what stands beside the score, what it writes."""

import csv
import dataclasses
import json
import os
import re
from pathlib import Path

import jax
import numpy as np
import pytest

from experiments.classify_text import Config, build
from lstm_jax import GRU
from lstm_jax.data.table import DataError
from lstm_jax.data.text import LabelledTexts, generated_reviews, stratified_folds
from lstm_jax.data.tokens import tokens_from_json
from lstm_jax.metrics.classification import wilson_interval
from lstm_jax.train import Optimizer, train
from lstm_jax.train.settings import from_json

pytestmark = pytest.mark.proof  # they train

for module in ("matplotlib", "jinja2"):
    pytest.importorskip(module, reason="the extra 'experiments' is not installed")

SMALL = Config(cell=GRU(4), embedding_size=6, steps=3, batch_size=8, buckets=1)
LEARNS = dataclasses.replace(
    SMALL,
    cell=GRU(16),
    dropout=0.0,
    word_dropout=0.0,
    optimizer=Optimizer(learning_rate=1e-2),
    steps=300,
    batch_size=50,
)


TEXTS = generated_reviews(1000, seed=3)


def _files(folder: Path) -> Path:
    """The reviews, a file for each class."""
    folder.mkdir()
    for number, name in enumerate(TEXTS.classes):
        texts = [text for text, label in zip(TEXTS.texts, TEXTS.labels, strict=True) if label == number]
        (folder / f"reviews.{name}").write_text("\n".join(texts), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classify_text")
    config = dataclasses.replace(LEARNS, path=str(_files(folder / "data")))
    return train(build(config), workdir=folder / "run", quiet=True)


def _simple(experiment):
    assert experiment.scores_on_host is not None
    return experiment.scores_on_host(experiment.init(jax.random.key(0)))


def _predictions(run):
    with (run.workdir / "predictions.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_it_learns_what_the_order_says(run):
    assert run.metrics["accuracy"] > 0.9 > 0.65 > run.metrics["accuracy_naive_bayes"]


def test_predictions_are_of_the_test_texts_and_give_the_score(run):
    rows = _predictions(run)
    files = Path(json.loads((run.workdir / "config.json").read_text())["config"]["path"])
    truth = dict(zip(TEXTS.texts, TEXTS.labels, strict=True))
    assert len(rows) == len({row["text"] for row in rows}) == 100
    for row in rows:
        name, line = row["place"].split(", line ")
        assert (files / name).read_text().split("\n")[int(line) - 1] == row["text"]
        assert TEXTS.classes[truth[row["text"]]] == row["truth"] == name.removeprefix("reviews.")
        assert 0.5 <= float(row["probability"]) <= 1
    right = sum(row["truth"] == row["predicted"] for row in rows)
    assert run.metrics["accuracy"] == pytest.approx(right / 100)
    low, high = wilson_interval(right, 100)
    assert (run.metrics["accuracy_low"], run.metrics["accuracy_high"]) == pytest.approx((low, high))
    assert run.metrics["accuracy_majority"] == run.baseline == 0.5


def test_the_run_folder_has_the_vocabulary_and_what_was_attended_to(run):
    tokens = tokens_from_json(json.loads((run.workdir / "tokens.json").read_text(encoding="utf-8")))
    test = {row["text"] for row in _predictions(run)}
    training = " ".join(set(TEXTS.texts) - test)
    assert set(tokens.words) <= set(training.split())
    page = (run.workdir / "attention.html").read_text(encoding="utf-8")
    assert page.count("<h2") == 40
    for name in ("attention", "confusion"):
        assert (run.workdir / "plots" / f"{name}.png").exists()
    settings = json.loads((run.workdir / "config.json").read_text())["config"]
    assert dataclasses.replace(from_json(settings, Config), path="") == LEARNS


def test_attention_weights_are_those_of_the_page(run):
    """Of each text they add up to one."""
    page = (run.workdir / "attention.html").read_text(encoding="utf-8")
    for paragraph in page.split("<h2")[1:]:
        assert sum(map(float, re.findall(r'title="([\d.]+)%"', paragraph))) == pytest.approx(100, abs=1)


@pytest.mark.parametrize("fold", range(10))
def test_folds_share_no_text(fold):
    found = generated_reviews(200)
    # The last fifty are said twice.
    doubled = found.take(np.concatenate([np.arange(200), np.arange(150, 200)]))
    (train, validation, test), shared = doubled.parts(fold, 10)
    assert len(train) + shared + len(validation) + len(test) == 250
    assert not set(train.texts) & (set(validation.texts) | set(test.texts))
    assert shared > 0
    folds = stratified_folds(doubled.labels, 10)
    assert test.texts == tuple(doubled.texts[row] for row in np.flatnonzero(folds == fold))
    assert validation.texts == tuple(doubled.texts[row] for row in np.flatnonzero(folds == (fold + 1) % 10))


def test_left_out_texts_are_told(tmp_path):
    path = tmp_path / "doubled.csv"
    rows = [("neg", "so bad"), ("pos", "so good")] * 20 + [(c, f"{c} {n}") for c in ("neg", "pos") for n in range(20)]
    path.write_text("\n".join(["label,text", *(",".join(row) for row in rows)]))
    notes = build(dataclasses.replace(SMALL, path=str(path), longest=1)).notes
    assert any("were left out of training" in note for note in notes)
    assert any("80 texts are longer than 1 tokens" in note for note in notes)


def test_texts_are_cut_and_words_are_kept_as_the_settings_say():
    experiment = build(dataclasses.replace(SMALL, longest=3))
    assert all(part.lengths.max() == len(part.xs) == 3 for part in experiment.batch.parts)
    assert len(build(dataclasses.replace(SMALL, buckets=3)).batch.parts) > 1 == len(experiment.batch.parts)
    for settings in ({"vocabulary": 9}, {"least": 700}):
        embedding = build(dataclasses.replace(SMALL, **settings)).init(jax.random.key(0))["params"]["Embed_0"]
        assert 2 <= len(embedding["embedding"]) <= 10


def test_words_are_dropped_in_training_alone():
    def losses(rate):
        experiment = build(dataclasses.replace(SMALL, dropout=0.0, word_dropout=rate))
        params = experiment.init(jax.random.key(0))
        batch = experiment.batch.batches[0](jax.random.key(1), 0)
        scores = [float(experiment.evaluate(params, jax.random.key(key))["cross_entropy"]) for key in (1, 2)]
        return [float(experiment.loss(params, batch, jax.random.key(key))[0]) for key in (1, 2)], scores

    (one, another), scores = losses(0.5)
    assert one != another and scores[0] == scores[1]
    (one, another), _ = losses(0.0)
    assert one == another


def test_the_test_texts_change_nothing_that_was_learnt(tmp_path, run):
    folder = _files(tmp_path / "data")
    for row in _predictions(run):
        name, line = row["place"].split(", line ")
        lines = (folder / name).read_text().split("\n")
        lines[int(line) - 1] = "zebra zebra zebra"
        (folder / name).write_text("\n".join(lines))
    other = train(build(dataclasses.replace(LEARNS, path=str(folder))), workdir=tmp_path / "run", quiet=True)
    for one, another in zip(jax.tree.leaves(run.params), jax.tree.leaves(other.params), strict=True):
        np.testing.assert_array_equal(one, another)


def test_naive_bayes_knows_words_alone(tmp_path):
    """Where each class has words of its own it is right; where the order decides it is at chance."""
    path = tmp_path / "own_words.csv"
    rows = [f"{'ab'[n % 2]},{'yes' if n % 2 else 'no'} {n}" for n in range(100)]
    path.write_text("\n".join(["label,text", *rows]))
    experiment = build(dataclasses.replace(SMALL, path=str(path)))
    assert _simple(experiment)["accuracy_naive_bayes"] == 1
    assert _simple(build(SMALL))["accuracy_naive_bayes"] < 0.65


def test_vectors_are_where_training_begins(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("good 1 2 3\nbad -1 -2 -3\n")
    experiment = build(dataclasses.replace(SMALL, vectors=str(path)))
    matrix = np.asarray(experiment.init(jax.random.key(0))["params"]["Embed_0"]["embedding"])
    assert matrix.shape[1] == 3
    assert {(1.0, 2.0, 3.0), (-1.0, -2.0, -3.0)} <= {tuple(row) for row in matrix.tolist()}
    assert any("of the training words" in note for note in experiment.notes)
    with pytest.raises(ValueError, match="vectors are those of words"):
        build(dataclasses.replace(SMALL, vectors=str(path), tokens="characters"))


@pytest.mark.parametrize("tokens", ["words", "subwords", "characters"])
@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
def test_every_kind_of_token_and_pooling_is_scored(tokens, pooling):
    if tokens == "subwords":
        pytest.importorskip("tokenizers", reason="the extra 'text' is not installed")
    experiment = build(dataclasses.replace(SMALL, tokens=tokens, vocabulary=300, longest=20, pooling=pooling))
    scores = experiment.evaluate(experiment.init(jax.random.key(0)), jax.random.key(1))
    assert 0 <= scores["accuracy"] <= 1


def test_wrong_files_and_settings(tmp_path):
    path = tmp_path / "few.csv"
    path.write_text("label,text\na,x\nb,y\n")
    with pytest.raises(DataError, match="give at least 10 different texts of each class"):
        build(dataclasses.replace(SMALL, path=str(path)))
    same = LabelledTexts(("x",) * 40, np.arange(40, dtype=np.int32) % 2, ("a", "b"), ("",) * 40)
    with pytest.raises(DataError, match="The 40 texts leave none of class 'a' to train on"):
        same.parts(0, 10)
    for change, sentence in [
        ({"fold": 10}, "fold must be 0 to 9, got 10"),
        ({"word_dropout": 1.0}, "word_dropout must be at least 0 and below 1"),
        ({"longest": 0}, "longest must be a whole number of at least 1"),
        ({"path": str(tmp_path / "none")}, "does not exist"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            build(dataclasses.replace(SMALL, **change))


@pytest.mark.skipif("LSTM_JAX_DATA" not in os.environ, reason="LSTM_JAX_DATA names no folder of public data sets")
def test_movie_reviews_are_split_and_counted():
    experiment = build(dataclasses.replace(SMALL, path=str(Path(os.environ["LSTM_JAX_DATA"]) / "sentiment_mr")))
    assert any(note.startswith("8528 texts train, 1067 validate, 1067 test") for note in experiment.notes)
    assert 0.74 < _simple(experiment)["accuracy_naive_bayes"] < 0.8  # tenfold: Wang & Manning (2012) have 77.9%
