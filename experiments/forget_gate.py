"""Can an LSTM follow a stream that never ends and is never reset, and does it need to forget for it?

    python -m experiments.forget_gate                       with a forget gate
    python -m experiments.forget_gate cell:nfg --cell.hidden-size 8      without
    python -m experiments.forget_gate --optimizer.schedule linear        with rate decay

The continual embedded Reber grammar: strings of the grammar follow one another without a mark and without a reset of
the state. At each step the symbols that may come next are to be named, all of them and no other; where a string ends,
its second symbol must be repeated. A network without a forget gate has no way to begin anew: its cell states grow.

The training streams are ``task.length`` symbols long, so that the gradient reaches over several strings, and begin with
a reset; the test streams are ``test_length`` long, as the paper's were long, and one wrong step makes a stream wrong.

Expected: with a forget gate most test streams are right to the last symbol, without it none. What was measured stands
in results/README.md. The paper: 18% perfect solutions, 62% with rate decay, 0% without forget gate; one of its streams
has up to a million symbols, and its network 4 blocks of 2 cells; ours are shorter, and training is by batches.

Paper: Gers, Schmidhuber & Cummins (2000), "Learning to Forget: Continual Prediction with LSTM", section 4.
"""

from dataclasses import dataclass, replace

from lstm_jax.cells import AnyCell, PeepholeLSTM
from lstm_jax.cli import run_experiment
from lstm_jax.options import positive
from lstm_jax.tasks.reber import ContinualReber
from lstm_jax.train import Experiment, Optimizer, task_experiment

SOLVED = 0.9


@dataclass(frozen=True)
class Config:
    """The stream that is never reset."""

    task: ContinualReber = ContinualReber(length=100)
    """The stream that is trained on."""
    validation_length: int = 500
    """Symbols of a validation stream."""
    test_length: int = 10000
    """Symbols of a test stream."""
    cell: AnyCell = PeepholeLSTM(8)
    """The recurrent layer; the paper's has 8 memory cells, and no peepholes."""
    optimizer: Optimizer = Optimizer(learning_rate=1e-2)
    batch_size: int = 32
    """Streams in a training step."""
    steps: int = 10000
    """Optimiser steps at most; training ends before once every validation stream is right."""


def build(config: Config) -> Experiment:
    """The experiment for these settings."""
    for setting in ("validation_length", "test_length"):
        positive(setting, getattr(config, setting))
    test = replace(config.task, length=config.test_length)
    return task_experiment(
        config.task,
        (config.cell,),
        name="forget_gate",
        config=config,
        optimizer=config.optimizer,
        batch_size=config.batch_size,
        steps=config.steps,
        evaluation_size=200,
        validation=replace(config.task, length=config.validation_length),
        tests={f"{config.test_length} symbols": test},
        metric="accuracy",
        target=None,
        solved=lambda scores: scores[f"exact at {config.test_length} symbols"] >= SOLVED,
        stop=lambda scores: scores["exact"] == 1.0,
    )


if __name__ == "__main__":
    run_experiment(Config, build, name="forget_gate")
