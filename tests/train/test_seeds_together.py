"""Several seeds of one experiment trained together, under vmap, against as many runs."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments.adding import Config, build
from lstm_jax import LSTM
from lstm_jax.train import train
from lstm_jax.train.state import TrainState, keys_of, loss_and_gradient

STEPS, SEEDS = 100, (0, 1, 2)


@pytest.mark.proof
def test_seeds_under_vmap_equal_runs_of_their_own():
    """The losses of the first 100 steps, float32, to 1e-4."""
    experiment = build(Config(length=20, cell=LSTM(8), steps=STEPS))
    optimizer = experiment.optimizer.transformation(STEPS)

    def one(seed):
        keys = keys_of(seed)
        params = experiment.init(keys.init)

        def step(state, _):
            (loss, _), gradient = loss_and_gradient(experiment.loss, experiment.batch, state)
            updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
            new = TrainState(state.step + 1, optax.apply_updates(state.params, updates), opt_state, state.key)
            return new, loss

        state = TrainState(jnp.int32(0), params, optimizer.init(params), keys.train)
        return jax.lax.scan(step, state, length=STEPS)[1]

    together = jax.jit(jax.vmap(one))(jnp.array(SEEDS))
    for seed, losses in zip(SEEDS, together, strict=True):
        result = train(experiment, seed=seed, quiet=True)
        alone = [record["loss"] for record in result.history if record["split"] == "train"]
        np.testing.assert_allclose(losses, alone, rtol=1e-4)
    assert not np.allclose(together[0], together[1], rtol=0.01)
