"""Do peepholes help to measure, or to keep, exact time?

    python -m experiments.peephole_timing task:measure-spike-delays --task.interval 20
    python -m experiments.peephole_timing task:measure-spike-delays --task.interval 20 --no-peepholes
    python -m experiments.peephole_timing task:generate-timed-spikes --task.interval 20 --task.delays 5

Spikes come F or a few more steps apart. Measuring: at each spike the steps beyond F are asked for. Generating: a spike
is asked for every F steps. Without peepholes a gate sees the cell state only through the output gate, which must then
be open all the time to read the clock; with them it sees the state itself.

Everything else is equal: one layer, the same units, optimiser and steps. The picture in results/plots shows the steps
until every answer of 1,000 validation sequences was right, over F.

Expected: fewer steps with peepholes, and the gap grows with F. What was measured stands in results/README.md.

Paper: Gers, Schraudolph & Schmidhuber (2002), "Learning Precise Timing with LSTM Recurrent Networks", section 4:
streams until the first error rather than a fixed length, one cell, no Adam (``setting: ours`` here).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lstm_jax.cells import NP, PeepholeLSTM
from lstm_jax.cli import run_experiment
from lstm_jax.report.bands import by_number, draw_bands
from lstm_jax.tasks.spike_timing import GenerateTimedSpikes, MeasureSpikeDelays
from lstm_jax.train import Experiment, Optimizer, task_experiment


@dataclass(frozen=True)
class Config:
    """Peepholes against none."""

    task: MeasureSpikeDelays | GenerateTimedSpikes = MeasureSpikeDelays(delays=5, spikes=3)
    """What is learnt."""
    peepholes: bool = True
    """Whether the gates see the cell state."""
    hidden_size: int = 4
    """Units of the LSTM."""
    optimizer: Optimizer = Optimizer(learning_rate=1e-2)
    batch_size: int = 32
    """Sequences in a training step."""
    steps: int = 10000
    """Optimiser steps at most; training ends before once every answer is right."""


def build(config: Config) -> Experiment:
    """The experiment for these settings."""
    kind = PeepholeLSTM if config.peepholes else NP
    return task_experiment(
        config.task,
        (kind(config.hidden_size),),
        name="peephole_timing",
        config=config,
        optimizer=config.optimizer,
        batch_size=config.batch_size,
        steps=config.steps,
        metric="mse",
        target=None,
        solved=lambda scores: scores["exact"] >= 0.99,
        stop=lambda scores: scores["exact"] == 1.0,
    )


def draw(path: Path, groups: Mapping[str, Sequence[Path]]) -> Path:
    """Steps until solved, over F; a group's label is "CELL, F"."""
    return draw_bands(
        path,
        by_number(groups, lambda result: result["steps"]),
        title="Steps until solved; at the limit: not solved",
        xlabel="F, steps between two spikes",
        ylabel="optimiser steps",
        log_y=True,
        marker="o",
    )


if __name__ == "__main__":
    run_experiment(Config, build, name="peephole_timing")
