"""An experiment on a generated task: recurrent layers, a dense layer at every step, the task's own loss and scores."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lstm_jax.cell import Cell
from lstm_jax.models import SequenceTagger
from lstm_jax.options import one_of, positive
from lstm_jax.tasks.task import Sequences, Task, loss_name, mean_loss, right_by_step, scores, tally
from lstm_jax.train.experiment import Array, Experiment, Key, Metrics
from lstm_jax.train.optimizer import Optimizer
from lstm_jax.train.program import Program
from lstm_jax.train.state import devices_mesh

BY_STEP = "accuracy_by_step.csv"
"""The table in the run folder that tells how often the answer at each step is right, on test sequences."""
ROWS = 256
"""At most this many rows are scored at once: an evaluation of any size needs no more memory than this one."""


@dataclass(frozen=True)
class TaskModel:
    """A model and what it is to answer."""

    model: SequenceTagger
    task: Task

    def init(self, key: Key) -> Any:
        """The model's first parameters."""
        return self.model.init(key, jnp.zeros((1, 1, self.task.input_size)))

    def answers(self, params: Any, sequences: Sequences, key: Key | None = None) -> Array:
        """What the model answers at each step, ``[T, B, K]``; with a key its dropout is on."""
        rngs = None if key is None else {"dropout": key}
        answers: Any = self.model.apply(params, sequences.inputs, lengths=sequences.lengths, rngs=rngs)
        return answers

    def loss(self, params: Any, sequences: Sequences, key: Key) -> tuple[Array, dict[str, Array]]:
        """The loss to train on."""
        return mean_loss(self.task, self.answers(params, sequences, key), sequences), {}

    def scores(self, params: Any, key: Key, *, rows: int) -> dict[str, Array]:
        """The task's scores on ``rows`` fresh sequences; on the first ones, at most all, of those that files hold."""
        return scores(self.task, self._summed(tally, params, key, rows))

    def by_step(self, params: Any, key: Key, *, rows: int) -> tuple[Array, Array]:
        """How many answers at each step are right and how many are asked for, each ``[T]``."""
        return self._summed(right_by_step, params, key, rows)

    def _summed(self, count: Callable[..., Any], params: Any, key: Key, rows: int) -> Any:
        """What ``count(task, answers, sequences, counted)`` gives on ``rows`` sequences, piece by piece."""
        rows = rows if self.task.size is None else min(rows, self.task.size)
        size = min(rows, ROWS)

        def piece(index: Array) -> Any:
            piece_key, numbers = jax.random.fold_in(key, index), index * size + jnp.arange(size)
            if self.task.size is None:
                sequences = self.task.sample(piece_key, size)
            else:
                sequences = self.task.rows(jnp.minimum(numbers, self.task.size - 1), piece_key)
            counted = numbers < rows
            return count(self.task, self.answers(params, sequences), sequences, counted)

        counts = jax.lax.map(piece, jnp.arange(-(-rows // size)))
        return jax.tree.map(lambda count: jnp.sum(count, axis=0), counts)


class _Functions(NamedTuple):
    """An experiment's functions."""

    init: Callable[..., Any]
    batch: Callable[..., Any]
    loss: Callable[..., Any]
    evaluate: Callable[..., Any]
    test: Callable[..., Any]
    report: Callable[..., Any]


# The same settings give the same functions: with another seed or learning rate nothing is compiled again.
@functools.lru_cache(maxsize=32)
def _functions(
    task: Task,
    validated: Task,
    cells: tuple[Cell, ...],
    tests: tuple[tuple[str, Task], ...],
    batch_size: int,
    training_batches: int | None,
    evaluation_size: int,
    test_size: int,
) -> _Functions:
    model = TaskModel(SequenceTagger(cells=cells, outputs=task.output_size), task)

    def batch(key: Key, step: Array) -> Sequences:
        index = step if training_batches is None else step % training_batches
        return task.sample(jax.random.fold_in(key, index), batch_size)

    def evaluate(params: Any, key: Key) -> dict[str, Array]:
        return TaskModel(model.model, validated).scores(params, key, rows=evaluation_size)

    def test(params: Any, key: Key) -> dict[str, Array]:
        found = {}
        for number, (label, one) in enumerate(tests):
            scored = TaskModel(model.model, one).scores(params, jax.random.fold_in(key, number), rows=test_size)
            found |= {f"{score} at {label}" if label else score: value for score, value in scored.items()}
        return found

    @functools.cache
    def by_step(one: Task, mesh: jax.sharding.Mesh) -> Program:
        return Program(functools.partial(TaskModel(model.model, one).by_step, rows=test_size), mesh)

    def report(params: Any, folder: Path) -> None:
        with (folder / BY_STEP).open("w", encoding="utf-8", newline="\n") as file:
            file.write("test,step,asked,accuracy\n")
            for number, (label, one) in enumerate(tests):
                # Fresh sequences, whatever the run's seed is: a report is given no key.
                key = jax.random.fold_in(jax.random.key(2**31 - 1), number)
                right, asked = jax.device_get(by_step(one, devices_mesh())(params, key))
                for step in asked.nonzero()[0]:
                    file.write(f"{label},{step},{asked[step]},{right[step] / asked[step]:.6f}\n")

    return _Functions(model.init, batch, model.loss, evaluate, test, report)


def task_experiment(
    task: Task,
    cells: tuple[Cell, ...],
    *,
    name: str,
    config: Any,
    optimizer: Optimizer,
    batch_size: int,
    steps: int,
    metric: str,
    target: float | None,
    solved: Callable[[Metrics], bool],
    stop: Callable[[Metrics], bool] | None = None,
    evaluation_size: int = 1000,
    test_size: int | None = None,
    validation: Task | None = None,
    tested: Task | None = None,
    tests: Mapping[str, Task] | None = None,
    evaluate_every: int = 50,
    training_batches: int | None = None,
    **more: Any,
) -> Experiment:
    """Train ``cells`` with a dense layer at every step on ``task``; sequences are drawn fresh at each step.

    Args:
        task: what is trained on.
        cells: the recurrent layers, the first one first.
        name: names the run.
        config: the experiment's settings.
        optimizer: the optimiser.
        batch_size: sequences in a training step.
        steps: optimiser steps at most.
        metric: the score that chooses the best parameters: one of `lstm_jax.tasks.task.scores`.
        target: the metric from which on the task is solved, a line in the picture; None: no line.
        solved: whether these test scores solve the task.
        stop: whether these validation scores end the training; ``solved`` if None.
        evaluation_size: sequences in a validation.
        test_size: sequences in the test; ``evaluation_size`` if None.
        validation: another task of the same form to validate on, such as a longer one; ``task`` if None.
        tested: the same for the test, such as another split of the files.
        tests: further tasks of the same form, such as longer ones, that are tested, too: ``{"length 256": task}`` adds
            "accuracy at length 256" to the test scores, and so on.
        evaluate_every: steps between two validations.
        training_batches: how many different batches there are to train on, used over and over; None: no end of them.
        more: further fields of `Experiment`.

    Raises:
        ValueError: a size is no whole number of at least 1, another task is of another form, or ``metric`` is no score.
    """
    one_of("metric", metric, (loss_name(task), f"{loss_name(task)}_error", "accuracy", "exact"))
    positive("evaluation_size", evaluation_size)
    size = evaluation_size if test_size is None else positive("test_size", test_size)
    validated = task if validation is None else validation
    in_test = {"": task if tested is None else tested} | dict(tests or {})
    for label, other in {"validation": validated, **in_test}.items():
        if (other.asks, other.input_size, other.output_size) != (task.asks, task.input_size, task.output_size):
            raise ValueError(f"The task of {label or 'test'!r} has other inputs or answers than the one trained on.")
    if training_batches is not None:
        positive("training_batches", training_batches)
    functions = _functions(
        task, validated, cells, tuple(in_test.items()), batch_size, training_batches, evaluation_size, size
    )
    return Experiment(
        name=name,
        **functions._asdict() | more,
        optimizer=optimizer,
        steps=steps,
        batch_size=batch_size,
        metric=metric,
        goal="max" if metric.startswith(("accuracy", "exact")) else "min",
        baseline=validated.trivial.get(metric),
        target=target,
        solved=solved,
        stop=stop,
        evaluate_every=evaluate_every,
        config=config,
    )
