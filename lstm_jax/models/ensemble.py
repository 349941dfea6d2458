"""Several models of one kind, trained side by side, which answer together."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from lstm_jax.models.encoder import SequenceModel
from lstm_jax.options import positive


class Ensemble(nn.Module):
    """The mean of the answers of several models that differ in their first parameters and in what trains them.

    Lakshminarayanan, Pritzel & Blundell 2017, "Simple and Scalable Predictive Uncertainty Estimation using Deep
    Ensembles". Of logits the mean is taken, so the probabilities are the geometric means of the members', normalised.

    In training, which is where it is applied with an rng named ``dropout``, each member answers rows of its own, row r
    that of number ``r % members``: the batch is that of all of them together, and no member learns of another. So an
    ensemble of five with a batch of 125 trains as five models with batches of 25 do, at their cost.
    """

    model: SequenceModel
    """What each member is."""
    members: int = 5
    """How many there are."""

    @property
    def dropout(self) -> float:
        """The members' rate."""
        return self.model.dropout

    @nn.compact
    def __call__(self, xs: jax.Array, *, lengths: jax.Array | None = None) -> jax.Array:
        """The mean answer; in training, of each row that of one member.

        Args:
            xs: inputs ``[T, batch, ...]``, time first.
            lengths: ``[batch]``, how many steps of each row count; without it, all T.

        Returns:
            ``[batch, ...]``; of a model that answers at every step ``[T, batch, ...]``.

        Raises:
            ValueError: ``members`` is no whole number of at least 1, or in training the batch is no multiple of it.
        """
        members, rows = positive("members", self.members), int(self.model.EVERY_STEP)
        axes: Any = None, None
        if training := self.has_rng("dropout"):
            if xs.shape[1] % members:
                raise ValueError(f"A batch of {xs.shape[1]} rows cannot be dealt out evenly to {members} members.")
            xs = xs.reshape(len(xs), -1, members, *xs.shape[2:])
            lengths = None if lengths is None else lengths.reshape(-1, members)
            axes = 2, 1
        answered = nn.vmap(
            _answer,
            in_axes=axes,
            out_axes=rows + 1 if training else 0,
            axis_size=members,
            variable_axes={True: 0},
            split_rngs={"params": True, "dropout": True},
        )
        answers = answered(self.model, xs, lengths)
        if not training:
            return jnp.mean(answers, axis=0)
        return answers.reshape(*answers.shape[:rows], -1, *answers.shape[rows + 2 :])


def _answer(model: Any, xs: jax.Array, lengths: jax.Array | None) -> jax.Array:
    return model(xs, lengths=lengths)
