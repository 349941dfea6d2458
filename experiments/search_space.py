"""Which parts of the LSTM matter? Its eight variants, each with the same trials on three tasks.

    python -m experiments.search_space --variant lstm task:adding --seed 0
    python -m experiments.search_space --variant cifg task:copy-memory --seed 3

The variants leave out one part of an LSTM with peepholes (NIG, NFG, NOG: a gate; NIAF, NOAF: an activation; NP: the
peepholes), couple its input and forget gates (CIFG), or add recurrence among the gates (FGR). The learning rates of
the trials 0, 1, 2 ... are spread over a logarithmic range, the same for every variant, so that none is tuned more than
another; every trial is shown, and all take the same number of steps.

Expected: on these tasks, no forget gate and no output activation cost most. What was measured stands in
results/README.md.

Paper: Greff et al. (2017), "LSTM: A Search Space Odyssey", which trained 200 trials of each variant on speech,
handwriting and music, and found none significantly better than the plain LSTM, and the forget gate and the output
activation to be critical.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

from lstm_jax.cells import CIFG, NFG, NIAF, NIG, NOAF, NOG, NP, FullGateLSTM, PeepholeLSTM
from lstm_jax.cli import run_experiment
from lstm_jax.tasks.adding import Adding
from lstm_jax.tasks.copy_memory import CopyMemory
from lstm_jax.tasks.temporal_order import TemporalOrder
from lstm_jax.train import Experiment, Optimizer, task_experiment

VARIANTS = {
    "lstm": PeepholeLSTM,
    "nig": NIG,
    "nfg": NFG,
    "nog": NOG,
    "niaf": NIAF,
    "noaf": NOAF,
    "cifg": CIFG,
    "np": NP,
    "fgr": FullGateLSTM,
}
LOWEST, HIGHEST = 1e-3, 3e-2
GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Config:
    """A variant, a task, and a trial."""

    variant: Literal["lstm", "nig", "nfg", "nog", "niaf", "noaf", "cifg", "np", "fgr"] = "lstm"
    """The recurrent layer."""
    task: Adding | CopyMemory | TemporalOrder = Adding(50)
    """What is learnt."""
    trial: int = 0
    """Chooses the learning rate."""
    hidden_size: int = 32
    """Its hidden units."""
    optimizer: Optimizer = Optimizer()
    """How it is trained; its learning rate is the trial's."""
    batch_size: int = 32
    """Sequences in a training step."""
    steps: int = 1000
    """Optimiser steps: the same for all."""


def build(config: Config) -> Experiment:
    """The experiment for these settings."""
    # Multiples of the golden ratio: however many trials there are, their rates lie far apart.
    rate = LOWEST * (HIGHEST / LOWEST) ** ((0.5 + config.trial * GOLDEN) % 1)
    cell = VARIANTS[config.variant](config.hidden_size)
    name = "mse" if config.task.asks == "number" else "nats"
    return task_experiment(
        config.task,
        (cell,),
        name="search_space",
        config=config,
        optimizer=replace(config.optimizer, learning_rate=rate),
        batch_size=config.batch_size,
        steps=config.steps,
        metric=name,
        target=None,
        solved=lambda scores: scores[name] < config.task.trivial[name] / 10,
        stop=lambda scores: False,  # the same budget for all
        notes=(f"trial {config.trial}: learning rate {rate:.3g}",),
    )


if __name__ == "__main__":
    run_experiment(Config, build, name="search_space")
