"""A recurrent experiment that trains in a moment, for the tests of devices and processes."""

import jax
import jax.numpy as jnp

from lstm_jax import LSTM
from lstm_jax.models import SequenceRegressor
from lstm_jax.tasks import adding
from lstm_jax.train import Experiment, Optimizer

MODEL = SequenceRegressor(cells=(LSTM(8), LSTM(8)))
BATCH = 12  # does not divide by 8


def experiment(steps: int = 100) -> Experiment:
    """Adding, with noise in the loss that is drawn for the whole batch."""

    def loss(params, batch, key):
        xs, targets = batch
        answers = MODEL.apply(params, xs)[:, 0]
        return jnp.mean((answers - targets + 0.01 * jax.random.normal(key, targets.shape)) ** 2), {}

    def evaluate(params, key):
        xs, targets = adding.sample(key, length=10, batch_size=50)
        return {"mse": jnp.mean((MODEL.apply(params, xs)[:, 0] - targets) ** 2)}

    return Experiment(
        name="distributed",
        init=lambda key: MODEL.init(key, jnp.zeros((1, 1, 2))),
        batch=lambda key, step: adding.sample(jax.random.fold_in(key, step), length=10, batch_size=BATCH),
        loss=loss,
        evaluate=evaluate,
        optimizer=Optimizer(learning_rate=1e-3),
        steps=steps,
        batch_size=BATCH,
        metric="mse",
        baseline=adding.TRIVIAL_MSE,
        config={"steps": steps},
    )
