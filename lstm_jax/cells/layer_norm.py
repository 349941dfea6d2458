"""The LSTM with layer normalisation.

Ba, Kiros & Hinton 2016, "Layer Normalization", supplement, eqs. 20-22; LN is over the features, with a gain::

    i, f, g, o = split(LN(x_t W_x; gain_x) + LN(h_{t-1} W_h; gain_h) + b)
    c_t = sigmoid(f) * c_{t-1} + sigmoid(i) * tanh(g)
    h_t = sigmoid(o) * tanh(LN(c_t; gain_c) + bias_c)

Each of the two products is normed as a whole, over all 4H pre-activations. Deviations: the shifts of the two norms and
the bias, which add up, are one ``b``; the variance is increased by ``epsilon``.
"""

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import struct

from lstm_jax.cell import Array, GatedCell, Key, check_settings
from lstm_jax.cells.activations import once
from lstm_jax.cells.lstm import GATES, LSTMState
from lstm_jax.initializers import dense
from lstm_jax.options import above_zero


@struct.dataclass
class LayerNormParams:
    """Parameters of a `LayerNormLSTM`; gates in the order i, f, g, o."""

    w_x: Array
    """Input weights ``[D, 4H]``."""
    w_h: Array
    """Recurrent weights ``[H, 4H]``."""
    b: Array
    """Bias ``[4H]``."""
    gain_x: Array
    """Of the norm of ``x W_x`` ``[4H]``."""
    gain_h: Array
    """Of the norm of ``h W_h`` ``[4H]``."""
    gain_c: Array
    """Of the norm of the cell state ``[H]``."""
    bias_c: Array
    """Of the norm of the cell state ``[H]``."""


@dataclass(frozen=True)
class LayerNormLSTM(GatedCell):
    """An LSTM layer with layer normalisation of both products and of the cell state on its way out."""

    hidden_size: int
    """H."""
    _: KW_ONLY
    forget_bias: float = 1.0
    """Initial bias of the forget gate; part of ``b``."""
    epsilon: float = 1e-5
    """Added to the variance."""
    param_dtype: str = "float32"
    dtype: str | None = None
    state_type: ClassVar[type] = LSTMState

    def __post_init__(self) -> None:
        check_settings(self)
        above_zero("epsilon", self.epsilon)

    def init(self, key: Key, input_size: int) -> LayerNormParams:
        """Glorot input weights, orthogonal recurrent weights a gate, gains of 1."""
        h, dtype = self.hidden_size, self.param_dtype
        params = dense(key, input_size, h, gates=4, dtype=dtype)
        ones = jnp.ones(4 * h, dtype)
        return LayerNormParams(
            w_x=params.w_x,
            w_h=params.w_h,
            b=params.b.at[h : 2 * h].add(self.forget_bias),
            gain_x=ones,
            gain_h=ones,
            gain_c=jnp.ones(h, dtype),
            bias_c=jnp.zeros(h, dtype),
        )

    def project(self, params: LayerNormParams, xs: Array, *, keys: Key | None = None) -> Array:
        """``LN(x W_x) + b`` for all steps at once."""
        del keys
        dtype = self.compute_dtype(params)
        normed = layer_norm(xs.astype(dtype) @ params.w_x.astype(dtype), params.gain_x, self.epsilon)
        return normed + jnp.broadcast_to(params.b.astype(dtype), normed.shape)

    def join(self, z: Array, u: Array) -> tuple[Array, Array]:
        """Kept apart: the norm of u is not linear, and belongs to `update`."""
        return z, u

    def _gates(self, params: LayerNormParams, a: tuple[Array, Array], state: LSTMState) -> list[Array]:
        z, u = (part.astype(state.c.dtype) for part in a)
        i, f, g, o = jnp.split(z + layer_norm(u, params.gain_h, self.epsilon), 4, axis=-1)
        squashed = [jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)]
        return jnp.split(once(jnp.concatenate(squashed, axis=-1)), 4, axis=-1)

    def update(
        self, params: LayerNormParams, a: tuple[Array, Array], state: LSTMState, candidate: Array | None = None
    ) -> LSTMState:
        """``c = f * c + i * g``, ``h = o * tanh(LN(c))``."""
        i, f, g, o = self._gates(params, a, state)
        g = g if candidate is None else g * candidate
        c = f * state.c + i * g
        normed = layer_norm(c, params.gain_c, self.epsilon) + jnp.broadcast_to(params.bias_c.astype(c.dtype), c.shape)
        return LSTMState(h=(o * once(jnp.tanh(normed))).astype(state.h.dtype), c=c)

    def inspect(self, params: LayerNormParams, z: Array, state: LSTMState) -> dict:
        """``gates``: the squashed gates by name, each ``[*batch, H]``."""
        gates = self._gates(params, self.join(z, self.mix(params, state)), state)
        return {"gates": dict(zip(GATES, gates, strict=True))}


def layer_norm(x: Array, gain: Array, epsilon: float) -> Array:
    """``x [..., F]`` to mean 0 and variance 1 over its last axis, times ``gain [F]``; computed in float32 or wider."""
    wide = x.astype(x.dtype if x.dtype.itemsize >= 4 else "float32")
    centred = wide - jnp.mean(wide, axis=-1, keepdims=True)
    variance = jnp.mean(jnp.square(centred), axis=-1, keepdims=True)
    normed = centred * jax.lax.rsqrt(variance + epsilon)
    return (normed * jnp.broadcast_to(gain.astype(wide.dtype), wide.shape)).astype(x.dtype)
