"""One or several numbers from a whole sequence."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from lstm_jax.adapters.linen import Recurrent
from lstm_jax.cell import Cell
from lstm_jax.cells.lstm import LSTM
from lstm_jax.options import positive
from lstm_jax.wrappers import Stack


class SequenceRegressor(nn.Module):
    """Recurrent layers over a sequence, then a dense layer from the output at each row's last step.

    ``SequenceRegressor(cells=(LSTM(64),)).init(key, xs)`` gives the variables, ``.apply(variables, xs)`` the answers
    ``[*batch, outputs]`` for ``xs [T, *batch, D]``.
    """

    cells: tuple[Cell, ...] = (LSTM(64),)
    """The recurrent layers, the first one first."""
    outputs: int = 1
    """How many numbers to give for each sequence."""

    @nn.compact
    def __call__(self, xs: jax.Array, *, lengths: jax.Array | None = None) -> jax.Array:
        """Answer for each sequence.

        Args:
            xs: inputs ``[T, *batch, D]``, time first.
            lengths: ``[*batch]``, how many steps of each row count; without it, all T. A row of length 0 is answered
                from the zero output.

        Returns:
            ``[*batch, outputs]``.

        Raises:
            ValueError: there is no cell, or ``outputs`` is no whole number of at least 1.
        """
        if not self.cells:
            raise ValueError("SequenceRegressor needs at least one cell; got cells=().")
        positive("outputs", self.outputs)
        cell = self.cells[0] if len(self.cells) == 1 else Stack(self.cells)
        ys, _ = Recurrent(cell)(xs, lengths=lengths)
        return nn.Dense(self.outputs)(_last(ys, lengths))


def _last(ys: jax.Array, lengths: jax.Array | None) -> jax.Array:
    """The outputs ``[*batch, F]`` at each row's last step of ``ys [T, *batch, F]``."""
    if lengths is None:
        return ys[-1]
    # A row of length 0 has no last step; its outputs are zero at every step, the first included.
    last = jnp.clip(jnp.asarray(lengths) - 1, 0, ys.shape[0] - 1)
    return jnp.take_along_axis(ys, last[None, ..., None], axis=0)[0]
