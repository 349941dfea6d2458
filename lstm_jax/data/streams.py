"""A long sequence of tokens as B rows that are read side by side, window by window: truncated backpropagation.

Row b of a window goes on where row b of the window before has ended, so that a recurrent state can be handed on.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax.data.table import DataError
from lstm_jax.options import positive


@dataclasses.dataclass(frozen=True, eq=False)
class Streams:
    """N tokens to train on; each epoch begins at an offset of its own, so that windows are cut at other places."""

    tokens: np.ndarray
    """int32 ``[N]``."""
    rows: int
    """B."""
    window: int
    """T, tokens of a window."""

    def __post_init__(self) -> None:
        """Refuse a text that is too short."""
        positive("rows", self.rows)
        positive("window", self.window)
        if len(self.tokens) < self.window * (self.rows + 1) + 1:
            raise DataError(
                f"{len(self.tokens)} tokens are too few for {self.rows} rows of windows of {self.window}: give a "
                "longer text, or a smaller batch size or window."
            )

    @property
    def steps_per_epoch(self) -> int:
        """How many windows each row has."""
        return self._row // self.window

    @property
    def _row(self) -> int:
        return (len(self.tokens) - 1 - self.window) // self.rows

    def batch(self, key: jax.Array, step: jax.Array | int) -> dict[str, jax.Array]:
        """The windows of a step: ``inputs`` and ``targets`` int32 ``[T, B]``, and ``first``, whether an epoch begins.

        Args:
            key: the same at all steps; an epoch's offset, 0 to T - 1, is drawn from it.
            step: from 0; may be traced.
        """
        epoch, number = jnp.divmod(jnp.asarray(step, jnp.int32), self.steps_per_epoch)
        offset = jax.random.randint(jax.random.fold_in(key, epoch), (), 0, self.window)
        first = offset + number * self.window + jnp.arange(self.rows) * self._row
        places = first + jnp.arange(self.window + 1)[:, None]
        read = jnp.asarray(self.tokens)[places]
        return {"inputs": read[:-1], "targets": read[1:], "first": number == 0}


@dataclasses.dataclass(frozen=True, eq=False)
class Scored:
    """Tokens to be scored, each once and after at least ``warmup`` others that it may be told from."""

    inputs: np.ndarray
    """int32 ``[W, T, R]``: W windows, one after the other, of R rows."""
    targets: np.ndarray
    """int32 ``[W, T, R]``; -1 where a token is not scored: in a row's warm-up, and behind the end."""

    @classmethod
    def of(cls, tokens: np.ndarray, start: int, stop: int, *, rows: int, window: int, warmup: int) -> "Scored":
        """Cut the tokens ``start`` to ``stop - 1`` into rows that overlap by the warm-up.

        Args:
            tokens: int32 ``[N]``, with what comes before ``start``.
            start: the first token that is scored; the first row's warm-up lies before it.
            stop: behind the last one.
            rows: R at most; short texts get fewer.
            window: T.
            warmup: how many tokens, at least, are read before the first one that counts; but only those there are.

        Raises:
            DataError: there is no token to score.
        """
        if not 1 <= start < stop <= len(tokens):
            raise DataError(
                f"There are no tokens from {start} to {stop} in a text of {len(tokens)}: give a longer one."
            )
        size = -(-(stop - start) // min(rows, stop - start))
        windows = -(-(warmup + size) // window)
        read = windows * window
        begins = start + size * np.arange(-(-(stop - start) // size))
        # Each row ends at its last token that counts; what of the warm-up lies before the text is not there.
        places = begins[:, None] + size - read + np.arange(read)
        counted = (places >= begins[:, None]) & (places < np.minimum(begins + size, stop)[:, None])
        targets = np.where(counted, tokens[np.clip(places, 0, len(tokens) - 1)], -1)
        inputs = tokens[np.clip(places - 1, 0, len(tokens) - 1)]

        def cut(array: np.ndarray) -> np.ndarray:
            return np.ascontiguousarray(array.T.reshape(windows, window, -1).astype(np.int32))

        return cls(cut(inputs), cut(targets))

    def in_order(self, values: np.ndarray) -> np.ndarray:
        """Values ``[W, T, R]`` of the tokens that are scored, in the order of the text: ``[N]``."""
        return values.transpose(2, 0, 1)[self.targets.transpose(2, 0, 1) >= 0]
