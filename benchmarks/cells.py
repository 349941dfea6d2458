"""Cells as a user would write them, to see what writing your own costs.

Layer norm: Ba, Kiros & Hinton 2016, "Layer Normalization", eqs. 20-22 of the supplement. Peepholes: Gers, Schraudolph &
Schmidhuber 2002, "Learning Precise Timing with LSTM Recurrent Networks", eqs. 3-8.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import struct

from lstm_jax.cell import GatedCell
from lstm_jax.cells import once
from lstm_jax.cells.lstm import LSTMState
from lstm_jax.initializers import dense


@struct.dataclass
class LayerNormParams:
    """Of a `LayerNormLSTM`."""

    w_x: jax.Array
    w_h: jax.Array
    b: jax.Array
    gain_x: jax.Array
    gain_h: jax.Array
    gain_c: jax.Array
    bias_c: jax.Array


def normed(x, gain):
    """To mean 0 and variance 1 over the features, times ``gain``."""
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred * jax.lax.rsqrt(jnp.square(centred).mean(axis=-1, keepdims=True) + 1e-5) * gain


@dataclass(frozen=True)
class LayerNormLSTM(GatedCell):
    """Both products and the cell state are normed."""

    hidden_size: int
    state_type = LSTMState

    def init(self, key, input_size):
        """Gains of 1."""
        params = dense(key, input_size, self.hidden_size, gates=4, dtype="float32")
        ones, h = jnp.ones(4 * self.hidden_size), self.hidden_size
        return LayerNormParams(params.w_x, params.w_h, params.b, ones, ones, jnp.ones(h), jnp.zeros(h))

    def project(self, params, xs, *, keys=None):
        """``norm(x W_x) gain_x + b``."""
        return normed(xs @ params.w_x, params.gain_x) + params.b

    def join(self, z, u):
        """Kept apart: u is normed on its own, which is not linear."""
        return z, u

    def update(self, params, a, state):
        """Norm u, then the LSTM, then norm c on its way out."""
        z, u = a
        i, f, g, o = jnp.split(z + normed(u, params.gain_h), 4, axis=-1)
        gates = once(jnp.concatenate([jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)], axis=-1))
        i, f, g, o = jnp.split(gates, 4, axis=-1)
        c = f * state.c + i * g
        return LSTMState(h=o * once(jnp.tanh(normed(c, params.gain_c) + params.bias_c)), c=c)


@struct.dataclass
class PeepholeParams:
    """Of a `PeepholeLSTM`."""

    w_x: jax.Array
    w_h: jax.Array
    b: jax.Array
    p_i: jax.Array
    p_f: jax.Array
    p_o: jax.Array


@dataclass(frozen=True)
class PeepholeLSTM(GatedCell):
    """The gates see the cell state."""

    hidden_size: int
    state_type = LSTMState

    def init(self, key, input_size):
        """Small peephole weights."""
        keys = jax.random.split(key, 4)
        params = dense(keys[0], input_size, self.hidden_size, gates=4, dtype="float32")
        peepholes = (0.1 * jax.random.normal(k, (self.hidden_size,)) for k in keys[1:])
        return PeepholeParams(params.w_x, params.w_h, params.b, *peepholes)

    def update(self, params, a, state):
        """I and f see the old cell state, o the new one."""
        i, f, g, o = jnp.split(a, 4, axis=-1)
        seen = jnp.concatenate([i + params.p_i * state.c, f + params.p_f * state.c], axis=-1)
        i, f = jnp.split(once(jax.nn.sigmoid(seen)), 2, axis=-1)
        c = f * state.c + i * once(jnp.tanh(g))
        return LSTMState(h=once(jax.nn.sigmoid(o + params.p_o * c)) * once(jnp.tanh(c)), c=c)


CELLS = {"layer_norm": LayerNormLSTM, "peephole": PeepholeLSTM}
