"""Elman, GRU or LSTM, at the same number of parameters: which scores best, how long does it take, with how much data?

    python -m experiments.compare_cells --cell-name lstm
    python -m experiments.compare_cells --cell-name gru --training-batches 100

Repeat-previous: at every step the symbol that was shown k steps before is asked for, so k symbols must be held at any
time. Each cell gets as many hidden units as the budget of parameters allows, and the same optimiser and number of
steps. With ``--training-batches N`` the network sees N batches again and again: how much it generalises from them is
the question.

Expected: what was measured stands in results/README.md, with the seconds; the picture in results/plots shows test
accuracy over the amount of training data.

Papers: Chung et al. (2014), "Empirical evaluation of gated recurrent neural networks on sequence modeling", section 4
(cells at equal parameters); Morad et al. (2023), "POPGym: Benchmarking partially observable reinforcement learning"
(the task).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import jax

from lstm_jax.cell import Cell
from lstm_jax.cells import GRU, LSTM, Elman
from lstm_jax.cli import run_experiment
from lstm_jax.report.bands import by_number, draw_bands
from lstm_jax.tasks.repeat_previous import RepeatPrevious
from lstm_jax.train import Experiment, Optimizer, task_experiment

CELLS = {"elman": Elman, "gru": GRU, "lstm": LSTM}
SOLVED = 0.99


@dataclass(frozen=True)
class Config:
    """Cells at equal parameters."""

    cell_name: Literal["elman", "gru", "lstm"] = "lstm"
    """The recurrent layer."""
    parameters: int = 5000
    """At most this many parameters in it: its number of hidden units follows."""
    task: RepeatPrevious = RepeatPrevious()
    """What is learnt."""
    training_batches: int | None = None
    """Different batches to train on, over and over; None: no end of them."""
    optimizer: Optimizer = Optimizer(learning_rate=3e-3)
    batch_size: int = 32
    """Sequences in a training step."""
    steps: int = 3000
    """Optimiser steps."""


def largest(kind: type[Cell], parameters: int, input_size: int) -> Cell:
    """The cell with as many hidden units as the budget of parameters allows.

    Raises:
        ValueError: not even one unit fits.
    """
    make: type = kind

    def count(size: int) -> int:
        shapes = jax.eval_shape(lambda key: make(size).init(key, input_size), jax.random.key(0))
        return sum(leaf.size for leaf in jax.tree.leaves(shapes))

    size = 0
    while count(size + 1) <= parameters:
        size += 1
    if not size:
        raise ValueError(f"parameters must be at least {count(1)} for one unit of {kind.__name__}, got {parameters}.")
    return make(size)


def build(config: Config) -> Experiment:
    """The experiment for these settings."""
    cell = largest(CELLS[config.cell_name], config.parameters, config.task.input_size)
    return task_experiment(
        config.task,
        (cell,),
        name="compare_cells",
        config=config,
        optimizer=config.optimizer,
        batch_size=config.batch_size,
        steps=config.steps,
        training_batches=config.training_batches,
        metric="accuracy",
        target=SOLVED,
        solved=lambda scores: scores["accuracy"] >= SOLVED,
        stop=lambda scores: False,  # equal training for all
        notes=(f"{cell!r}",),
    )


def draw(path: Path, groups: Mapping[str, Sequence[Path]]) -> Path:
    """Test accuracy over the amount of training data; a group's label is "CELL, BATCHES"."""
    return draw_bands(
        path,
        by_number(groups, lambda result: result["metrics"]["accuracy"]),
        title="Cells at equal parameters, repeat-previous",
        xlabel="different batches of 32 sequences to train on",
        ylabel="test accuracy",
        log_x=True,
        marker="o",
    )


if __name__ == "__main__":
    run_experiment(Config, build, name="compare_cells")
