"""Can a recurrent network remember two numbers over hundreds of steps?

    python -m experiments.adding --length 200 --seed 0
    python -m experiments.adding --length 750 --seed 0

Each sequence shows a random number and a marker at every step; two steps are marked, one in each half, and the sum of
their numbers is asked for at the end. Always answering 1 scores an MSE of 1/6 = 0.167.

Model: one recurrent layer, a dense layer on its last output. For an LSTM chrono initialisation with T_max = length sets
the gates' biases so that the units forget over time scales from 1 step to the whole sequence; ``--no-chrono`` is the
control, the usual forget bias of 1.

Expected: MSE on test data below 0.01 for lengths from 200 to 5000 with the default settings, after 500 to 900 steps of
32 sequences; what was measured, with the minutes, stands in results/README.md.

Papers: Hochreiter & Schmidhuber (1997), "Long Short-Term Memory", section 5.4 (the task); Arjovsky, Shah & Bengio
(2016), "Unitary Evolution Recurrent Neural Networks", section 5.1 (this form of it, lengths 200 and 750);
Tallec & Ollivier (2018), "Can recurrent neural networks warp time?", section 3 (chrono initialisation).
"""

from dataclasses import dataclass

from lstm_jax.cells import LSTM, AnyCell, with_chrono
from lstm_jax.cli import run_experiment
from lstm_jax.tasks.adding import Adding
from lstm_jax.train import Experiment, Optimizer, task_experiment

SOLVED_MSE = 0.01


@dataclass(frozen=True)
class Config:
    """The adding task."""

    length: int = 200
    """Steps T of a sequence, at least 2."""
    cell: AnyCell = LSTM(32)
    """The recurrent layer."""
    chrono: bool = True
    """Whether an LSTM's biases start as chrono initialisation with T_max = length says."""
    optimizer: Optimizer = Optimizer(learning_rate=5e-3)
    batch_size: int = 32
    """Sequences in a training step."""
    steps: int = 5000
    """Optimiser steps at most; training ends before once validation is solved."""
    evaluation_size: int = 1000
    """Fresh sequences in a validation, and in the final test."""


def build(config: Config) -> Experiment:
    """The experiment for these settings."""
    task = Adding(config.length)
    if not config.evaluation_size >= 2:
        raise ValueError(
            f"evaluation_size must be at least 2, to know the score's error, got {config.evaluation_size}."
        )
    cell = with_chrono(config.cell, config.length) if config.chrono else config.cell
    return task_experiment(
        task,
        (cell,),
        name="adding",
        config=config,
        optimizer=config.optimizer,
        batch_size=config.batch_size,
        steps=config.steps,
        evaluation_size=config.evaluation_size,
        metric="mse",
        target=SOLVED_MSE,
        solved=lambda scores: scores["mse"] < SOLVED_MSE,
        # Three standard errors below, so that the test data will agree with validation.
        stop=lambda scores: scores["mse"] + 3 * scores["mse_error"] < SOLVED_MSE,
    )


if __name__ == "__main__":
    run_experiment(Config, build, name="adding")
