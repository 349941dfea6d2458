"""How many sequences does an LSTM need today for the six experiments of the paper that introduced it?

    python -m experiments.hochreiter1997 task:embedded-reber
    python -m experiments.hochreiter1997 task:long-lag2a
    python -m experiments.hochreiter1997 task:long-lag2c --task.distractors 1000 --task.lag 1000
    python -m experiments.hochreiter1997 task:two-sequence
    python -m experiments.hochreiter1997 task:noisy-two-sequence
    python -m experiments.hochreiter1997 task:adding1997 --task.length 1000
    python -m experiments.hochreiter1997 task:multiplication1997
    python -m experiments.hochreiter1997 task:temporal-order --task.symbols 3

Tasks and lengths are the paper's, where lstm_jax.tasks does not say otherwise (Reber strings teach the whole set of
symbols that may follow, and are new ones each time); model, training and rule are ours: an LSTM with a forget gate,
chrono initialisation, exact gradients and Adam, on batches of 20 sequences, where the paper has no forget gate,
truncated gradients and one sequence at a time.

Our rule, one for all where the paper has one for each: training ends when 2000 validation sequences are all answered
right (for multiplication, all but 12; with noisy targets, when the mean squared error against the noise-free target is
below 0.015 squared), looked at every 25 steps. A class is right when it is the most probable one; the paper wants every
output unit within 0.2 to 0.3 of its target, and the 2000 or 10,000 most recent training sequences right. The sequences
seen are those of training, every one of them new; the validation sequences, 2000 a look, come on top and teach nothing.
The test tells the share that is right of 2560 new ones.

Theirs, in sequences: embedded Reber 8,440; long lag 5,040 (2a, p = 100), 31,000 (2c, q = p = 100), 49,000 (q = p =
1000); two sequences 39,850 (3a), 269,650 (3c); adding 74,000 / 209,000 / 853,000 (T = 100 / 500 / 1000); multiplication
1,273,000; temporal order 31,390 (6a), 571,100 (6b). Ours stand beside them in results/README.md.

Paper: Hochreiter & Schmidhuber (1997), "Long Short-Term Memory", Neural Computation 9(8), section 5.
"""

from dataclasses import dataclass, replace

from lstm_jax.cells import LSTM, AnyCell, with_chrono
from lstm_jax.cli import run_experiment
from lstm_jax.tasks.arithmetic_1997 import Adding1997, Multiplication1997
from lstm_jax.tasks.long_lag import LongLag2a, LongLag2c
from lstm_jax.tasks.reber import EmbeddedReber
from lstm_jax.tasks.temporal_order import TemporalOrder
from lstm_jax.tasks.two_sequence import NoisyTwoSequence, TwoSequence
from lstm_jax.train import Experiment, Optimizer, task_experiment

RECENT, TESTED = 2000, 2560
NOISY_MSE = 0.015**2
SOLVED = 0.99
Problem = (
    EmbeddedReber
    | LongLag2a
    | LongLag2c
    | TwoSequence
    | NoisyTwoSequence
    | Adding1997
    | Multiplication1997
    | TemporalOrder
)


@dataclass(frozen=True)
class Config:
    """An experiment of the paper."""

    task: Problem = Adding1997()
    """Which."""
    cell: AnyCell = LSTM(16)
    """The recurrent layer."""
    chrono: bool = True
    """Whether an LSTM's biases start as chrono initialisation with T_max = the task's length says."""
    optimizer: Optimizer = Optimizer(learning_rate=5e-3)
    batch_size: int = 20
    """Sequences in a training step."""
    steps: int = 20000
    """Optimiser steps at most; training ends before by the paper's rule."""


def build(config: Config) -> Experiment:
    """The experiment for these settings."""
    task, cell = config.task, config.cell
    if config.chrono:
        # Whichever of these the task has.
        length = next(vars(task)[name] for name in ("lag", "length", "longest") if name in vars(task))
        cell = with_chrono(cell, length)
    allowed = 12 if isinstance(task, Multiplication1997) else 0
    noisy = isinstance(task, NoisyTwoSequence)
    plain = replace(task, target_noise=0.0) if noisy else task
    return task_experiment(
        task,
        (cell,),
        validation=plain,
        tested=plain,
        name="hochreiter1997",
        config=config,
        optimizer=config.optimizer,
        batch_size=config.batch_size,
        steps=config.steps,
        evaluation_size=RECENT,
        test_size=TESTED,
        evaluate_every=25,
        metric="mse" if noisy else "exact",
        target=NOISY_MSE if noisy else None,
        solved=lambda scores: scores["exact"] >= SOLVED,
        # A share of float32: half a sequence is no sequence.
        stop=lambda s: s["mse"] < NOISY_MSE if noisy else s["exact"] > 1 - (allowed + 0.5) / RECENT,
    )


if __name__ == "__main__":
    run_experiment(Config, build, name="hochreiter1997")
