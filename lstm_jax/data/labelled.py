"""Labelled sequences from files, and their classes as numbers."""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lstm_jax.data.table import DataError, read_text
from lstm_jax.data.ucr import READERS
from lstm_jax.data.windows import fill_missing


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledSequences:
    """Sequences of one file, each with the text of its class."""

    path: str
    """The file."""
    sequences: tuple[np.ndarray, ...]
    """Each ``[T_i, D]``, float32."""
    labels: tuple[str, ...]
    """Their classes."""
    lines: tuple[int, ...]
    """The lines that they stand in, from 1."""
    missing: int = 0
    """How many values inside of sequences were missing: they are filled with the value before."""

    def __len__(self) -> int:
        return len(self.sequences)

    @property
    def channels(self) -> int:
        """D."""
        return self.sequences[0].shape[1]

    def take(self, rows: Sequence[int] | np.ndarray) -> "LabelledSequences":
        """Those rows; what was missing is told of the whole."""
        sequences, labels, lines = (
            tuple(each[row] for row in rows) for each in (self.sequences, self.labels, self.lines)
        )
        return dataclasses.replace(self, sequences=sequences, labels=labels, lines=lines)


def read_both(train: str, test: str) -> "tuple[LabelledSequences, LabelledSequences] | None":
    """The sequences of a file to train on and of one to test on; None where neither is named.

    Raises:
        DataError: as `read_sequences`.
        ValueError: one file alone is named, or both are the same.
    """
    if bool(train) != bool(test):
        raise ValueError("Give both files, --train and --test, or neither for generated ones.")
    if not train:
        return None
    if Path(train).resolve() == Path(test).resolve():
        raise ValueError(f"{test} cannot be tested on: it trains. Give another file by --test.")
    return read_sequences(train), read_sequences(test)


def read_sequences(path: str | Path) -> LabelledSequences:
    """Read labelled sequences; the end of the file's name (before ``.gz``) tells the format.

    A missing value (NaN, ``?``, nothing) at the end of a sequence ends it there; one inside is filled with the value
    before it, at the start with the first one behind.

    Raises:
        DataError: the file cannot be read, is empty or no text, has another format, a row with what is no number, of
            another number of channels or without any value, or a label that the file's head does not know.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path} is a folder; give the path of a file of labelled sequences.")
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix not in READERS:
        known = ", ".join(READERS)
        raise DataError(
            f"{path} ends in {suffix or 'no suffix'!r}; a file of labelled sequences ends in one of {known}."
        )
    lines = read_text(path, "a file of labelled sequences").splitlines()
    if not any(line.strip() for line in lines):
        raise DataError(f"{path} is empty; it must hold a row for each sequence.")
    kept, missing = [], 0
    for line, values, label in READERS[suffix](path, lines):
        if kept and values.shape[1] != kept[0][1].shape[1]:
            raise DataError(
                f"{path}, line {line}: the sequence has {values.shape[1]} channels, but that of line {kept[0][0]} has "
                f"{kept[0][1].shape[1]}; all must have the same."
            )
        gaps = np.isnan(values)
        known = np.flatnonzero(~gaps.all(axis=1))
        values, gaps = values[: known.max(initial=0) + 1], gaps[: known.max(initial=0) + 1]
        if gaps.all(axis=0).any():
            raise DataError(f"{path}, line {line}: a channel of the sequence holds no values; remove the line.")
        if gaps.any():
            missing += int(gaps.sum())
            values = np.stack([fill_missing(channel) for channel in values.T], axis=1)
        kept.append((line, values.astype(np.float32), label))
    if not kept:
        raise DataError(f"{path} has no rows behind its head; it must hold a row for each sequence.")
    lines_of, sequences, labels = zip(*kept, strict=True)
    return LabelledSequences(str(path), sequences, labels, lines_of, missing)


def number_classes(train: LabelledSequences, *others: LabelledSequences) -> tuple[tuple[str, ...], list[np.ndarray]]:
    """Number the classes of the training file, in order of number or else of text.

    Returns:
        The classes' labels; the classes int32 ``[N]`` of ``train`` and of each of ``others``.

    Raises:
        DataError: training has one class only, or another file has a class or a number of channels that it lacks.
    """
    classes = sorted(set(train.labels), key=_in_order)
    if len(classes) < 2:
        raise DataError(f"{train.path} has sequences of one class only, {classes[0]!r}; there must be two or more.")
    numbers = {label: number for number, label in enumerate(classes)}
    for other in others:
        if other.channels != train.channels:
            raise DataError(
                f"{other.path} has sequences of {other.channels} channels, but {train.path} of {train.channels}; give "
                "two files of one data set."
            )
        for line, label in zip(other.lines, other.labels, strict=True):
            if label not in numbers:
                raise DataError(
                    f"{other.path}, line {line}: the class {label!r} does not occur in {train.path}, which has "
                    f"{', '.join(map(repr, classes))}; correct the label or leave the line out."
                )
    return tuple(classes), [np.array([numbers[label] for label in part.labels], np.int32) for part in (train, *others)]


def _in_order(label: str) -> tuple[float, str]:
    return (float(label), "") if re.fullmatch(r"[-+]?\d+(\.\d+)?", label) else (float("inf"), label)
