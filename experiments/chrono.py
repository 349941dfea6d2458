"""Does chrono initialisation learn dependencies that a forget bias of 1 does not, and how much faster?

    python -m experiments.chrono task:adding --task.length 400
    python -m experiments.chrono task:adding --task.length 400 --initial forget_bias
    python -m experiments.chrono task:copy-memory --task.delay 50

One LSTM, one task, one setting changed: the biases of its input and forget gates. "chrono" draws them so that the units
forget over all time scales from one step to T_max, the longest dependency; "forget_bias" starts all of them with a
forget gate's bias of 1, that is a memory of about four steps.

Everything else is the same for both: Adam, the learning rate, the number of steps; training ends once validation is
solved. The picture in results/plots shows the steps it took, over the delay; a run that never solved its task stands at
the limit.

Paper: Tallec & Ollivier (2018), "Can recurrent neural networks warp time?", section 3 and figure 3: adding at T = 200
and 750 and copy at T = 500 and 2000, with 128 units and RMSprop at 1e-3 (``setting: ours`` here: shorter, smaller,
Adam).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lstm_jax.cells import LSTM, with_chrono
from lstm_jax.cli import run_experiment
from lstm_jax.report.bands import by_number, draw_bands
from lstm_jax.tasks.adding import Adding
from lstm_jax.tasks.copy_memory import CopyMemory
from lstm_jax.train import Experiment, Optimizer, task_experiment

SOLVED_MSE, SOLVED_ACCURACY = 0.01, 0.99


@dataclass(frozen=True)
class Config:
    """Chrono initialisation against a forget bias of 1."""

    task: Adding | CopyMemory = Adding(200)
    """What is learnt."""
    initial: Literal["chrono", "forget_bias"] = "chrono"
    """How the biases start."""
    hidden_size: int = 32
    """Units of the LSTM."""
    optimizer: Optimizer = Optimizer(learning_rate=5e-3)
    batch_size: int = 32
    """Sequences in a training step."""
    steps: int = 3000
    """Optimiser steps at most; training ends before once validation is solved."""


def build(config: Config) -> Experiment:
    """The experiment for these settings."""
    task = config.task
    adding = isinstance(task, Adding)
    t_max = task.length if adding else task.delay + task.sequence_length
    cell = LSTM(config.hidden_size)
    if config.initial == "chrono":
        cell = with_chrono(cell, t_max)
    return task_experiment(
        task,
        (cell,),
        name="chrono",
        config=config,
        optimizer=config.optimizer,
        batch_size=config.batch_size,
        steps=config.steps,
        metric="mse" if adding else "nats",
        target=SOLVED_MSE if adding else None,
        solved=lambda s: s["mse"] < SOLVED_MSE if adding else s["accuracy"] >= SOLVED_ACCURACY,
        stop=lambda s: (
            s["mse"] + 3 * s["mse_error"] < SOLVED_MSE if adding else s["accuracy"] >= (1 + SOLVED_ACCURACY) / 2
        ),
    )


def draw(path: Path, groups: Mapping[str, Sequence[Path]]) -> Path:
    """Steps until solved, over the delay; a group's label is "INITIAL, DELAY"."""
    return draw_bands(
        path,
        by_number(groups, lambda result: result["steps"]),
        title="Steps until solved; at the limit: not solved",
        xlabel="T",
        ylabel="optimiser steps",
        log_x=True,
        log_y=True,
        marker="o",
    )


if __name__ == "__main__":
    run_experiment(Config, build, name="chrono")
