"""One or several numbers from a whole sequence."""

import jax
from flax import linen as nn

from lstm_jax.models.encoder import SequenceModel
from lstm_jax.models.losses import MAE, MSE, RMSE
from lstm_jax.models.pooling import Pool, Pooling
from lstm_jax.options import positive


class SequenceRegressor(SequenceModel):
    """Recurrent layers over a sequence, pooled over time, then a dense layer.

    ``SequenceRegressor(cells=(LSTM(64),)).init(key, xs)`` gives the variables, ``.apply(variables, xs)`` the answers
    ``[*batch, outputs]`` for ``xs [T, *batch, D]``.
    """

    LOSS = MSE
    SCORES = (RMSE, MAE)
    EVERY_STEP = False

    outputs: int = 1
    """How many numbers to give for each sequence."""
    pooling: Pooling = "last"
    """How the outputs at all steps become one: see `lstm_jax.models.pooling.Pool`."""

    @nn.compact
    def __call__(self, xs: jax.Array, *, lengths: jax.Array | None = None) -> jax.Array:
        """Answer for each sequence.

        Args:
            xs: inputs ``[T, *batch, D]``, time first; tokens ``[T, *batch]``.
            lengths: ``[*batch]``, how many steps of each row count; without it, all T. A row of length 0 is answered
                from the zero output.

        Returns:
            ``[*batch, outputs]``.

        Raises:
            ValueError: there is no cell, ``outputs`` is no whole number of at least 1, or the inputs are no tokens.
        """
        positive("outputs", self.outputs)
        ys = self.encode(self.embed(xs), lengths)
        return nn.Dense(self.outputs)(Pool(self.pooling)(ys, lengths))
