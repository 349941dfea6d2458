"""Training batches that the host reads while the device computes: for data larger than memory."""

import dataclasses
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from lstm_jax.data.table import DataError
from lstm_jax.options import positive


def stacked(examples: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """A batch as `Buckets` gives it, of examples that are equally long.

    Args:
        examples: B of them, each ``{"xs": [T, ...], "targets": [...]}``.

    Returns:
        ``xs [T, B, ...]``, ``lengths [B]``, ``targets [B, ...]`` and ``weights [B]``, all 1.
    """
    xs = np.stack([example["xs"] for example in examples], axis=1)
    return {
        "xs": xs,
        "lengths": np.full(len(examples), len(xs), np.int32),
        "targets": np.stack([example["targets"] for example in examples]),
        "weights": np.ones(len(examples), np.float32),
    }


@dataclasses.dataclass(frozen=True, eq=False)
class HostBatches:
    """Shuffled batches of examples that are read one by one, by grain: what `Experiment.batch` may be.

    Each epoch visits each example once, in an order of its own; batches run over its end. The batch of a step depends
    on the key and the step alone, so there is nothing to save of it, and a run that goes on reads what it would have
    read. Every process reads every batch.
    """

    source: Any
    """``len(source)`` examples; ``source[row]``, 0 <= row < len(source), reads one, in any of several threads. A
    `grain.MapDataset` is one, too."""
    batch_size: int
    """B."""
    stack: Callable[[Sequence[Any]], Any] = stacked
    """Makes a batch, a pytree of arrays, of B examples. All batches have the same shapes."""
    threads: int = 2
    """How many read ahead."""

    def __post_init__(self) -> None:
        """Refuse what cannot be read."""
        positive("batch_size", self.batch_size)
        positive("threads", self.threads)
        if not len(self.source):
            raise DataError("There are no examples to make batches of.")
        if importlib.util.find_spec("grain") is None:
            raise ImportError("Batches that the host reads need grain: pip install 'lstm-jax[large]'.")

    def __call__(self, key: jax.Array, step: jax.Array | int) -> Any:
        """The batch of a step, read now; not inside of `jax.jit`. ``key`` is the same in all steps."""
        return self._batches(key)[int(step)]

    def ahead(self, key: jax.Array, step: int, capacity: int) -> "Ahead":
        """Read the batches from a step on, at most ``capacity`` of them before they are asked for."""
        from grain import ReadOptions  # takes a second to import

        batches = self._batches(key)
        options = ReadOptions(num_threads=self.threads, prefetch_buffer_size=capacity)
        return Ahead(batches[step], iter(batches.slice(slice(step, None)).to_iter_dataset(options)), capacity)

    def _batches(self, key: jax.Array) -> Any:
        """A `grain.MapDataset` whose entry ``[step]`` is the batch of the step, as far as int32 counts."""
        from grain import MapDataset

        seed = int(jax.random.bits(key, dtype=np.uint32))
        # repeat() without a number is longer than what len() can say.
        epochs = -(-self.batch_size * 2**31 // len(self.source))
        examples = MapDataset.source(self.source).seed(seed).shuffle().repeat(epochs)
        return examples.batch(self.batch_size, batch_fn=self.stack)


class Ahead:
    """Batches of successive steps, read ahead; a context that ends the reading."""

    def __init__(self, like: Any, batches: Any, capacity: int) -> None:
        self._like, self._batches, self._capacity = jax.tree.map(np.asarray, like), batches, capacity

    def take(self, count: int) -> Any:
        """The next ``count`` batches, ``[capacity, ...]``: zeros behind them.

        Raises:
            DataError: a batch has not the shapes of the first one.
        """
        # Anew each time: the device may still read the last ones.
        whole = jax.tree.map(lambda leaf: np.zeros((self._capacity, *leaf.shape), leaf.dtype), self._like)
        for number in range(count):
            batch = jax.tree.map(np.asarray, next(self._batches))
            if _shapes(batch) != _shapes(self._like):
                raise DataError(
                    f"A batch has the shapes {_shapes(batch)[0]}, but the first one {_shapes(self._like)[0]}: "
                    "HostBatches needs examples of one shape; pad them to the longest."
                )
            for leaf, rows in zip(jax.tree.leaves(batch), jax.tree.leaves(whole), strict=True):
                rows[number] = leaf
        return whole

    def __enter__(self) -> "Ahead":
        """Reading has begun already."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the reading."""
        self._batches.close()


def _shapes(batch: Any) -> Any:
    leaves = jax.tree.leaves(batch)
    return [(leaf.dtype.name, *leaf.shape) for leaf in leaves], jax.tree.structure(batch)
