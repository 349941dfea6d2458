"""Losses and scores: a number for each target, and how they are put together.

A target that is missing, NaN or of class -1, counts for nothing, in the value and in the gradient.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax

Array = jax.Array


@dataclasses.dataclass(frozen=True)
class Measure:
    """What answers are judged by: the mean of a number for each known target."""

    name: str
    values: Callable[[Array, Array], Array]
    """``values(answers [..., *K], targets [...]) -> [...]``, of the targets' shape; none of them is missing here."""
    goal: Literal["min", "max"] = "min"
    """Whether a lower or a higher one is better."""
    finish: Callable[[Any], Any] = lambda mean: mean
    """What is made of the mean, such as its square root."""

    def tally(self, answers: Array, targets: Array, weights: Array | None = None) -> tuple[Array, Array]:
        """The weighted sum over the known targets and the sum of their weights, two scalars.

        Args:
            answers: what the model said.
            targets: numbers or classes.
            weights: of the shape of ``targets`` or one that is broadcast to it; without it, 1.
        """
        known = targets >= 0 if jnp.issubdtype(targets.dtype, jnp.integer) else ~jnp.isnan(targets)
        # Whatever a missing target is taken for, its value is thrown away; NaN itself would spoil the gradient.
        values = self.values(answers, jnp.where(known, targets, 0))
        counted = jnp.where(known, 1.0 if weights is None else weights, 0.0)
        return jnp.sum(jnp.where(known, values * counted, 0.0)), jnp.sum(counted)

    def mean(self, answers: Array, targets: Array, weights: Array | None = None) -> Array:
        """The weighted mean over the known targets, finished; 0 where nothing is known."""
        total, count = self.tally(answers, targets, weights)
        return self.finish(total / jnp.where(count > 0, count, 1.0))


def squared_error(answers: Array, targets: Array) -> Array:
    """``(answer - target)^2``."""
    return jnp.square(answers - targets)


def absolute_error(answers: Array, targets: Array) -> Array:
    """``|answer - target|``."""
    return jnp.abs(answers - targets)


def cross_entropy(logits: Array, classes: Array) -> Array:
    """``-log softmax(logits [..., C])`` at the classes ``[...]``, in nats."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, classes)


def binary_cross_entropy(logits: Array, targets: Array) -> Array:
    """Of one logit each, for targets of 0 or 1, in nats."""
    return optax.sigmoid_binary_cross_entropy(logits, targets)


def right(logits: Array, classes: Array) -> Array:
    """1 where the highest of the logits ``[..., C]`` is that of the class, else 0."""
    return (jnp.argmax(logits, axis=-1) == classes).astype(logits.dtype)


def right_side(logits: Array, targets: Array) -> Array:
    """1 where a logit is above 0 just when its target, 0 or 1, is above a half, else 0."""
    return ((logits > 0) == (targets > 0.5)).astype(logits.dtype)


MSE = Measure("mse", squared_error)
RMSE = Measure("rmse", squared_error, finish=jnp.sqrt)
MAE = Measure("mae", absolute_error)
CROSS_ENTROPY = Measure("cross_entropy", cross_entropy)
BINARY_CROSS_ENTROPY = Measure("binary_cross_entropy", binary_cross_entropy)
BINARY_ACCURACY = Measure("accuracy", right_side, goal="max")
ACCURACY = Measure("accuracy", right, goal="max")
