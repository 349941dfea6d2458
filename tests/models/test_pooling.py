"""Pooling over time, and the classifier: against NumPy, row by row; padding is not seen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax import LSTM, Bidirectional
from lstm_jax.data import Examples
from lstm_jax.models import SequenceClassifier, SequenceRegressor
from lstm_jax.models.classifier import attention_weights
from lstm_jax.models.pooling import POOLINGS, Pool

LENGTHS = np.array([5, 1, 3, 0])


def in_numpy(kind, params, ys):
    """One row, ``[T, F]``."""
    if not len(ys):
        return np.zeros(ys.shape[1])
    if kind == "attention":
        hidden = np.tanh(ys @ params["key"]["kernel"] + params["key"]["bias"])
        scores = np.exp(hidden @ params["query"]["kernel"])[:, 0]
        return scores / scores.sum() @ ys
    return {"last": lambda: ys[-1], "mean": lambda: ys.mean(axis=0), "max": lambda: ys.max(axis=0)}[kind]()


@pytest.mark.parametrize("kind", POOLINGS)
def test_pooling_is_that_of_each_row_alone(kind):
    rng = np.random.default_rng(0)
    ys = rng.normal(size=(5, 4, 3)) - 2.0  # below 0: the zeros of padding would be a maximum
    inside = np.arange(5)[:, None] < LENGTHS
    ys = np.where(inside[..., None], ys, 0.0)
    pool = Pool(kind)
    with jax.enable_x64(True):
        variables = pool.init(jax.random.key(1), jnp.asarray(ys))
        params = jax.tree.map(np.asarray, variables.get("params", {}))
        whole = pool.apply(variables, jnp.asarray(ys), jnp.asarray(LENGTHS))
        other = pool.apply(
            variables, jnp.where(inside[..., None], ys, 7.0 if kind != "last" else 0.0), jnp.asarray(LENGTHS)
        )
        gradient = jax.grad(lambda v: pool.apply(v, jnp.asarray(ys), jnp.asarray(LENGTHS)).sum())(variables)
    expected = np.stack([in_numpy(kind, params, ys[:length, row]) for row, length in enumerate(LENGTHS)])
    np.testing.assert_allclose(whole, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(whole, other)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


def test_attention_tells_its_weights():
    ys = jnp.ones((5, 4, 3))
    pool = Pool("attention")
    variables = {"params": pool.init(jax.random.key(1), ys)["params"]}
    _, told = pool.apply(variables, ys, jnp.asarray(LENGTHS), mutable=["intermediates"])
    (weights,) = told["intermediates"]["attention"]
    np.testing.assert_allclose(weights[:, 2], [1 / 3, 1 / 3, 1 / 3, 0, 0], rtol=1e-6)
    np.testing.assert_array_equal(weights.sum(axis=0) > 0, LENGTHS > 0)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("model", [SequenceClassifier(classes=3), SequenceRegressor(outputs=3)])
def test_tokens_padded_or_not_get_the_same_answers(model, pooling):
    cells = (Bidirectional(LSTM(4), LSTM(4)), LSTM(5))
    model = model.clone(cells=cells, pooling=pooling, vocabulary=11, embedding_size=6, dropout=0.5)
    rng = np.random.default_rng(0)
    rows = [rng.integers(0, 11, size) for size in (4, 2, 7)]
    padded = np.zeros((7, 3), np.int32)
    for place, row in enumerate(rows):
        padded[: len(row), place] = row
    lengths = jnp.array([4, 2, 7])
    variables = model.init(jax.random.key(0), padded, lengths=lengths)
    answers = model.apply(variables, padded, lengths=lengths)
    for place, row in enumerate(rows):
        np.testing.assert_allclose(answers[place], model.apply(variables, row[:, None])[0], rtol=1e-4, atol=1e-6)
    dropped = model.apply(variables, padded, lengths=lengths, rngs={"dropout": jax.random.key(1)})
    assert not np.allclose(answers, dropped)


def test_inputs_of_the_wrong_kind_are_refused():
    with pytest.raises(ValueError, match=r"must be whole numbers, tokens, for a model with vocabulary=4"):
        SequenceClassifier(vocabulary=4).init(jax.random.key(0), jnp.ones((2, 1, 1)))
    with pytest.raises(ValueError, match=r"not tokens, for a model with vocabulary=None; they are int32"):
        SequenceClassifier().init(jax.random.key(0), jnp.ones((2, 1, 1), jnp.int32))
    with pytest.raises(ValueError, match="pooling='sum' is not known: choose one of 'last'"):
        SequenceClassifier(pooling="sum").init(jax.random.key(0), jnp.ones((2, 1, 1)))


def test_attention_weights_are_those_of_the_model_s_answer():
    examples = Examples.of([np.ones((3, 1)), np.ones((5, 1))], [0, 1])
    model = SequenceClassifier(cells=(LSTM(4),), pooling="attention")
    params = model.init(jax.random.key(0), examples.xs)
    weights = attention_weights(model, params, examples)
    assert weights.shape == (5, 2)
    np.testing.assert_allclose(weights.sum(axis=0), 1, rtol=1e-5)
    np.testing.assert_array_equal(weights[3:, 0], 0)
    with pytest.raises(ValueError, match="Only pooling='attention' weighs steps; the model has pooling='last'"):
        attention_weights(SequenceClassifier(cells=(LSTM(4),)), params, examples)
