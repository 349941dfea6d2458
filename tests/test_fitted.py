"""The front door: NumPy in and out, batch first; it gives what the pieces give; wrong input in one sentence."""

import dataclasses

import jax
import numpy as np
import pytest

import lstm_jax
from lstm_jax import GRU, LSTM
from lstm_jax.data import DataError
from lstm_jax.models import LSTMFCN, SequenceClassifier, SequenceRegressor, SequenceTagger
from lstm_jax.models.losses import Measure
from lstm_jax.train import Optimizer, RunError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 6, 2))
SUMS = X.sum(axis=(1, 2))
LABELS = np.where(SUMS > 0, "up", "down")
FAST = {"epochs": 3, "optimizer": Optimizer(learning_rate=0.02), "batch_size": 8}
SMALL = (LSTM(4),)
UNEQUAL = [X[row, : 2 + row % 5] for row in range(40)]


def regressor(**settings):
    return SequenceRegressor(cells=SMALL, **settings)


def classifier(**settings):
    return SequenceClassifier(cells=SMALL, **settings)


def test_the_classic_demonstration():
    """Inputs 0 to 99, targets 1 to 100, without scaling."""
    x, y = np.arange(100.0).reshape(100, 1, 1), np.arange(1.0, 101.0)
    model = SequenceRegressor(cells=(LSTM(50, activation="relu"),), outputs=1)
    fitted = lstm_jax.fit(model, x, y, loss="mse", epochs=300)
    assert lstm_jax.predict(fitted, np.array([[[100.0]]])) == pytest.approx(np.array([[101.0]]), abs=1.0)


@pytest.mark.proof
def test_numbers():
    fitted = lstm_jax.fit(regressor(), X, SUMS, **{**FAST, "epochs": 60})
    answers = lstm_jax.predict(fitted, X)
    assert isinstance(answers, np.ndarray) and answers.shape == (40, 1)
    scores = lstm_jax.evaluate(fitted, X, SUMS)
    assert scores["mse"] == pytest.approx(np.mean((answers[:, 0] - SUMS) ** 2), rel=1e-4)
    assert scores["mse"] < 0.2 * np.var(SUMS)
    assert set(scores) == {"mse", "rmse", "mae"}
    one = fitted.model.apply(fitted.params, X[3][:, None].astype(np.float32))  # time first
    np.testing.assert_allclose(one[0], answers[3], rtol=1e-5)


@pytest.mark.proof
def test_classes_of_any_kind():
    fitted = lstm_jax.fit(classifier(), X, LABELS, **{**FAST, "epochs": 40})
    assert fitted.classes == ("down", "up")
    answers = lstm_jax.predict(fitted, X)
    assert lstm_jax.evaluate(fitted, X, LABELS)["accuracy"] == pytest.approx((answers == LABELS).mean())
    assert (answers == LABELS).mean() > 0.9
    chances = lstm_jax.predict(fitted, X, probabilities=True)
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(np.array(["down", "up"])[chances.argmax(axis=1)], answers)
    numbered = lstm_jax.fit(classifier(), X, (SUMS > 0).astype(int) * 7, **FAST)
    assert numbered.classes == (0, 7) and set(lstm_jax.predict(numbered, X)) <= {0, 7}


@pytest.mark.proof
def test_different_lengths():
    fitted = lstm_jax.fit(regressor(), UNEQUAL, [row.sum() for row in UNEQUAL], **FAST)
    answers = lstm_jax.predict(fitted, UNEQUAL)
    for row, answer in zip(UNEQUAL, answers, strict=True):
        np.testing.assert_allclose(lstm_jax.predict(fitted, [row])[0], answer, rtol=1e-4, atol=1e-5)


@pytest.mark.proof
def test_every_step():
    steps = X.cumsum(axis=1)[..., 0]
    tagger = SequenceTagger(cells=SMALL)
    fitted = lstm_jax.fit(tagger, X, steps, **FAST)
    assert lstm_jax.predict(fitted, X).shape == (40, 6, 1)
    unequal = [row[:, 0] for row in UNEQUAL]
    fitted = lstm_jax.fit(tagger, UNEQUAL, unequal, **FAST)
    answers = lstm_jax.predict(fitted, UNEQUAL)
    assert [len(answer) for answer in answers] == [len(row) for row in UNEQUAL]
    error = np.concatenate([a[:, 0] - b for a, b in zip(answers, unequal, strict=True)])
    assert lstm_jax.evaluate(fitted, UNEQUAL, unequal)["mse"] == pytest.approx(np.mean(error**2), rel=1e-4)
    tags = [np.where(row[:, 0] > 0, "+", "-") for row in UNEQUAL]
    tagged = lstm_jax.fit(SequenceTagger(cells=SMALL, outputs=2), UNEQUAL, tags, loss="cross_entropy", **FAST)
    assert set(np.concatenate(lstm_jax.predict(tagged, UNEQUAL))) <= {"+", "-"}


