"""Does a network that is trained on short strings of a formal language go on to long ones?

    python -m experiments.formal_languages task:parity
    python -m experiments.formal_languages task:modular-arithmetic
    python -m experiments.formal_languages task:counting --task.letters 3 cell:peephole-lstm --cell.hidden-size 8
    python -m experiments.formal_languages task:dyck

Trained on strings of up to 40 symbols and tested at lengths that were never seen: parity, even pairs, modular
arithmetic and cycle navigation at 256 and 500 symbols, Dyck words at four times the length, and a^n b^n (c^n), trained
up to n = 10, for n from 51 to 100. A finite memory and a counter are enough for all of them.

Model: one recurrent layer, a dense layer at every step. Validation has longer strings than training, shorter ones than
the test: a network that only interpolates is not chosen.

Expected: accuracy of at least 99.9% at length 256 for the regular languages; every string right, n = 51 to 100. What
was measured stands in results/README.md.

Papers: Deletang et al. (2023), "Neural Networks and the Chomsky Hierarchy", section 5 (the regular languages, trained
up to 40, tested to 500); Gers & Schmidhuber (2001), "LSTM recurrent networks learn simple context-free and
context-sensitive languages" (counting); Hewitt et al. (2020), "RNNs can generate bounded hierarchical languages with
optimal memory".
"""

from dataclasses import dataclass, replace

from lstm_jax.cells import LSTM, AnyCell
from lstm_jax.cli import run_experiment
from lstm_jax.tasks.counting import Counting
from lstm_jax.tasks.dyck import Dyck
from lstm_jax.tasks.regular_languages import CycleNavigation, EvenPairs, ModularArithmetic, Parity
from lstm_jax.train import Experiment, Optimizer, task_experiment

SOLVED, SURE_NATS = 0.999, 0.01
Language = Parity | EvenPairs | ModularArithmetic | CycleNavigation | Counting | Dyck


@dataclass(frozen=True)
class Config:
    """A formal language."""

    task: Language = Parity()
    """The language, and the lengths that are trained on."""
    cell: AnyCell = LSTM(64)
    """The recurrent layer."""
    optimizer: Optimizer = Optimizer(learning_rate=3e-3)
    batch_size: int = 128
    """Strings in a training step."""
    steps: int = 20000
    """Optimiser steps at most; training ends before once validation is solved."""
    evaluation_size: int = 1000
    """Fresh strings in a validation and, at each length, in the test."""


def longer(task: Language, length: int) -> Language:
    """The same language with strings of just this length; a^n b^n with n from above its half up to it."""
    if isinstance(task, Dyck):
        return replace(task, length=length)
    return replace(task, shortest=length // 2 + 1 if isinstance(task, Counting) else length, longest=length)


def build(config: Config) -> Experiment:
    """The experiment for these settings."""
    task = config.task
    trained = task.length if isinstance(task, Dyck) else task.longest
    # Lengths beyond training: the first is validated on, the others are tested.
    if isinstance(task, Counting):
        beyond, ahead = 5 * trained, (10 * trained,)
    elif isinstance(task, Dyck):
        beyond, ahead = 2 * trained, (4 * trained,)
    else:
        beyond, ahead = 200, (256, 500)
    if trained >= beyond:
        raise ValueError(f"task.longest must be below {beyond}, the length of the validation; got {trained}.")
    score = "accuracy" if task.asks == "class" else "exact"
    return task_experiment(
        task,
        (config.cell,),
        validation=longer(task, beyond),
        name="formal_languages",
        config=config,
        optimizer=config.optimizer,
        batch_size=config.batch_size,
        steps=config.steps,
        evaluation_size=config.evaluation_size,
        evaluate_every=100,
        tests={f"length {length}": longer(task, length) for length in ahead},
        metric=score,
        target=SOLVED,
        solved=lambda scores: scores[f"{score} at length {ahead[0]}"] >= SOLVED,
        # Sure of it, too, so that the test data will agree with validation.
        stop=lambda scores: scores[score] == 1.0 and scores["nats"] < SURE_NATS,
    )


if __name__ == "__main__":
    run_experiment(Config, build, name="formal_languages")
