"""Experiments on examples in memory: what is scored, how the loss counts, that it learns."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from lstm_jax import LSTM
from lstm_jax.data import Examples
from lstm_jax.models import LSTMFCN, SequenceClassifier, SequenceRegressor, SequenceTagger
from lstm_jax.models.losses import ACCURACY, CROSS_ENTROPY, MAE, MSE, RMSE
from lstm_jax.train import Member, Optimizer, Result, predict, supervised_experiment, train, train_population
from lstm_jax.train import supervised as module


def classes(count, seed=0, longest=12):
    """Whether the sum of a sequence is above 0."""
    rng = np.random.default_rng(seed)
    rows = [rng.normal(size=(size, 1)) for size in rng.integers(3, longest, count)]
    return Examples.of(rows, [int(row.sum() > 0) for row in rows])


def made(model, data, loss, **more):
    given = {"train": data, "validation": data, "name": "t", "config": None, "batch_size": 8, "steps": 4}
    return supervised_experiment(model, loss=loss, **(given | {"optimizer": Optimizer(learning_rate=0.02)} | more))


@pytest.mark.parametrize("rows", [5, 7, 256])
@pytest.mark.parametrize("kind", ["class", "number", "step"])
def test_scores_are_those_of_each_sequence_alone(kind, rows, monkeypatch):
    monkeypatch.setattr(module, "ROWS", rows)
    data = classes(19)
    rng = np.random.default_rng(1)
    if kind == "class":
        model, loss, scores = SequenceClassifier(cells=(LSTM(4),)), CROSS_ENTROPY, (ACCURACY,)
        data.targets[3] = -1  # missing
    elif kind == "number":
        model, loss, scores = SequenceRegressor(cells=(LSTM(4),), outputs=2), MSE, (RMSE, MAE)
        data = Examples.of(data.sequences(), rng.normal(size=(19, 2)))
        data.targets[2, 1] = np.nan
    else:
        model, loss, scores = SequenceTagger(cells=(LSTM(4),)), MSE, (MAE,)
        steps = [rng.normal(size=(len(row), 1)) for row in data.sequences()]
        data = Examples.of(data.sequences(), steps, every_step=True)
    experiment = made(model, data, loss, scores=scores)
    params = experiment.init(jax.random.key(0))
    found = experiment.evaluate(params, jax.random.key(0))
    answers = predict(model, params, data)
    sums = {measure.name: [] for measure in (loss, *scores)}
    for row, sequence in enumerate(data.sequences()):
        alone = np.asarray(model.apply(params, sequence[:, None]))
        alone, answer = (alone[:, 0], answers[: len(sequence), row]) if kind == "step" else (alone[0], answers[row])
        np.testing.assert_allclose(answer, alone, rtol=1e-4, atol=1e-5)
        target = data.targets[: len(sequence), row] if kind == "step" else data.targets[row]
        if kind == "class":
            if target >= 0:
                sums["cross_entropy"].append(-np.log(np.exp(alone[target]) / np.exp(alone).sum()))
                sums["accuracy"].append(float(alone.argmax() == target))
        else:
            error = (alone - target)[~np.isnan(target)]
            sums["mse"] += [*error**2]
            sums["mae"] += [*np.abs(error)]
    sums.pop("rmse", None)
    for name, values in sums.items():
        assert float(found[name]) == pytest.approx(np.mean(values), rel=1e-4), name
    if "rmse" in found:
        assert float(found["rmse"]) == pytest.approx(np.sqrt(np.mean(sums["mse"])), rel=1e-4)


def test_class_weights_count_in_the_loss_alone():
    data = classes(8, longest=4)
    model = SequenceClassifier(cells=(LSTM(4),))
    weighted = made(model, data, CROSS_ENTROPY, class_weights=(1.0, 3.0))
    params = weighted.init(jax.random.key(0))
    batch = {"xs": data.xs, "lengths": data.lengths, "targets": jnp.asarray(data.targets), "weights": jnp.ones(8)}
    batch["weights"] = batch["weights"].at[2].set(0.0)  # filler
    value, _ = weighted.loss(params, batch, jax.random.key(0))
    logits = np.asarray(model.apply(params, data.xs, lengths=data.lengths))
    each = -np.log(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))[np.arange(8), data.targets]
    weights = np.where(data.targets == 1, 3.0, 1.0) * (np.arange(8) != 2)
    assert float(value) == pytest.approx((each * weights).sum() / weights.sum(), rel=1e-5)
    assert float(weighted.evaluate(params, None)["cross_entropy"]) == pytest.approx(each.mean(), rel=1e-5)


@pytest.mark.proof
def test_it_learns_and_tests_on_the_test_alone():
    model = SequenceClassifier(cells=(LSTM(8),), dropout=0.1)
    experiment = made(
        model, classes(200), CROSS_ENTROPY, validation=classes(100, 1), test=classes(150, 2), scores=(ACCURACY,),
        metric="accuracy", steps=200, buckets=3, batch_size=16, scores_on_host=lambda params: {"size": len(params)},
    )  # fmt: skip
    assert experiment.goal == "max"
    result = train(experiment, quiet=True)
    assert result.metrics["accuracy"] > 0.9
    answers = predict(model, result.params, classes(150, 2))
    assert result.metrics["accuracy"] == pytest.approx((answers.argmax(axis=1) == classes(150, 2).targets).mean())
    assert result.metrics["size"] == 1
    again = train(experiment, quiet=True)
    assert again.metrics == result.metrics


def test_the_inputs_of_training_may_be_changed():
    data = classes(8, longest=4)
    model = SequenceClassifier(cells=(LSTM(4),))
    plain, zeros = (made(model, data, CROSS_ENTROPY, augment=a) for a in (None, lambda xs, key: xs * 0))
    params = plain.init(jax.random.key(0))
    batch = {"xs": data.xs, "lengths": data.lengths, "targets": data.targets, "weights": jnp.ones(8)}
    (first, _), (second, _) = (one.loss(params, batch, jax.random.key(0)) for one in (plain, zeros))
    assert float(first) != float(second)
    assert plain.evaluate(params, None) == zeros.evaluate(params, None)


def test_a_metric_that_is_not_measured_is_refused():
    with pytest.raises(ValueError, match="metric='f1' is not known: choose one of 'cross_entropy'"):
        made(SequenceClassifier(), classes(8), CROSS_ENTROPY, metric="f1")


FCN = LSTMFCN(cells=(LSTM(3),), classes=2, filters=(4,), kernels=(3,), dropout=0.0)


def test_running_statistics_are_those_of_the_training_and_the_optimiser_leaves_them_alone():
    data = classes(11)
    still = Optimizer(learning_rate=1e-12, weight_decay=0.5)
    experiment = made(FCN, data, CROSS_ENTROPY, batch_size=11, steps=3, optimizer=still, scores=(ACCURACY,))
    assert set(experiment.init(jax.random.key(0))) == {"params"}
    result = train(experiment, quiet=True)
    start = FCN.init(jax.random.key(0), data.xs)["batch_stats"]
    whole = {**result.params, "batch_stats": start}
    updated: Any
    _, updated = FCN.apply(whole, data.xs, lengths=data.lengths, mutable=["batch_stats"])
    # Each of the three steps leaves nine tenths of what was there; 0 and 1 at first.
    for name, first in (("mean", 0.0), ("var", 1.0)):
        seen = (updated["batch_stats"]["norm_0"][name] - 0.9 * first) / 0.1
        expected = 0.9**3 * first + (1 - 0.9**3) * seen
        np.testing.assert_allclose(result.params["batch_stats"]["norm_0"][name], expected, rtol=1e-4, atol=1e-5)
    answers = predict(FCN, result.params, data)
    assert result.metrics["accuracy"] == pytest.approx((answers.argmax(axis=1) == data.targets).mean())


def test_filler_is_in_no_statistic():
    data = Examples.of(list(np.ones((5, 6, 1))), [0, 1, 0, 1, 0])
    still = Optimizer(learning_rate=1e-12)
    # The second of two batches of 4 has one sequence alone: with filler beside it, zeros, its mean would be lower.
    found = [
        train(made(FCN, data, CROSS_ENTROPY, batch_size=size, steps=2, optimizer=still), quiet=True).params
        for size in (4, 5)
    ]
    for one, other in zip(*map(jax.tree.leaves, found), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.proof
def test_running_statistics_come_back_from_a_checkpoint(tmp_path):
    def run(steps, workdir=None):
        experiment = made(FCN, classes(11), CROSS_ENTROPY, steps=steps, config={"a": 1}, evaluate_every=2)
        return train(experiment, workdir=workdir, quiet=True)

    run(4, tmp_path)
    jax.tree.map(np.testing.assert_array_equal, run(8, tmp_path).params, run(8).params)


class Sowing(nn.Module):
    """Sows a penalty, which is nobody's affair here."""

    @nn.compact
    def __call__(self, xs, lengths=None):
        self.sow("losses", "penalty", jnp.sum(xs))
        return nn.Dense(2)(xs.sum(axis=0))


def test_what_a_model_sows_is_not_kept():
    result = train(made(Sowing(), classes(8), CROSS_ENTROPY), quiet=True)
    assert set(result.params) == {"params"}


def test_no_average_of_parameters_with_the_statistics_of_others():
    with pytest.raises(ValueError, match=r"Leave out optimizer\.average_after: the model has running statistics"):
        made(FCN, classes(8), CROSS_ENTROPY, optimizer=Optimizer("sgd", average_after=2))


@pytest.mark.proof
def test_running_statistics_in_a_population_are_those_of_each_run_alone():
    experiments = [made(FCN, classes(11), CROSS_ENTROPY, batch_size=4, steps=4) for _ in range(2)]
    found = train_population([Member(one, seed) for seed, one in enumerate(experiments)], quiet=True)
    for seed, result in enumerate(found):
        alone = train(experiments[0], seed=seed, quiet=True)
        assert isinstance(result, Result)
        for one, other in zip(*map(jax.tree.leaves, (result.params, alone.params)), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
