"""The contract of a task: sequences drawn from a key, what is asked of them, and how answers are scored.

A task is a frozen dataclass of settings, as a cell is. `Task.sample` is a pure function of a key, and runs inside
`jax.jit` on the device. What a model answers has one of three forms (`Task.asks`):

==========  ========================  ============================  =======================================
asks        targets                   a model's answers             right, when
==========  ========================  ============================  =======================================
"number"    ``[T, B, K]`` float32     ``[T, B, K]``                 each differs by less than ``tolerance``
"class"     ``[T, B]`` int32          logits ``[T, B, K]``          the largest logit is the target's
"set"       ``[T, B, K]`` bool        logits ``[T, B, K]``          exactly the members' logits are above 0
==========  ========================  ============================  =======================================
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
import optax
from flax import struct

Array = jax.Array
Key = jax.Array


@struct.dataclass
class Sequences:
    """Sequences of a task, time first, and what is asked of them."""

    inputs: Array
    """``[T, B, D]`` float32."""
    targets: Array
    """``[T, B]`` or ``[T, B, K]``, see `Task.asks`; where nothing is asked they mean nothing, but are finite."""
    asked: Array
    """``[T, B]`` bool: the steps at which the answer is scored."""
    taught: Array | None = None
    """``[T, B]`` bool: the steps at which the answer counts in the loss; None: those at which it is asked."""
    lengths: Array | None = None
    """``[B]`` int32: how many steps each sequence has, nothing being asked after them; None: all T."""


class Task:
    """What is shown, what is asked, and what a trivial model scores."""

    asks: ClassVar[Literal["number", "class", "set"]]
    """The form of the answers."""
    tolerance: ClassVar[float] = 0.04
    """By how much less than this a number may be off and still be right (Hochreiter & Schmidhuber 1997)."""

    @property
    def input_size(self) -> int:
        """D, features of a step."""
        raise NotImplementedError(f"{type(self).__name__} must define the property input_size.")

    @property
    def output_size(self) -> int:
        """K, numbers or logits of an answer."""
        raise NotImplementedError(f"{type(self).__name__} must define the property output_size.")

    @property
    def trivial(self) -> Mapping[str, float]:
        """What the best answer that does not look at the inputs scores, by the names of `scores`."""
        raise NotImplementedError(f"{type(self).__name__} must define the property trivial.")

    @property
    def size(self) -> int | None:
        """How many sequences there are, where they come from files: scoring goes through them, each once; else None."""
        return None

    def rows(self, rows: Array, key: Key) -> Sequences:
        """The sequences with these numbers, ``[B]`` integers below `size`; ``key`` draws what no file holds."""
        raise NotImplementedError(
            f"{type(self).__name__} must define rows(self, rows, key) -> Sequences, because its size is not None."
        )

    def sample(self, key: Key, batch_size: int) -> Sequences:
        """Draw ``batch_size`` sequences. Pure: the same key gives the same sequences, inside `jax.jit` or not."""
        raise NotImplementedError(f"{type(self).__name__} must define sample(self, key, batch_size) -> Sequences.")


def loss_name(task: Task) -> str:
    """What the loss is called among the scores: "mse", or "nats" a step."""
    return "mse" if task.asks == "number" else "nats"


def losses(task: Task, answers: Array, sequences: Sequences) -> Array:
    """The loss at each step ``[T, B]``: mean squared error, or cross-entropy in nats; of a set the sum over members."""
    targets = sequences.targets
    match task.asks:
        case "number":
            return jnp.mean((answers - targets) ** 2, axis=-1)
        case "class":
            return optax.softmax_cross_entropy_with_integer_labels(answers, targets)
        case "set":
            return jnp.sum(optax.sigmoid_binary_cross_entropy(answers, targets.astype(answers.dtype)), axis=-1)


def right(task: Task, answers: Array, sequences: Sequences) -> Array:
    """Whether the answer at each step is right, ``[T, B]`` bool."""
    targets = sequences.targets
    match task.asks:
        case "number":
            return jnp.all(jnp.abs(answers - targets) < task.tolerance, axis=-1)
        case "class":
            return jnp.argmax(answers, axis=-1) == targets
        case "set":
            return jnp.all((answers > 0) == targets, axis=-1)


def mean_loss(task: Task, answers: Array, sequences: Sequences) -> Array:
    """The loss to train on: the mean over all steps that are taught."""
    taught = sequences.asked if sequences.taught is None else sequences.taught
    # Not a product: what is not taught may be of any size.
    return jnp.sum(jnp.where(taught, losses(task, answers, sequences), 0.0)) / jnp.maximum(jnp.sum(taught), 1)


@struct.dataclass
class Tally:
    """Sums over rows, to be added up over pieces of a large evaluation."""

    loss: Array
    """Of the steps that are taught."""
    row_loss: Array
    """Of each row's mean loss."""
    row_loss_squared: Array
    taught: Array
    right: Array
    asked: Array
    exact: Array
    """Rows of which every answer is right."""
    rows: Array


def tally(task: Task, answers: Array, sequences: Sequences, counted: Array) -> Tally:
    """Count the rows ``counted [B]`` of these answers."""
    asked = sequences.asked & counted
    taught = (sequences.asked if sequences.taught is None else sequences.taught) & counted
    lost = jnp.where(taught, losses(task, answers, sequences), 0.0)
    row = jnp.sum(lost, axis=0) / jnp.maximum(jnp.sum(taught, axis=0), 1)
    hits = right(task, answers, sequences)
    return Tally(
        loss=jnp.sum(lost),
        row_loss=jnp.sum(row),
        row_loss_squared=jnp.sum(row**2),
        taught=jnp.sum(taught),
        right=jnp.sum(hits & asked),
        asked=jnp.sum(asked),
        exact=jnp.sum(jnp.all(hits | ~asked, axis=0) & counted),
        rows=jnp.sum(counted),
    )


def scores(task: Task, counts: Tally) -> dict[str, Array]:
    """The scores by name.

    "mse" or "nats": the mean loss of a step; the same with "_error": the standard error of a row's mean loss;
    "accuracy": the share of right answers; "exact": the share of sequences with no wrong answer.
    """
    name, rows = loss_name(task), jnp.maximum(counts.rows, 1)
    mean = counts.row_loss / rows
    variance = jnp.maximum(counts.row_loss_squared / rows - mean**2, 0.0)
    return {
        name: counts.loss / jnp.maximum(counts.taught, 1),
        f"{name}_error": jnp.sqrt(variance / rows),
        "accuracy": counts.right / jnp.maximum(counts.asked, 1),
        "exact": counts.exact / rows,
    }


def right_by_step(task: Task, answers: Array, sequences: Sequences, counted: Array) -> tuple[Array, Array]:
    """How many answers at each step are right and how many are asked for, each ``[T]``, of the rows ``counted [B]``."""
    asked = sequences.asked & counted
    return jnp.sum(right(task, answers, sequences) & asked, axis=1), jnp.sum(asked, axis=1)
