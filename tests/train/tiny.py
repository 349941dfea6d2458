"""An experiment that compiles in a moment, with all that a real one has: drawn data, noise in the loss, a validation.

Run as a script (``python tiny.py WORKDIR``) it trains, for the tests that kill it.
"""

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from lstm_jax.train import Experiment, Optimizer, train

FEATURES = 3


@dataclass(frozen=True)
class Config:
    """What identifies a run."""

    steps: int = 40
    noise: float = 0.1


@dataclass(eq=False)
class Counter:
    """How often the loss was traced."""

    traces: int = 0


def experiment(config: Config = Config(), counter: Counter | None = None, **settings) -> Experiment:
    """Recover the sum of the inputs by linear regression."""
    defaults = {
        "name": "tiny",
        "optimizer": Optimizer(learning_rate=0.05, clip_norm=None),
        "steps": config.steps,
        "batch_size": 4,
        "metric": "mse",
        "baseline": float(FEATURES),
        "evaluate_every": 10,
        "steps_per_call": 4,
        "config": config,
    }
    functions = {"init": _init, "batch": _batch, "loss": _loss(config.noise, counter), "evaluate": _evaluate}
    return Experiment(**(defaults | functions | settings))


def _init(key):
    return {"w": jax.random.normal(key, (FEATURES,))}


def _batch(key, step):
    xs = jax.random.normal(jax.random.fold_in(key, step), (4, FEATURES))
    return xs, xs.sum(axis=-1)


@functools.cache  # the same functions, hence no compilation, in all tests
def _loss(noise, counter):
    def loss(params, batch, key):
        if counter is not None:
            counter.traces += 1
        xs, targets = batch
        error = xs @ params["w"] + noise * jax.random.normal(key, targets.shape) - targets
        return jnp.mean(error**2), {"worst": jnp.max(jnp.abs(error))}

    return loss


def _evaluate(params, key):
    xs = jax.random.normal(key, (64, FEATURES))
    return {"mse": jnp.mean((xs @ params["w"] - xs.sum(axis=-1)) ** 2)}


def raising(at: int, error: Callable[[], BaseException]) -> Callable[[object], bool]:
    """A stopping rule that raises at its ``at``-th call and never stops."""
    calls = iter(range(1, 10**9))

    def stop(metrics):
        if next(calls) == at:
            raise error()
        return False

    return stop


def losses(history) -> list[tuple[int, float, float]]:
    """The training records without their names: step, loss, gradient norm, bit for bit."""
    return [(r["step"], r["loss"], r["grad_norm"]) for r in history if r["split"] == "train"]


if __name__ == "__main__":
    train(experiment(Config(steps=int(sys.argv[2]))), workdir=sys.argv[1], checkpoint_every=0, quiet=True)
