"""An answer at every step of a sequence."""

import jax
from flax import linen as nn

from lstm_jax.models.encoder import SequenceModel
from lstm_jax.models.losses import MAE, MSE, RMSE
from lstm_jax.options import positive


class SequenceTagger(SequenceModel):
    """Recurrent layers over a sequence, then a dense layer from the output at every step.

    ``SequenceTagger(outputs=5).init(key, xs)`` gives the variables, ``.apply(variables, xs)`` the answers
    ``[T, *batch, outputs]``, such as logits, for ``xs [T, *batch, D]``.
    """

    LOSS = MSE
    SCORES = (RMSE, MAE)
    EVERY_STEP = True

    outputs: int = 1
    """How many numbers to give at each step."""

    @nn.compact
    def __call__(self, xs: jax.Array, *, lengths: jax.Array | None = None) -> jax.Array:
        """Answer at each step.

        Args:
            xs: inputs ``[T, *batch, D]``, time first; tokens ``[T, *batch]``.
            lengths: ``[*batch]``, how many steps of each row count; without it, all T. Past them the answers mean
                nothing.

        Returns:
            ``[T, *batch, outputs]``.

        Raises:
            ValueError: there is no cell, ``outputs`` is no whole number of at least 1, or the inputs are no tokens.
        """
        positive("outputs", self.outputs)
        ys = self.encode(self.embed(xs), lengths)
        return nn.Dense(self.outputs)(ys)
