"""An experiment that takes a moment, for sweeps: fit a line by gradient descent, or crash, or become infinite."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp

from lstm_jax.train import Experiment, Optimizer

SLOPE = 2.0


@dataclass(frozen=True)
class Config:
    """What can be varied."""

    optimizer: Optimizer = Optimizer("sgd", learning_rate=0.1, clip_norm=None)
    start: float = 0.0
    """The first slope is near it."""
    ends: Literal["well", "crash", "nan", "bad"] = "well"
    """How it goes."""
    squared: bool = True
    steps: int = 40


@functools.cache  # the same functions, hence no compilation, whatever the learning rate
def _functions(start: float, ends: str, squared: bool) -> dict[str, Callable]:
    def init(key):
        if ends == "crash":
            raise ZeroDivisionError("this one crashes")
        return {"slope": start + 0.1 * jax.random.normal(key)}

    def batch(key, step):
        return jax.random.normal(jax.random.fold_in(key, step), (8,))

    def loss(params, xs, key):
        del key
        error = jnp.mean(((params["slope"] - SLOPE) * xs) ** (2 if squared else 4))
        return error / (0.0 if ends == "nan" else 1.0), {}

    def evaluate(params, key):
        del key
        off = 5.0 if ends == "bad" else 0.0
        return {"error": jnp.abs(params["slope"] - SLOPE) + off, "slope": params["slope"]}

    return {"init": init, "batch": batch, "loss": loss, "evaluate": evaluate}


def build(config: Config) -> Experiment:
    """The experiment for these settings."""
    if config.start > 100:
        raise ValueError(f"start must be at most 100, got {config.start}.")

    return Experiment(
        name="line",
        **_functions(config.start, config.ends, config.squared),
        optimizer=config.optimizer,
        steps=config.steps,
        batch_size=8,
        metric="error",
        evaluate_every=10,
        steps_per_call=5,
        config=config,
    )
