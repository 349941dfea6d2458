"""One vector for a sequence, of the outputs at its steps."""

from typing import Literal

import jax
import jax.numpy as jnp
from flax import linen as nn

from lstm_jax.options import one_of

Pooling = Literal["last", "mean", "max", "attention"]
POOLINGS = ("last", "mean", "max", "attention")


class Pool(nn.Module):
    """Outputs ``[T, *batch, F]`` to one vector for each row, ``[*batch, F]``; what lies past its length is not seen.

    ``last``: the output at the last step. ``mean``, ``max``: over the steps. ``attention``: a mean with the weights
    ``softmax_t(v . tanh(W y_t + b))`` (Yang et al. 2016, "Hierarchical Attention Networks for Document Classification",
    eqs. 5-7); the weights ``[T, *batch]`` are sown as ``intermediates/attention``. A row of length 0 gives zeros.
    """

    kind: Pooling = "last"
    size: int | None = None
    """Units of the attention's hidden layer; F if None."""

    @nn.compact
    def __call__(self, ys: jax.Array, lengths: jax.Array | None = None) -> jax.Array:
        """Pool ``ys [T, *batch, F]`` over ``lengths [*batch]``, all T without them."""
        one_of("pooling", self.kind, POOLINGS)
        if self.kind == "last":
            return _last(ys, lengths)
        inside = jnp.ones(ys.shape[:-1], bool)
        if lengths is not None:
            steps = jnp.arange(ys.shape[0]).reshape(-1, *(1,) * lengths.ndim)
            inside = steps < lengths
        any_step = inside.any(axis=0)[..., None]
        if self.kind == "max":
            highest = jnp.max(jnp.where(inside[..., None], ys, -jnp.inf), axis=0)
            return jnp.where(any_step, highest, 0.0)
        if self.kind == "mean":
            weights = inside / jnp.maximum(inside.sum(axis=0), 1)
        else:
            hidden = jnp.tanh(nn.Dense(self.size or ys.shape[-1], name="key")(ys))
            scores = nn.Dense(1, use_bias=False, name="query")(hidden)[..., 0]
            # Finite, or a row of length 0 would be NaN.
            weights = jax.nn.softmax(jnp.where(inside, scores, jnp.finfo(ys.dtype).min), axis=0) * inside
            self.sow("intermediates", "attention", weights)
        return jnp.einsum("t...,t...f->...f", weights.astype(ys.dtype), ys)


def _last(ys: jax.Array, lengths: jax.Array | None) -> jax.Array:
    """The outputs ``[*batch, F]`` at each row's last step of ``ys [T, *batch, F]``."""
    if lengths is None:
        return ys[-1]
    # A row of length 0 has no last step; its outputs are zero at every step, the first included.
    last = jnp.clip(jnp.asarray(lengths) - 1, 0, ys.shape[0] - 1)
    return jnp.take_along_axis(ys, last[None, ..., None], axis=0)[0]
