"""Batches of sequences of unequal lengths in few shapes: sequences of similar length share a bucket."""

import dataclasses
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax.data.examples import Examples
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

    parts: tuple[Examples, ...]
    """Each bucket's examples, padded to the longest of them."""
    batch_size: int

    @classmethod
    def of(cls, examples: Examples, batch_size: int, count: int = 4) -> "Buckets":
        """Sort examples into buckets of about equally many.

        Args:
            examples: N sequences, each with a length of its own.
            batch_size: B, how many sequences a batch has.
            count: how many buckets at most: their longest sequences are the quantiles 1/count, 2/count, ... of the
                lengths. Equal lengths share a bucket, so there may be fewer.

        Raises:
            DataError: there are no examples.
            ValueError: ``batch_size`` or ``count`` is no whole number of at least 1.
        """
        positive("batch_size", batch_size)
        positive("count", count)
        if not len(examples):
            raise DataError("There are no sequences to sort into buckets.")
        sizes = examples.lengths
        ranks = -(-len(sizes) * np.arange(1, count + 1) // count) - 1
        longest = np.unique(np.sort(sizes)[ranks])
        bucket = np.searchsorted(longest, sizes)
        return cls(tuple(examples.take(np.flatnonzero(bucket == number)) for number in range(len(longest))), batch_size)

    @property
    def steps_per_epoch(self) -> int:
        """How many batches all buckets have together."""
        return self._ends[-1]

    @property
    def padding(self) -> float:
        """The share of padded steps among all stored steps, 0 <= padding < 1; the filler of last batches apart."""
        stored = sum(part.xs.shape[0] * len(part) for part in self.parts)
        return 1 - sum(int(part.lengths.sum()) for part in self.parts) / stored

    @property
    def batches(self) -> tuple[Callable[[jax.Array, jax.Array], dict[str, jax.Array]], ...]:
        """For each bucket a function ``(key, step) -> batch``, for the steps whose `index` is this bucket.

        A batch holds ``xs [T_b, B, ...]``, ``lengths [B]``, ``targets``, ``[B, ...]`` or ``[T_b, B, ...]``, and
        ``weights [B]``, float32: 1 for a sequence, 0 for filler, which makes the last batch of a bucket full and is
        zero throughout. In a step of another bucket, all of the batch is filler.
        """
        return tuple(partial(self._batch, bucket) for bucket in range(len(self.parts)))

    def index(self, key: jax.Array, step: jax.Array | int) -> jax.Array:
        """The bucket of a step, an int32 scalar."""
        _, number = self._place(key, step)
        return jnp.searchsorted(jnp.asarray(self._ends, jnp.int32), number, side="right").astype(jnp.int32)

    @property
    def _ends(self) -> tuple[int, ...]:
        """The number behind the last batch of each bucket, where batches are counted through all buckets."""
        return tuple(int(end) for end in np.cumsum([-(-len(part) // self.batch_size) for part in self.parts]))

    def _place(self, key: jax.Array, step: jax.Array | int) -> tuple[jax.Array, jax.Array]:
        """The key of the step's epoch, and the number of the step's batch."""
        epoch, position = jnp.divmod(jnp.asarray(step, jnp.int32), self.steps_per_epoch)
        key = jax.random.fold_in(key, epoch)
        return key, shuffled(jax.random.fold_in(key, 0), self.steps_per_epoch, position)

    def _batch(self, bucket: int, key: jax.Array, step: jax.Array | int) -> dict[str, jax.Array]:
        key, number = self._place(key, step)
        part = self.parts[bucket]
        size = len(part)
        first = (number - (0, *self._ends)[bucket]) * self.batch_size
        positions = first + jnp.arange(self.batch_size, dtype=jnp.int32)
        real = (positions >= 0) & (positions < size)
        # A row that does not exist is read as zeros.
        rows = jnp.where(real, shuffled(jax.random.fold_in(key, bucket + 1), size, positions), size)

        def read(array: np.ndarray, axis: int) -> jax.Array:
            return jnp.take(jnp.asarray(array), rows, axis=axis, mode="fill", fill_value=0)

        return {
            "xs": read(part.xs, 1),
            "lengths": read(part.lengths, 0),
            "targets": read(part.targets, int(part.every_step)),
            "weights": real.astype(jnp.float32),
        }
