"""An answer at every step of a sequence."""

import jax
from flax import linen as nn

from lstm_jax.adapters.linen import Recurrent
from lstm_jax.cell import Cell
from lstm_jax.cells.lstm import LSTM
from lstm_jax.options import positive
from lstm_jax.wrappers import Stack


class SequenceTagger(nn.Module):
    """Recurrent layers over a sequence, then a dense layer from the output at every step.

    ``SequenceTagger(outputs=5).init(key, xs)`` gives the variables, ``.apply(variables, xs)`` the answers
    ``[T, *batch, outputs]``, such as logits, for ``xs [T, *batch, D]``.
    """

    cells: tuple[Cell, ...] = (LSTM(64),)
    """The recurrent layers, the first one first."""
    outputs: int = 1
    """How many numbers to give at each step."""

    @nn.compact
    def __call__(self, xs: jax.Array, *, lengths: jax.Array | None = None) -> jax.Array:
        """Answer at each step.

        Args:
            xs: inputs ``[T, *batch, D]``, time first.
            lengths: ``[*batch]``, how many steps of each row count; past them the answers mean nothing.

        Returns:
            ``[T, *batch, outputs]``.

        Raises:
            ValueError: there is no cell, or ``outputs`` is no whole number of at least 1.
        """
        if not self.cells:
            raise ValueError("SequenceTagger needs at least one cell; got cells=().")
        positive("outputs", self.outputs)
        cell = self.cells[0] if len(self.cells) == 1 else Stack(self.cells)
        ys, _ = Recurrent(cell)(xs, lengths=lengths)
        return nn.Dense(self.outputs)(ys)
