"""Several models that answer together."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lstm_jax.cells import LSTM
from lstm_jax.data import Examples
from lstm_jax.models import LSTMFCN, SequenceClassifier, SequenceTagger
from lstm_jax.models.ensemble import Ensemble
from lstm_jax.models.losses import ACCURACY, CROSS_ENTROPY
from lstm_jax.train import Optimizer, supervised_experiment, train

KEY = jax.random.key(0)
MODELS = (
    SequenceClassifier(cells=(LSTM(3),), classes=4),
    SequenceTagger(cells=(LSTM(3),), outputs=2),
    LSTMFCN(cells=(LSTM(3),), classes=4, filters=(5,), kernels=(3,), dropout=0.0),
)


def _of(variables, number):
    return {name: jax.tree.map(lambda leaf: leaf[number], its["model"]) for name, its in variables.items()}


def _inputs(rows=6, steps=5):
    xs = jax.random.normal(jax.random.key(1), (steps, rows, 2))
    return xs, jnp.array([5, 1, 3, 5, 2, 4])[:rows]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_it_answers_with_the_mean_of_its_members(model):
    xs, lengths = _inputs()
    variables = Ensemble(model, 3).init(KEY, xs[:, :1])
    each = [model.apply(_of(variables, number), xs, lengths=lengths) for number in range(3)]
    assert not np.allclose(each[0], each[1], atol=1e-3)  # members begin with parameters of their own
    answers = Ensemble(model, 3).apply(variables, xs, lengths=lengths)
    np.testing.assert_allclose(answers, np.mean(each, axis=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_in_training_each_row_is_answered_by_one_member(model):
    xs, lengths = _inputs()
    variables = Ensemble(model, 3).init(KEY, xs[:, :1])

    def said(variables):
        return Ensemble(model, 3).apply(variables, xs, lengths=lengths, rngs={"dropout": KEY}, mutable=["batch_stats"])

    answers, statistics = said(variables)
    axis = int(model.EVERY_STEP)
    for member in range(3):
        rows = np.arange(member, 6, 3)
        own, its = model.apply(
            _of(variables, member), xs[:, rows], lengths=lengths[rows], rngs={"dropout": KEY}, mutable=["batch_stats"]
        )
        np.testing.assert_allclose(np.take(np.asarray(answers), rows, axis=axis), own, rtol=1e-5, atol=1e-6)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), _of(statistics, member), its)
    # A row's answer moves the parameters of its member alone.
    gradients = jax.grad(lambda params: jnp.take(said({**variables, **params})[0], 4, axis=axis).sum())(
        {"params": variables["params"]}
    )
    moved = [optax.tree.norm(_of(gradients, member)) for member in range(3)]
    assert moved[0] == moved[2] == 0 < moved[1]


def test_a_batch_that_cannot_be_dealt_out_is_refused():
    xs, _ = _inputs()
    ensemble = Ensemble(MODELS[0], 4)
    variables = ensemble.init(KEY, xs)
    assert ensemble.apply(variables, xs).shape == (6, 4)
    with pytest.raises(ValueError, match="batch of 6 rows cannot be dealt out evenly to 4 members"):
        ensemble.apply(variables, xs, rngs={"dropout": KEY})
    with pytest.raises(ValueError, match="members"):
        Ensemble(MODELS[0], 0).init(KEY, xs)


def test_it_is_trained_as_any_model():
    rng = np.random.default_rng(0)
    answers = rng.integers(0, 2, 40).astype(np.int32)
    sequences = [(4.0 * one + rng.normal(size=(4, 1))).astype(np.float32) for one in answers]
    examples = Examples.of(sequences, answers)
    experiment = supervised_experiment(
        Ensemble(LSTMFCN(cells=(LSTM(2),), classes=2, filters=(4,), kernels=(3,)), 2),
        name="ensemble",
        config=None,
        train=examples,
        validation=examples,
        loss=CROSS_ENTROPY,
        scores=(ACCURACY,),
        optimizer=Optimizer(learning_rate=0.03),
        batch_size=16,
        steps=60,
    )
    assert train(experiment, quiet=True).metrics["accuracy"] > 0.9
