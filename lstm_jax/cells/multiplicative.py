"""The LSTM whose transition depends on the input.

Krause et al. 2016, "Multiplicative LSTM for Sequence Modelling", eqs. 17-21::

    m = (x_t W_xm) * (h_{t-1} W_hm)
    i, f, g, o = split(x_t W_x + m W_m + b)
    c_t = sigmoid(f) * c_{t-1} + sigmoid(i) * tanh(g)
    h_t = sigmoid(o) * tanh(c_t)

Deviations: none known. The second product waits for the first, so this is a cell with only a step.
"""

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import struct

from lstm_jax.cell import Array, Cell, Key, check_settings
from lstm_jax.cells.lstm import GATES, LSTMState
from lstm_jax.initializers import dense, glorot, orthogonal, per_gate


@struct.dataclass
class MultiplicativeParams:
    """Parameters of a `MultiplicativeLSTM`; gates in the order i, f, g, o."""

    w_x: Array
    """Input weights ``[D, 4H]``."""
    w_m: Array
    """Weights of the product m ``[H, 4H]``."""
    b: Array
    """Bias ``[4H]``."""
    w_xm: Array
    """The input's factor of m ``[D, H]``."""
    w_hm: Array
    """The state's factor of m ``[H, H]``."""


@dataclass(frozen=True)
class MultiplicativeLSTM(Cell):
    """A multiplicative LSTM layer."""

    hidden_size: int
    """H."""
    _: KW_ONLY
    forget_bias: float = 1.0
    """Initial bias of the forget gate; part of ``b``."""
    param_dtype: str = "float32"
    dtype: str | None = None
    state_type: ClassVar[type] = LSTMState

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, key: Key, input_size: int) -> MultiplicativeParams:
        """Glorot input weights, orthogonal recurrent weights a gate."""
        key_w, key_x, key_h = jax.random.split(key, 3)
        h, dtype = self.hidden_size, self.param_dtype
        params = dense(key_w, input_size, h, gates=4, dtype=dtype)
        return MultiplicativeParams(
            w_x=params.w_x,
            w_m=params.w_h,
            b=params.b.at[h : 2 * h].add(self.forget_bias),
            w_xm=per_gate(glorot, key_x, (input_size, h), 1, dtype),
            w_hm=per_gate(orthogonal, key_h, (h, h), 1, dtype),
        )

    def project(self, params: MultiplicativeParams, xs: Array, *, keys: Key | None = None) -> tuple[Array, Array]:
        """``x W_x + b`` and ``x W_xm`` for all steps at once."""
        del keys
        xs = xs.astype(self.compute_dtype(params))
        z = xs @ params.w_x.astype(xs.dtype)
        return z + jnp.broadcast_to(params.b.astype(xs.dtype), z.shape), xs @ params.w_xm.astype(xs.dtype)

    def _gates(self, params: MultiplicativeParams, state: LSTMState, z: tuple[Array, Array]) -> list[Array]:
        h = state.h
        m = z[1] * (h @ params.w_hm.astype(h.dtype))
        a = (z[0] + m @ params.w_m.astype(h.dtype)).astype(state.c.dtype)
        i, f, g, o = jnp.split(a, 4, axis=-1)
        return [jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)]

    def step(self, params: MultiplicativeParams, state: LSTMState, z: tuple[Array, Array]) -> tuple[LSTMState, Array]:
        """``c = f * c + i * g``, ``h = o * tanh(c)``."""
        i, f, g, o = self._gates(params, state, z)
        c = f * state.c + i * g
        h = (o * jnp.tanh(c)).astype(state.h.dtype)
        return LSTMState(h=h, c=c), h

    def inspect(self, params: MultiplicativeParams, z: tuple[Array, Array], state: LSTMState) -> dict:
        """``gates``: the squashed gates by name, each ``[*batch, H]``."""
        return {"gates": dict(zip(GATES, self._gates(params, state, z), strict=True))}
