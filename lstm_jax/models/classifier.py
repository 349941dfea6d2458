"""The class of a whole sequence."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from lstm_jax.data.examples import Examples
from lstm_jax.models.encoder import SequenceModel
from lstm_jax.models.losses import ACCURACY, CROSS_ENTROPY
from lstm_jax.models.pooling import Pool, Pooling
from lstm_jax.options import positive


class SequenceClassifier(SequenceModel):
    """Recurrent layers over a sequence, pooled over time, then a dense layer to logits.

    ``SequenceClassifier(classes=3).init(key, xs)`` gives the variables, ``.apply(variables, xs)`` the logits
    ``[*batch, classes]`` for ``xs [T, *batch, D]``.
    """

    LOSS = CROSS_ENTROPY
    SCORES = (ACCURACY,)
    EVERY_STEP = False

    classes: int = 2
    """How many classes there are."""
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
            Logits ``[*batch, classes]``.

        Raises:
            ValueError: there is no cell, ``classes`` is no whole number of at least 1, or the inputs are no tokens.
        """
        positive("classes", self.classes)
        ys = self.encode(self.embed(xs), lengths)
        return nn.Dense(self.classes)(Pool(self.pooling)(ys, lengths))


def attention_weights(model: SequenceClassifier, params: Any, examples: Examples) -> np.ndarray:
    """How much each step counted ``[T, N]``, in a model whose ``pooling`` is "attention".

    Args:
        model: the model.
        params: its variables.
        examples: the sequences.

    Raises:
        ValueError: the model pools in another way.
    """
    if model.pooling != "attention":
        raise ValueError(f"Only pooling='attention' weighs steps; the model has pooling={model.pooling!r}.")
    inputs = jnp.asarray(examples.xs), jnp.asarray(examples.lengths)
    said: Any = model.apply(params, inputs[0], lengths=inputs[1], mutable=["intermediates"])
    (weights,) = said[1]["intermediates"]["Pool_0"]["attention"]
    return np.asarray(weights)
