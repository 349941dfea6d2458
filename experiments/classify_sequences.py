"""Which class is a whole sequence of, such as a heartbeat, a word, a movement or a digit?

    python -m experiments.classify_sequences --train ECG5000_TRAIN.tsv --test ECG5000_TEST.tsv
    python -m experiments.classify_sequences

Files: UCR ``.tsv``, sktime or UEA ``.ts`` with any number of channels and unequal lengths, UCI ``pendigits.tra`` and
``.tes``; each also compressed by gzip. Of each class a fifth of the training file validates (``--validation``; a draw
that is always the same): the parameters with the lowest cross entropy there are kept. The scale of each channel is that
of the rest. The test file is scored once. Without files the series are generated: cylinder, bell, funnel; 180 to train
on, 300 to test.

Model: ``bidirectional`` recurrent layers, pooled over time, and a dense layer; or ``lstm-fcn``, recurrent layers beside
convolutions, with ``--shuffle`` as in the paper.

Beside it, on the whole training file: the most frequent class (majority), the nearest training series by Euclidean
distance (nearest), and a linear map by ridge regression to one column a class (linear). Both take unequal lengths
resampled to the longest of training. The accuracy has Wilson's 95% interval. The run folder gets ``predictions.csv``,
``classes.csv`` (precision, recall, F1 and support of each) and ``plots/confusion.png``.

Papers: Karim et al. (2018), "LSTM Fully Convolutional Networks for Time Series Classification", arXiv:1709.05206;
Dau et al. (2018), "The UCR Time Series Archive", arXiv:1810.07758.

Measured on public files, beside what is published: docs/applications.md.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np

from lstm_jax.cells import LSTM, AnyCell
from lstm_jax.cli import run_experiment
from lstm_jax.data.baselines import simple_classes
from lstm_jax.data.cylinder_bell_funnel import cylinder_bell_funnel
from lstm_jax.data.examples import Examples
from lstm_jax.data.labelled import LabelledSequences, number_classes, read_both
from lstm_jax.data.windows import Standardizer
from lstm_jax.metrics.classification import class_scores
from lstm_jax.models.classifier import SequenceClassifier
from lstm_jax.models.losses import ACCURACY, CROSS_ENTROPY
from lstm_jax.models.lstm_fcn import LSTMFCN
from lstm_jax.models.pooling import Pooling
from lstm_jax.options import positive, rate
from lstm_jax.report.classes import report_classes
from lstm_jax.train import Experiment, Optimizer, predict, supervised_experiment
from lstm_jax.wrappers import Bidirectional

FEW = 5


@dataclass(frozen=True)
class Config:
    """Classes of whole sequences."""

    train: str = ""
    """The file to train and validate on; empty: generated series."""
    test: str = ""
    """The file to test on."""
    model: Literal["bidirectional", "lstm-fcn"] = "bidirectional"
    """Recurrent layers in both directions, or recurrent layers beside convolutions."""
    cell: AnyCell = LSTM(64)
    """The recurrent layer."""
    layers: int = 1
    """Recurrent layers, one on top of the other."""
    filters: tuple[int, int, int] = (128, 256, 128)
    """Filters of the convolutions, which see 8, 5 and 3 steps; lstm-fcn only."""
    shuffle: bool = False
    """Whether the recurrent layers read a channel as one step of as many numbers as it has steps, not step by step;
    lstm-fcn only."""
    pooling: Pooling = "mean"
    """How the outputs at all steps become one; bidirectional only."""
    dropout: float = 0.5
    """Rate on the recurrent layers' outputs."""
    validation: float = 0.2
    """Share of each class in the training file that is kept to choose the best parameters; 0: nothing is kept, and
    ``steps`` is the number of steps (for small files, once the settings are chosen by cross-validation)."""
    noise: float = 0.0
    """Standard deviation of the noise on training inputs, in units of each channel's own."""
    optimizer: Optimizer = Optimizer(learning_rate=2e-3, weight_decay=1e-2)
    batch_size: int = 32
    """Sequences in a training step."""
    steps: int = 1000
    """Optimiser steps at most."""
    patience: int = 10
    """Validations, 50 steps apart, without a better score that end the training."""


