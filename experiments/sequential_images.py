"""Can a network recognise a picture that it sees pixel by pixel, in any order, or a thousand steps after it is over?

    python -m experiments.sequential_images task:pixel-images --task.side 14
    python -m experiments.sequential_images task:pixel-images --task.order permuted --task.path path/to/mnist
    python -m experiments.sequential_images task:noise-padded-images

Pixel images: 784 pixels (or fewer, shrunk), row by row or all in one fixed random order, and the class at the end.
Noise-padded images: a row a step, then noise up to step 1,000. Without ``--task.path`` the pictures are generated
digits, a new one each time; with it the files of MNIST (IDX) or CIFAR-10 (binary).

Model: one recurrent layer with chrono initialisation, a dense layer at the last step. The files' test set is gone
through once, after training; generated digits are tested on 2,560 new ones.

Expected: what was measured stands in results/README.md. Published for MNIST with 128 units: LSTM 98.9% row by row and
95.1% permuted (Rusch 2022), with 512 units and chrono 96.3% permuted (Tallec & Ollivier 2018, validation).

Papers: Le, Jaitly & Hinton (2015), "A Simple Way to Initialize Recurrent Networks of Rectified Linear Units", section
4.2; Chang et al. (2019), "AntisymmetricRNN", section 5.3.
"""

from dataclasses import dataclass, replace

from lstm_jax.cells import LSTM, AnyCell, with_chrono
from lstm_jax.cli import run_experiment
from lstm_jax.tasks.sequential_images import NoisePaddedImages, PixelImages
from lstm_jax.train import Experiment, Optimizer, task_experiment

SOLVED = 0.9
GENERATED = 2560
"""Generated digits in the test; of files all are."""


@dataclass(frozen=True)
class Config:
    """Pictures as sequences."""

    task: PixelImages | NoisePaddedImages = PixelImages()
    """What is shown."""
    cell: AnyCell = LSTM(64)
    """The recurrent layer."""
    chrono: bool = True
    """Whether an LSTM's biases start as chrono initialisation with T_max = the sequence's length says."""
    optimizer: Optimizer = Optimizer(learning_rate=2e-3)
    batch_size: int = 50
    """Pictures in a training step."""
    steps: int = 5000
    """Optimiser steps."""


def build(config: Config) -> Experiment:
    """The experiment for these settings."""
    task, tested = config.task, replace(config.task, split="test")
    cell = with_chrono(config.cell, task.length) if config.chrono else config.cell
    return task_experiment(
        task,
        (cell,),
        validation=replace(task, split="validation"),
        tested=tested,
        name="sequential_images",
        config=config,
        optimizer=config.optimizer,
        batch_size=config.batch_size,
        steps=config.steps,
        evaluation_size=1000,
        test_size=tested.size or GENERATED,
        evaluate_every=250,
        metric="accuracy",
        target=SOLVED,
        solved=lambda scores: scores["accuracy"] >= SOLVED,
        stop=lambda scores: False,
    )


if __name__ == "__main__":
    run_experiment(Config, build, name="sequential_images")
