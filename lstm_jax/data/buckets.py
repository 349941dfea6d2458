"""Batches of sequences of unequal lengths in few shapes: sequences of similar length share a bucket."""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax.data.order import shuffled
from lstm_jax.data.table import DataError
from lstm_jax.options import positive


@dataclasses.dataclass(frozen=True, eq=False)
class Buckets:
    """Sequences sorted into buckets by their length, each padded to the longest of its bucket. Made by `Buckets.of`.

    A training loop compiles one program a bucket::

        branches = [lambda key, step, batch=batch: work(batch(key, step)) for batch in buckets.batches]
        lax.switch(buckets.index(key, step), branches, key, step)

    An epoch has ``steps_per_epoch`` steps. It visits each batch of each bucket once, in shuffled order, and so each
    sequence once; which rows of a bucket share a batch is drawn anew each epoch. ``key`` must stay the same.
    """

    xs: tuple[jax.Array, ...]
    """For each bucket ``[T_b, N_b, D]``, time first, zero behind each sequence's end."""
    lengths: tuple[jax.Array, ...]
    """For each bucket int32 ``[N_b]``."""
    targets: tuple[jax.Array, ...]
    """For each bucket ``[N_b, ...]``."""
    batch_size: int

    @classmethod
    def of(cls, sequences: Sequence[Any], targets: Any, batch_size: int, count: int = 4) -> "Buckets":
        """Sort sequences into buckets of about equally many.

        Args:
            sequences: N arrays ``[T_i, D]``, each with a length of its own.
            targets: ``[N, ...]``, one for each sequence.
            batch_size: B, how many sequences a batch has.
            count: how many buckets at most: their longest sequences are the quantiles 1/count, 2/count, ... of the
                lengths. Equal lengths share a bucket, so there may be fewer.

        Raises:
            DataError: no sequences, one that is empty, not finite or of another feature size, or no target for one.
            ValueError: ``batch_size`` or ``count`` is no whole number of at least 1.
        """
        positive("batch_size", batch_size)
        positive("count", count)
        arrays, answers = _checked(sequences, targets)
        sizes = np.array([len(array) for array in arrays])
        ranks = -(-len(arrays) * np.arange(1, count + 1) // count) - 1
        longest = np.unique(np.sort(sizes)[ranks])
        bucket = np.searchsorted(longest, sizes)
        xs, lengths, chosen = [], [], []
        for number, steps in enumerate(longest):
            rows = np.flatnonzero(bucket == number)
            padded = np.zeros(
                (steps, len(rows), arrays[0].shape[1]), np.result_type(*{array.dtype for array in arrays})
            )
            for place, row in enumerate(rows):
                padded[: sizes[row], place] = arrays[row]
            xs.append(jnp.asarray(padded))
            lengths.append(jnp.asarray(sizes[rows].astype(np.int32)))
            chosen.append(jnp.asarray(answers[rows]))
        return cls(tuple(xs), tuple(lengths), tuple(chosen), batch_size)

    @property
    def steps_per_epoch(self) -> int:
        """How many batches all buckets have together."""
        return self._ends[-1]

    @property
    def padding(self) -> float:
        """The share of padded steps among all stored steps, 0 <= padding < 1; the filler of last batches apart."""
        stored = sum(xs.shape[0] * xs.shape[1] for xs in self.xs)
        return 1 - sum(int(lengths.sum()) for lengths in self.lengths) / stored

    @property
    def batches(self) -> tuple[Callable[[jax.Array, jax.Array], dict[str, jax.Array]], ...]:
        """For each bucket a function ``(key, step) -> batch``, for the steps whose `index` is this bucket.

        A batch holds ``xs [T_b, B, D]``, ``lengths [B]``, ``targets [B, ...]`` and ``weights [B]``, float32: 1 for a
        sequence, 0 for filler, which makes the last batch of a bucket full and is zero throughout.
        In a step of another bucket, all of the batch is filler.
        """
        return tuple(partial(self._batch, bucket) for bucket in range(len(self.xs)))

    def index(self, key: jax.Array, step: jax.Array | int) -> jax.Array:
        """The bucket of a step, an int32 scalar."""
        _, number = self._place(key, step)
        return jnp.searchsorted(jnp.asarray(self._ends, jnp.int32), number, side="right").astype(jnp.int32)

    @property
    def _ends(self) -> tuple[int, ...]:
        """The number behind the last batch of each bucket, where batches are counted through all buckets."""
        return tuple(int(end) for end in np.cumsum([-(-xs.shape[1] // self.batch_size) for xs in self.xs]))

    def _place(self, key: jax.Array, step: jax.Array | int) -> tuple[jax.Array, jax.Array]:
        """The key of the step's epoch, and the number of the step's batch."""
        epoch, position = jnp.divmod(jnp.asarray(step, jnp.int32), self.steps_per_epoch)
        key = jax.random.fold_in(key, epoch)
        return key, shuffled(jax.random.fold_in(key, 0), self.steps_per_epoch, position)

    def _batch(self, bucket: int, key: jax.Array, step: jax.Array | int) -> dict[str, jax.Array]:
        key, number = self._place(key, step)
        size = self.xs[bucket].shape[1]
        first = (number - (0, *self._ends)[bucket]) * self.batch_size
        positions = first + jnp.arange(self.batch_size, dtype=jnp.int32)
        real = (positions >= 0) & (positions < size)
        # A row that does not exist is read as zeros.
        rows = jnp.where(real, shuffled(jax.random.fold_in(key, bucket + 1), size, positions), size)

        def read(array: jax.Array, axis: int) -> jax.Array:
            return jnp.take(array, rows, axis=axis, mode="fill", fill_value=0)

        return {
            "xs": read(self.xs[bucket], 1),
            "lengths": read(self.lengths[bucket], 0),
            "targets": read(self.targets[bucket], 0),
            "weights": real.astype(jnp.float32),
        }


def _checked(sequences: Sequence[Any], targets: Any) -> tuple[list[np.ndarray], np.ndarray]:
    """Sequences ``[T_i, D]`` and targets ``[N, ...]`` as arrays, else DataError naming the first wrong one."""
    arrays = [np.asarray(sequence) for sequence in sequences]
    if not arrays:
        raise DataError("There are no sequences to sort into buckets.")
    for number, array in enumerate(arrays):
        if array.ndim != 2 or not array.size or array.dtype.kind not in "biuf":
            raise DataError(
                f"Sequence {number} must be numbers [T, D], both at least 1, got {array.dtype} {list(array.shape)}."
            )
        if array.shape[1] != arrays[0].shape[1]:
            raise DataError(
                f"Sequence {number} has {array.shape[1]} features a step, but sequence 0 has {arrays[0].shape[1]}; "
                "all must have equally many."
            )
        if not np.isfinite(array).all():
            step = int(np.argwhere(~np.isfinite(array))[0][0])
            raise DataError(f"Sequence {number} is not finite at step {step}; remove it or fill its gaps.")
    if len(targets) != len(arrays):
        raise DataError(f"There are {len(arrays)} sequences but {len(targets)} targets; give one for each sequence.")
    answers = [np.asarray(target) for target in targets]
    for number, answer in enumerate(answers):
        if answer.dtype.kind not in "biuf" or not np.isfinite(answer).all():
            raise DataError(f"The target of sequence {number} is missing or not finite; give it, or leave both out.")
        if answer.shape != answers[0].shape:
            raise DataError(
                f"The target of sequence {number} has the shape {list(answer.shape)}, but that of sequence 0 has "
                f"{list(answers[0].shape)}; all must have the same."
            )
    return arrays, np.stack(answers)
