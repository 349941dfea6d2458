"""What the models share: tokens embedded, dropout, recurrent layers."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from lstm_jax.adapters.linen import Recurrent
from lstm_jax.cell import Cell
from lstm_jax.cells.lstm import LSTM
from lstm_jax.options import positive
from lstm_jax.wrappers import Stack


def one_cell(model: Any) -> Cell:
    """The layers of a model, its ``cells``, as one cell.

    Raises:
        ValueError: there is none.
    """
    if not model.cells:
        raise ValueError(f"{type(model).__name__} needs at least one cell; got cells=().")
    return model.cells[0] if len(model.cells) == 1 else Stack(model.cells)


def with_embedding(params: Any, matrix: np.ndarray) -> Any:
    """The variables of a `SequenceModel` with a vocabulary, but with this embedding ``[V, E]``."""
    own = params["params"]
    return {**params, "params": {**own, "Embed_0": {"embedding": jnp.asarray(matrix)}}}


class Dropout(nn.Module):
    """Dropout that is off where the model is applied without an rng named ``dropout``, as in the cells."""

    rate: float
    over_steps: bool = False
    """Whether all steps, the first axis, share a mask."""

    @nn.compact
    def __call__(self, xs: jax.Array) -> jax.Array:
        """``xs``, in part 0 and the rest scaled by ``1 / (1 - rate)``."""
        same = (0,) if self.over_steps else ()
        return nn.Dropout(self.rate, broadcast_dims=same, deterministic=not self.has_rng("dropout"))(xs)


class SequenceModel(nn.Module):
    """What models of sequences have in common: tokens embedded, recurrent layers, dropout."""

    cells: tuple[Cell, ...] = (LSTM(64),)
    """The recurrent layers, the first one first."""
    vocabulary: int | None = None
    """How many tokens there are, if the inputs are tokens; None: they are numbers."""
    embedding_size: int = 64
    """Numbers that stand for a token."""
    dropout: float = 0.0
    """Rate on embedded tokens, and on the outputs of the recurrent layers."""

    def embed(self, xs: jax.Array) -> jax.Array:
        """The inputs as numbers ``[T, *batch, D]``; like `encode` for a compact method.

        Raises:
            ValueError: the inputs are not what ``vocabulary`` says.
        """
        if (self.vocabulary is not None) != jnp.issubdtype(xs.dtype, jnp.integer):
            needed = "whole numbers, tokens," if self.vocabulary is not None else "numbers with a fraction, not tokens,"
            raise ValueError(
                f"The inputs must be {needed} for a model with vocabulary={self.vocabulary}; they are {xs.dtype}."
            )
        if self.vocabulary is None:
            return xs
        size = positive("embedding_size", self.embedding_size)
        return self._dropped(nn.Embed(positive("vocabulary", self.vocabulary), size)(xs))

    def encode(self, xs: jax.Array, lengths: jax.Array | None) -> jax.Array:
        """The outputs of the recurrent layers.

        Args:
            xs: what `embed` gives, ``[T, *batch, D]``.
            lengths: ``[*batch]``, how many steps of each row count; without it, all T.

        Returns:
            ``[T, *batch, F]``.

        Raises:
            ValueError: there is no cell.
        """
        ys, _ = Recurrent(one_cell(self))(xs, lengths=lengths)
        return self._dropped(ys)

    def _dropped(self, xs: jax.Array) -> jax.Array:
        return Dropout(self.dropout)(xs) if self.dropout else xs
