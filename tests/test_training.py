"""Training with nothing but JAX and optax: populations, truncated gradients, reduced precision."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from harness import assert_equal
from lstm_jax import LSTM, unroll
from lstm_jax.tasks.adding import Adding

STEPS, BATCH = 20, 16
ADDING = Adding(length=8)


def train(cell, key, steps=STEPS, learning_rate=1e-2):
    """Trained parameters and the loss of every step, on the adding task."""
    key_init, key_data = jax.random.split(key)
    params = cell.init(key_init, 2)
    optimizer = optax.adam(learning_rate)

    def loss(params, key):
        sequences = ADDING.sample(key, BATCH)
        targets = sequences.targets[-1, :, 0]
        outputs, _ = unroll(cell, params, sequences.inputs)
        return jnp.mean((jnp.sum(outputs[-1].astype(targets.dtype), axis=-1) - targets) ** 2)

    def one(carry, key):
        params, opt_state = carry
        value, gradient = jax.value_and_grad(loss)(params, key)
        updates, opt_state = optimizer.update(gradient, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), value

    (params, _), losses = jax.lax.scan(one, (params, optimizer.init(params)), jax.random.split(key_data, steps))
    return params, losses


def test_a_population_of_eight_equals_eight_runs():
    cell = LSTM(4, param_dtype="float64")
    with jax.enable_x64(True):
        seeds = jax.random.split(jax.random.key(0), 8)
        together = jax.jit(jax.vmap(lambda seed: train(cell, seed)))(seeds)
        one = jax.jit(lambda seed: train(cell, seed))
        for i, seed in enumerate(seeds):
            assert_equal(jax.tree.map(lambda x, i=i: x[i], together), one(seed))


def test_a_cut_stops_the_gradient_and_nothing_else():
    """Truncated backpropagation: the state crosses the cut, its gradient does not."""
    cell = LSTM(4)
    params = cell.init(jax.random.key(0), 2)
    xs = jax.random.normal(jax.random.key(1), (8, 3, 2))

    def later(xs, cut):
        _, state = unroll(cell, params, xs[:4])
        return jnp.sum(unroll(cell, params, xs[4:], cut(state))[0])

    value, gradient = jax.value_and_grad(later)(xs, jax.lax.stop_gradient)
    whole, whole_gradient = jax.value_and_grad(later)(xs, lambda state: state)
    assert value == whole
    assert not np.any(np.asarray(gradient[:4])) and np.all(np.asarray(whole_gradient[:4]))
    np.testing.assert_allclose(gradient[4:], whole_gradient[4:], rtol=1e-6)


@pytest.mark.proof
def test_bfloat16_learns_like_float32():
    """The mean loss of eight seeds' last quarter of training agrees within 2 %; each is far below the trivial one.

    One seed alone proves nothing: at the end, losses of 0.001 differ by a fifth either way.
    """
    seeds = jax.vmap(jax.random.key)(jnp.arange(8))
    losses = {}
    for dtype in ("float32", "bfloat16"):
        run = jax.jit(jax.vmap(lambda key, dtype=dtype: train(LSTM(16, dtype=dtype), key, steps=400)[1]))
        losses[dtype] = jnp.mean(run(seeds)[:, 300:], axis=1)
        assert jnp.max(losses[dtype]) < ADDING.trivial["mse"] / 2
    np.testing.assert_allclose(losses["bfloat16"].mean(), losses["float32"].mean(), rtol=0.02)