def build(config: Config) -> Experiment:
    """The experiment for these settings."""
    for setting in ("layers", "batch_size", "patience"):
        positive(setting, getattr(config, setting))
    rate("validation", config.validation)
    if not config.noise >= 0:
        raise ValueError(f"noise must be at least 0, got {config.noise}.")
    if config.shuffle and config.model != "lstm-fcn":
        raise ValueError("shuffle is of the model lstm-fcn: leave it out, or set --model lstm-fcn.")
    files = read_both(config.train, config.test)
    files = files or (cylinder_bell_funnel(180, seed=0), cylinder_bell_funnel(300, seed=1))
    classes, targets = number_classes(*files)
    known, test = (Examples.of(file.sequences, answers) for file, answers in zip(files, targets, strict=True))
    train, _ = _parts(known, config.validation)
    scale = Standardizer.fit(np.concatenate(train.sequences()), axis=0)
    known, test = known.map(scale.apply), test.map(scale.apply)
    train, validation = _parts(known, config.validation)
    model = _model(config, len(classes), max(int(part.lengths.max()) for part in (known, test)))

    def with_noise(xs: jax.Array, key: jax.Array) -> jax.Array:
        return xs + config.noise * jax.random.normal(key, xs.shape)

    def scores(params: Any) -> dict[str, float]:
        found = predict(model, params, test).argmax(axis=-1)
        return class_scores(test.targets, found, len(classes), simple_ones)

    def report(params: Any, folder: Path) -> None:
        logits = predict(model, params, test)
        report_classes(folder, classes, test.targets, logits, files[1].lines, simple_ones)

    simple_ones = simple_classes(known, test, len(classes))
    frequencies = np.bincount(known.targets) / len(known)
    return supervised_experiment(
        model,
        name="classify_sequences",
        config=config,
        train=train,
        validation=validation,
        test=test,
        loss=CROSS_ENTROPY,
        scores=(ACCURACY,),
        augment=with_noise if config.noise else None,
        optimizer=config.optimizer,
        batch_size=config.batch_size,
        steps=config.steps,
        patience=config.patience if config.validation else None,
        baseline=float(-np.mean(np.log(frequencies[test.targets]))),
        scores_on_host=scores,
        report=report,
        notes=_notes(files, train, classes),
    )


def _parts(known: Examples, validation: float) -> tuple[Examples, Examples]:
    return known.split(validation, stratified=True) if validation else (known, known)


def _model(config: Config, classes: int, longest: int) -> SequenceClassifier | LSTMFCN:
    if config.model == "lstm-fcn":
        cells = (config.cell,) * config.layers
        return LSTMFCN(
            cells=cells,
            classes=classes,
            filters=config.filters,
            shuffled_steps=longest if config.shuffle else None,
            dropout=config.dropout,
        )
    cells = (Bidirectional(config.cell, config.cell),) * config.layers
    return SequenceClassifier(cells=cells, classes=classes, pooling=config.pooling, dropout=config.dropout)


def _notes(files: tuple[LabelledSequences, ...], train: Examples, classes: tuple[str, ...]) -> tuple[str, ...]:
    gaps = [
        f"{file.path}: {file.missing} missing values are filled with the value before."
        for file in files
        if file.missing
    ]
    counts = np.bincount(train.targets, minlength=len(classes))
    rare = ", ".join(f"{name!r} ({count})" for name, count in zip(classes, counts, strict=True) if count < FEW)
    return (*gaps, *([f"Few training sequences are of the class {rare}."] if rare else []))


if __name__ == "__main__":
    run_experiment(Config, build, name="classify_sequences")
