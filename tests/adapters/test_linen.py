"""`Recurrent` in a small linen model: parameters, randomness, padding, training."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from lstm_jax import GRU, LSTM, Bidirectional, Stack, unroll
from lstm_jax.adapters.linen import Recurrent
from lstm_jax.cell import Cell

T, B, D = 8, 4, 3


class Tagger(nn.Module):
    """A label a step."""

    cell: Cell

    @nn.compact
    def __call__(self, xs, lengths=None):
        ys, _ = Recurrent(self.cell)(xs, lengths=lengths)
        return nn.Dense(2)(ys)


def test_it_is_unroll_on_the_parameters_of_the_model():
    cell = Stack((LSTM(4), Bidirectional(GRU(3), GRU(3))))
    xs = jax.random.normal(jax.random.key(0), (T, B, D))
    module = Recurrent(cell)
    variables = module.init(jax.random.key(1), xs)
    assert jax.tree.structure(variables["params"]["cell"]) == jax.tree.structure(cell.init(jax.random.key(0), D))
    options = {"lengths": jnp.array([8, 0, 3, 5]), "resets": jnp.zeros((T, B), bool).at[2].set(True), "reverse": True}
    got = module.apply(variables, xs, **options)
    expected = unroll(cell, variables["params"]["cell"], xs, **options)
    jax.tree.map(np.testing.assert_array_equal, got, expected)


def test_dropout_draws_from_the_models_rng_and_only_with_one():
    model = Tagger(Stack((LSTM(4), LSTM(4)), dropout=0.5))
    xs = jnp.ones((T, B, D))
    variables = model.init(jax.random.key(0), xs)
    evaluation, again = (np.asarray(model.apply(variables, xs)) for _ in range(2))
    one, same, other = (np.asarray(model.apply(variables, xs, rngs={"dropout": jax.random.key(k)})) for k in (1, 1, 2))
    np.testing.assert_array_equal(evaluation, again)
    np.testing.assert_array_equal(one, same)
    assert np.any(one != evaluation) and np.any(one != other)


def test_a_small_model_learns():
    """Whether the running sum of the inputs so far is above zero: needs memory; lengths differ."""
    xs = jax.random.normal(jax.random.key(0), (T, 64, 1))
    lengths = jax.random.randint(jax.random.key(1), (64,), 3, T + 1)
    labels = (jnp.cumsum(xs[..., 0], axis=0) > 0).astype(int)
    counts = jnp.arange(T)[:, None] < lengths
    model = Tagger(LSTM(8))
    variables = model.init(jax.random.key(2), xs)
    optimizer = optax.adam(2e-2)

    def loss(variables):
        logits = model.apply(variables, xs, lengths)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        return jnp.sum(losses * counts) / jnp.sum(counts)

    @jax.jit
    def train(variables):
        def one(carry, _):
            value, gradient = jax.value_and_grad(loss)(carry[0])
            updates, state = optimizer.update(gradient, carry[1], carry[0])
            return (optax.apply_updates(carry[0], updates), state), value

        return jax.lax.scan(one, (variables, optimizer.init(variables)), length=150)

    (variables, _), losses = train(variables)
    assert losses[0] > 0.6 and losses[-1] < 0.25