@pytest.mark.proof
def test_tokens():
    words = [RNG.integers(0, 5, size) for size in (3, 1, 4, 4, 2, 6)]
    labels = [int(row[0] > 2) for row in words]
    labels[0] = 1 - labels[1]
    model = classifier(vocabulary=5, pooling="attention")
    fitted = lstm_jax.fit(model, words, labels, **FAST)
    assert len(lstm_jax.predict(fitted, words)) == 6
    with pytest.raises(DataError, match="x has the token 9 in sequence 0, but the model has vocabulary=5"):
        lstm_jax.fit(model, [[9], [1]], [0, 1], **FAST)


@pytest.mark.proof
def test_history_and_validation(tmp_path):
    fitted = lstm_jax.fit(regressor(), X, SUMS, validation_split=0.25, **FAST)
    assert [*fitted.history] == ["loss", "validation_loss", "validation_mae", "validation_rmse"]
    assert all(len(values) == 3 for values in fitted.history.values())
    last = lstm_jax.evaluate(fitted, X[30:], SUMS[30:])["mse"]
    assert last == pytest.approx(min(fitted.history["validation_loss"]), rel=1e-4)
    assert [*lstm_jax.fit(regressor(), X, SUMS, **FAST).history] == ["loss"]
    given = lstm_jax.fit(regressor(), X[:30], SUMS[:30], validation_data=(X[30:], SUMS[30:]), **FAST)
    assert given.history == fitted.history
    pytest.importorskip("matplotlib")
    assert fitted.history.plot(tmp_path / "history.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.proof
def test_early_stopping():
    noise = RNG.normal(size=40)
    fast = {**FAST, "epochs": 60, "optimizer": Optimizer(learning_rate=0.3)}
    fitted = lstm_jax.fit(regressor(), X, noise, validation_split=0.5, patience=2, **fast)
    history = fitted.history["validation_loss"]
    assert len(history) < 60 and int(np.argmin(history)) == len(history) - 3


@pytest.mark.proof
def test_class_weights():
    rare = np.where(SUMS > 2.5, "rare", "usual")
    share = (rare == "rare").mean()
    assert 0 < share < 0.4
    fast = {**FAST, "epochs": 1}
    plain, balanced, by_hand = (
        lstm_jax.fit(classifier(), X, rare, class_weights=weights, **fast)
        for weights in (None, "balanced", {"rare": 1 / (2 * share), "usual": 1 / (2 - 2 * share)})
    )
    rate = [lstm_jax.predict(one, X, probabilities=True)[:, 0].mean() for one in (plain, balanced, by_hand)]
    assert rate[1] > rate[0] and rate[1] == pytest.approx(rate[2], rel=1e-4)


@pytest.mark.proof
@pytest.mark.parametrize(
    ("model", "x", "y"),
    [
        (SequenceRegressor(cells=(GRU(3), LSTM(4)), pooling="mean"), UNEQUAL, SUMS),
        (SequenceClassifier(cells=SMALL, vocabulary=4), RNG.integers(0, 4, (40, 5)), LABELS),
        (LSTMFCN(cells=SMALL, filters=(3,), kernels=(2,)), X, LABELS),
    ],
)
def test_saved_and_loaded(tmp_path, model, x, y):
    pytest.importorskip("safetensors")
    fitted = lstm_jax.fit(model, x, y, **FAST)
    loaded = lstm_jax.load(lstm_jax.save(fitted, tmp_path / "model"))
    assert dataclasses.replace(loaded, params=0) != fitted  # no comparison of arrays
    assert (loaded.model, loaded.classes, loaded.history) == (fitted.model, fitted.classes, fitted.history)
    np.testing.assert_array_equal(lstm_jax.predict(loaded, x), lstm_jax.predict(fitted, x))
    with pytest.raises(ValueError, match=r"holds no fitted model: it has no model\.json"):
        lstm_jax.load(tmp_path)


@pytest.mark.proof
def test_the_same_call_goes_on_with_more_epochs_too(tmp_path):
    whole = lstm_jax.fit(regressor(), X, SUMS, **{**FAST, "epochs": 6})
    lstm_jax.fit(regressor(), X, SUMS, workdir=tmp_path, **{**FAST, "epochs": 2})
    again = lstm_jax.fit(regressor(), X, SUMS, workdir=tmp_path, **{**FAST, "epochs": 6})
    jax.tree.map(np.testing.assert_array_equal, again.params, whole.params)
    with pytest.raises(RunError, match=r"other settings: batch_size .* start over \(--fresh, fresh=True\)"):
        lstm_jax.fit(regressor(), X, SUMS, workdir=tmp_path, **{**FAST, "batch_size": 5})
    lstm_jax.fit(regressor(), X, SUMS, workdir=tmp_path, fresh=True, **{**FAST, "batch_size": 5})


@pytest.mark.parametrize(
    ("model", "x", "y", "more", "sentence"),
    [
        (regressor(), X[..., 0], SUMS, {}, r"x must be an array \[N, T, D\] .* \[40, 6\]; .* x\[\.\.\., None\]"),
        (regressor(), [[1, 2]], [0], {}, r"Each sequence must be numbers \[T, D\]; sequence 0 is int64 \[2\]"),
        (regressor(), 3, SUMS, {}, "x must be an array or a list of sequences, got int"),
        (regressor(), X, SUMS[:39], {}, "x has 40 sequences, but y has 39 targets"),
        (regressor(), X, LABELS, {}, "Target 0 is no number"),
        (regressor(), X, np.stack([SUMS] * 2, 1), {}, r"y has 2 numbers, but the model has 1: outputs=2"),
        (regressor(), X * np.nan, SUMS, {}, "Sequence 0 is not finite at step 0"),
        (classifier(), X, ["a"] * 40, {}, r"All of y are of one class, \['a'\]"),
        (classifier(), X, SUMS, {}, "y must be a class for each sequence, all whole numbers or all texts; got float64"),
        (classifier(classes=3), X, LABELS, {}, "y has 2 classes, 'down', 'up', but the model has 3: classes=2"),
        (classifier(), X, LABELS, {"validation_data": (X, ["left"] * 40)}, "y has the class 'left'; the classes are"),
        (classifier(), X, LABELS, {"class_weights": {"left": 2}}, "class_weights has 'left'"),
        (classifier(), X, LABELS, {"class_weights": "even"}, "class_weights='even' is not known"),
        (regressor(), X, SUMS, {"class_weights": "balanced"}, "class_weights are for classes"),
        (regressor(), X, SUMS, {"loss": "mape"}, "loss='mape' is not known: did you mean 'mae'"),
        (regressor(), X, SUMS, {"validation_split": 1}, "validation_split must be at least 0 and below 1"),
        (regressor(), X, SUMS, {"epochs": 0}, "epochs must be a whole number of at least 1"),
        (SequenceTagger(cells=SMALL), X, SUMS, {}, r"answers at every step: target 0 must be \[6, \.\.\.\]"),
    ],
)  # fmt: skip
def test_wrong_input_is_refused(model, x, y, more, sentence):
    with pytest.raises(ValueError, match=sentence):
        lstm_jax.fit(model, x, y, **(FAST | more))


@pytest.mark.parametrize(
    ("model", "x", "y", "more", "sentence"),
    [
        (SequenceRegressor, X, SUMS, {}, "fit needs a model, such as SequenceRegressor"),
        (X, SUMS, regressor(), {}, "needs a model first, one of .* got ndarray"),
        (SequenceRegressor(cells=LSTM(4)), X, SUMS, {}, r"cells must be a tuple of cells: cells=\(LSTM"),
        (regressor(dropout=1.5), X, SUMS, {}, "dropout must be"),
        (regressor(), X, SUMS * np.nan, {}, "All of y is missing"),
        (regressor(), X, SUMS, {"loss": "binary_cross_entropy"}, "targets from 0 to 1; y goes from"),
        (regressor(), X, SUMS, {"loss": "mean_squared_error"}, "loss='mean_squared_error' is called 'mse' here"),
        (regressor(), X, SUMS, {"validation_data": (X[..., :1], SUMS)}, "validation_data has 1 features a step"),
        (regressor(), X, SUMS, {"validation_data": X}, "validation_data must be a pair"),
        (classifier(), X, LABELS, {"loss": "mse"}, "Target 0 is no number"),
        (classifier(), X, SUMS > 0, {"loss": "mse"}, "A SequenceClassifier tells classes"),
        (classifier(), X, LABELS, {"class_weights": {"up": -5}}, "class_weights must be finite, at least 0"),
        (classifier(), X, np.eye(2)[[0, 1] * 20], {}, "of one-hot rows: y.argmax"),
        (classifier(), X, np.array([1, "a"] * 20, object), {}, "all whole numbers or all texts; got"),
        (classifier(vocabulary=4), np.full((40, 3), -1), LABELS, {}, "x has the token -1 in sequence 0"),
    ],
)  # fmt: skip
def test_what_a_user_of_other_libraries_may_try_is_refused(model, x, y, more, sentence):
    with pytest.raises(ValueError, match=sentence):
        lstm_jax.fit(model, x, y, **(FAST | more))


@pytest.mark.proof
def test_labels_of_other_libraries():
    for labels in ((SUMS > 0).astype(float), (SUMS > 0)[:, None].astype(int)):
        assert len(lstm_jax.fit(classifier(), X, labels, **FAST).classes) == 2


@pytest.mark.proof
def test_two_classes_by_one_logit_and_a_loss_of_ones_own(tmp_path):
    fitted = lstm_jax.fit(regressor(), X, SUMS > 0, loss="binary_cross_entropy", **FAST)
    chances = lstm_jax.predict(fitted, X)[:, 0]
    scores = lstm_jax.evaluate(fitted, X, SUMS > 0)
    assert scores["accuracy"] == pytest.approx(((chances > 0.5) == (SUMS > 0)).mean())
    assert set(scores) == {"binary_cross_entropy", "accuracy"}
    own = lstm_jax.fit(regressor(), X, SUMS, loss=Measure("fourth", lambda a, t: (a - t) ** 4), **FAST)
    assert lstm_jax.evaluate(own, X, SUMS)["fourth"] > 0
    with pytest.raises(ValueError, match="function of your own"):
        lstm_jax.save(own, tmp_path / "own")


def test_a_damaged_model_is_refused(tmp_path):
    pytest.importorskip("safetensors")
    folder = lstm_jax.save(lstm_jax.fit(regressor(), X, SUMS, **{**FAST, "epochs": 1}), tmp_path / "model")
    (folder / "params.safetensors").write_bytes(b"no")
    with pytest.raises(ValueError, match=r"params\.safetensors cannot be read"):
        lstm_jax.load(folder)
    (folder / "model.json").write_text("{}")
    with pytest.raises(ValueError, match="lacks 'model'"):
        lstm_jax.load(folder)
    (folder / "model.json").write_text("{")
    with pytest.raises(ValueError, match="cannot be read as JSON"):
        lstm_jax.load(folder)
    with pytest.raises(ValueError, match="Pass what fit gave"):
        lstm_jax.predict(regressor(), X)


def test_other_inputs_than_were_fitted_to_are_refused():
    fitted = lstm_jax.fit(regressor(), X, SUMS, **{**FAST, "epochs": 1})
    with pytest.raises(DataError, match="x has 1 features a step, but the model was fitted to 2"):
        lstm_jax.predict(fitted, X[..., :1])
    with pytest.raises(ValueError, match="gives numbers, not classes"):
        lstm_jax.predict(fitted, X, probabilities=True)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"validation_split": 0.2}, "The last 4 sequences, which validate, have all of the class 'b': shuffle"),
        ({"validation_split": 0.2, "validation_data": (1, 2)}, "Give validation_split or validation_data, not both"),
        ({"class_weights": [1, 2]}, r"must be \"balanced\" or a weight for each class, {'a': 2.0}"),
        (
            {"optimizer": "adam"},
            r"optimizer must be a lstm_jax.train.Optimizer\(name=..., learning_rate=...\), got str",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(settings, sentence):
    model = SequenceClassifier(cells=(LSTM(2),), classes=2)
    with pytest.raises(ValueError, match=sentence):
        lstm_jax.fit(model, np.zeros((20, 3, 1)), ["a"] * 16 + ["b"] * 4, epochs=1, **settings)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (SequenceClassifier(cells=(3,)), r"cells must be a tuple of cells, such as \(LSTM\(64\),\); got 3 among them"),
        (SequenceClassifier(classes=0), "classes must be a whole number of at least 1, got 0"),
        (SequenceClassifier(vocabulary=0), "vocabulary must be a whole number of at least 1, got 0"),
    ],
)
def test_a_model_that_is_none_is_refused_at_once(model, sentence):
    with pytest.raises(ValueError, match=sentence):
        lstm_jax.fit(model, np.zeros((4, 3, 1)), [0, 1, 0, 1], epochs=1)


def test_a_path_that_cannot_be_written_is_told(tmp_path):
    fitted = lstm_jax.fit(regressor(), X, SUMS, **{**FAST, "epochs": 1})
    (tmp_path / "file").write_text("")
    for place in ("file", "file/model"):
        with pytest.raises(ValueError, match="is, or is in, a file; give a folder"):
            lstm_jax.save(fitted, tmp_path / place)
    with pytest.raises(ValueError, match="is no name of a PNG file"):
        fitted.history.plot(tmp_path)
