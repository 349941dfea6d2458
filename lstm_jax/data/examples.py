"""Sequences and what is to be said of each: what supervised training, validation and tests are made of."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lstm_jax.data.table import DataError

MISSING = -1
"""The class that stands for a missing one; of numbers it is NaN. What is missing counts for nothing."""


@dataclasses.dataclass(frozen=True, eq=False)
class Examples:
    """N sequences, padded to the longest, and their targets. Made by `Examples.of`, or of arrays that are there."""

    xs: np.ndarray
    """``[T, N, D]`` numbers, or ``[T, N]`` tokens; zero behind each sequence's end."""
    lengths: np.ndarray
    """int32 ``[N]``."""
    targets: np.ndarray
    """Numbers (NaN: missing) or classes (-1: missing): ``[N, ...]``, or ``[T, N, ...]`` with ``every_step``."""
    every_step: bool = False
    """Whether each step has a target; behind a sequence's end it is missing."""

    @classmethod
    def of(cls, sequences: Sequence[Any], targets: Any, *, every_step: bool = False) -> "Examples":
        """Pad sequences to the longest.

        Args:
            sequences: N arrays ``[T_i, D]`` of numbers or ``[T_i]`` of tokens, each with a length of its own.
            targets: one for each sequence, all of one shape; with ``every_step`` one for each step of each sequence.
            every_step: whether each step has a target.

        Raises:
            DataError: no sequences; one that is empty, not finite or of another feature size; or no target for one.
        """
        arrays = checked(sequences)
        if len(targets) != len(arrays):
            raise DataError(f"There are {len(arrays)} sequences but {len(targets)} targets; give one for each.")
        lengths = np.array([len(array) for array in arrays], np.int32)
        answers = [np.asarray(target) for target in targets]
        first = answers[0].shape[1:] if every_step else answers[0].shape
        for number, answer in enumerate(answers):
            needed = (*((int(lengths[number]),) if every_step else ()), *first)
            if answer.shape != needed or answer.dtype.kind not in "biuf":
                raise DataError(
                    f"The target of sequence {number} must be numbers of the shape {list(needed)}, got {answer.dtype} "
                    f"{list(answer.shape)}."
                )
        kind = np.result_type(*{answer.dtype for answer in answers})
        kind = np.dtype(np.float32) if kind.kind == "f" else np.dtype(np.int32)
        stacked = (
            padded([answer.astype(kind) for answer in answers], np.nan if kind.kind == "f" else MISSING)
            if every_step
            else np.stack(answers).astype(kind)
        )
        dtype = np.int32 if arrays[0].ndim == 1 else np.float32
        return cls(padded([array.astype(dtype) for array in arrays]), lengths, stacked, every_step)

    def __len__(self) -> int:
        """N."""
        return len(self.lengths)

    def take(self, rows: Any) -> "Examples":
        """Those rows ``[M]``, no longer than their longest."""
        lengths = self.lengths[rows]
        longest = int(lengths.max(initial=0))
        targets = self.targets[:longest, rows] if self.every_step else self.targets[rows]
        return Examples(self.xs[:longest, rows], lengths, targets, self.every_step)

    def sequences(self) -> list[np.ndarray]:
        """The sequences, each as long as it is."""
        return [self.xs[:length, row] for row, length in enumerate(self.lengths)]

    def map(self, change: Callable[[np.ndarray], Any]) -> "Examples":
        """Each sequence ``[T_i, ...]`` changed to another one, as long or not; the targets stay."""
        targets = self.targets
        if self.every_step:
            targets = [targets[:length, row] for row, length in enumerate(self.lengths)]
        return Examples.of([change(one) for one in self.sequences()], targets, every_step=self.every_step)

    def split(self, fraction: float, seed: int = 0, *, stratified: bool = False) -> "tuple[Examples, Examples]":
        """Two parts at random, the second one with this share of the rows, at least one of them.

        Args:
            fraction: 0 < fraction < 1.
            seed: of the draw; the same one gives the same parts.
            stratified: take this share of each class, and of each class with two rows or more at least one.

        Raises:
            DataError: a part would be empty.
            ValueError: ``fraction`` is out of range.
        """
        if not 0 < fraction < 1:
            raise ValueError(f"fraction must be above 0 and below 1, got {fraction}.")
        order = np.random.default_rng(seed).permutation(len(self))
        groups = [order]
        if stratified:
            classes = self.targets[order]
            groups = [order[classes == one] for one in np.unique(classes)]
        counts = [min(max(1, round(fraction * len(rows))), len(rows) - 1) for rows in groups]
        if len(self) < 2 or not sum(counts):
            raise DataError(f"{len(self)} sequences are too few to keep some of them for validation.")
        kept = np.sort(np.concatenate([rows[count:] for rows, count in zip(groups, counts, strict=True)]))
        apart = np.sort(np.concatenate([rows[:count] for rows, count in zip(groups, counts, strict=True)]))
        return self.take(kept), self.take(apart)


def checked(sequences: Sequence[Any]) -> list[np.ndarray]:
    """Sequences as arrays ``[T_i, D]``, or ``[T_i]`` of tokens.

    Raises:
        DataError: there are none, or names the first wrong one.
    """
    arrays = [np.asarray(sequence) for sequence in sequences]
    if not arrays:
        raise DataError("There are no sequences.")
    for number, array in enumerate(arrays):
        tokens = array.ndim == 1 and array.dtype.kind in "iu"
        if not (tokens or array.ndim == 2) or not array.size or array.dtype.kind not in "biuf":
            raise DataError(
                f"Sequence {number} must be numbers [T, D], both at least 1, or whole numbers [T], tokens; got "
                f"{array.dtype} {list(array.shape)}."
            )
        if array.shape[1:] != arrays[0].shape[1:]:
            raise DataError(
                f"Sequence {number} has {_features(array)} a step, but sequence 0 has {_features(arrays[0])}; all must "
                "have equally many."
            )
        if not np.isfinite(array).all():
            step = int(np.argwhere(~np.isfinite(array))[0][0])
            raise DataError(f"Sequence {number} is not finite at step {step}; remove it or fill its gaps.")
    return arrays


def _features(array: np.ndarray) -> str:
    return f"{array.shape[1]} features" if array.ndim == 2 else "one token"


def padded(arrays: Sequence[np.ndarray], fill: float = 0) -> np.ndarray:
    """Arrays ``[T_i, ...]`` in one ``[T, N, ...]``, time first, filled up behind each end."""
    longest = max(len(array) for array in arrays)
    whole = np.full((longest, len(arrays), *arrays[0].shape[1:]), fill, arrays[0].dtype)
    for row, array in enumerate(arrays):
        whole[: len(array), row] = array
    return whole
