"""The LSTM whose gates also see the gates of the step before.

Greff et al. 2017, "LSTM: A Search Space Odyssey", appendix A, variant FGR (full gate recurrence), as Hochreiter &
Schmidhuber 1997 had it::

    i = sigmoid(x_t W_xi + h_{t-1} W_hi + i_{t-1} R_ii + f_{t-1} R_fi + o_{t-1} R_oi + b_i + p_i * c_{t-1})
    f, o  in the same way; g, c_t, h_t as in the LSTM with peepholes

Deviation: none; the first step sees gates of 0.
"""

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import struct

from lstm_jax.cell import Array, BatchShape, GatedCell, Key, Params, check_settings
from lstm_jax.cells.activations import once
from lstm_jax.initializers import dense, orthogonal, per_gate

GATES = ("i", "f", "g", "o")


@struct.dataclass
class FullGateParams:
    """Parameters of a `FullGateLSTM`; gates in the order i, f, g, o."""

    w_x: Array
    """Input weights ``[D, 4H]``."""
    w_h: Array
    """Recurrent weights ``[H, 4H]``."""
    w_r: Array
    """From the last step's gates i, f, o to the gates i, f, o: ``[3H, 3H]``."""
    b: Array
    """Bias ``[4H]``."""
    p: Array
    """Peepholes of i, f, o ``[3H]``."""


@struct.dataclass
class FullGateState:
    """The state of a `FullGateLSTM`."""

    h: Array
    """Hidden state ``[*batch, H]``."""
    c: Array
    """Cell state ``[*batch, H]``; at least float32."""
    r: Array
    """The gates i, f, o ``[*batch, 3H]``; at least float32."""


@dataclass(frozen=True)
class FullGateLSTM(GatedCell):
    """An LSTM layer with peepholes and full gate recurrence."""

    hidden_size: int
    """H."""
    _: KW_ONLY
    forget_bias: float = 1.0
    """Initial bias of the forget gate; part of ``b``."""
    param_dtype: str = "float32"
    dtype: str | None = None
    state_type: ClassVar[type] = FullGateState

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, key: Key, input_size: int) -> FullGateParams:
        """Glorot input weights, orthogonal recurrent weights a gate, from the gates too; peepholes zero."""
        key_w, key_r = jax.random.split(key)
        h, dtype = self.hidden_size, self.param_dtype
        params = dense(key_w, input_size, h, gates=4, dtype=dtype)
        return FullGateParams(
            w_x=params.w_x,
            w_h=params.w_h,
            w_r=per_gate(orthogonal, key_r, (3 * h, h), 3, dtype),
            b=params.b.at[h : 2 * h].add(self.forget_bias),
            p=jnp.zeros(3 * h, dtype),
        )

    def initial_state(self, params: Params, batch_shape: BatchShape) -> FullGateState:
        state = GatedCell.initial_state(self, params, batch_shape)
        return state.replace(r=jnp.concatenate([state.r] * 3, axis=-1))

    def mix(self, params: FullGateParams, state: FullGateState) -> Array:
        """``u = h W_h``, and ``r W_r`` on the gates i, f, o."""
        h = state.h
        u, v = h @ params.w_h.astype(h.dtype), state.r.astype(h.dtype) @ params.w_r.astype(h.dtype)
        v_if, v_o = jnp.split(v, [2 * self.hidden_size], axis=-1)
        return u + jnp.concatenate([v_if, jnp.zeros_like(v_o), v_o], axis=-1)

    def update(self, params: FullGateParams, a: Array, state: FullGateState) -> FullGateState:
        """``c = f * c + i * g``, ``h = o * tanh(c)``, and the gates for the next step."""
        dtype = state.c.dtype
        i, f, g, o = jnp.split(a.astype(dtype), 4, axis=-1)
        p_i, p_f, p_o = (jnp.broadcast_to(p, state.c.shape) for p in jnp.split(params.p.astype(dtype), 3))
        seen = jnp.concatenate([i + p_i * state.c, f + p_f * state.c], axis=-1)
        i, f = jnp.split(once(jax.nn.sigmoid(seen)), 2, axis=-1)
        c = f * state.c + i * once(jnp.tanh(g))
        o = once(jax.nn.sigmoid(o + p_o * c))
        h = (o * once(jnp.tanh(c))).astype(state.h.dtype)
        return FullGateState(h=h, c=c, r=jnp.concatenate([i, f, o], axis=-1))

    def inspect(self, params: FullGateParams, z: Array, state: FullGateState) -> dict[str, Any]:
        """``preactivations``: ``[*batch, 4H]``, without the peepholes."""
        return {"preactivations": self.join(z, self.mix(params, state))}
