"""Long short-term memory with a forget gate.

Hochreiter & Schmidhuber 1997, "Long Short-Term Memory"; forget gate: Gers, Schmidhuber & Cummins 2000, "Learning to
Forget", eqs. 1-7, one cell a block::

    i, f, g, o = split(x_t W_x + h_{t-1} W_h + b)
    c_t = sigmoid(f) * c_{t-1} + sigmoid(i) * tanh(g)
    h_t = sigmoid(o) * tanh(c_t)

Deviations from the papers: no peepholes; g and h are squashed by tanh rather than by scaled sigmoids.
"""

from dataclasses import KW_ONLY, dataclass, replace
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import struct

from lstm_jax.cell import Array, Cell, DenseParams, GatedCell, Key, check_settings
from lstm_jax.cells.activations import activation, once
from lstm_jax.initializers import RECURRENT_INITIALIZERS, chrono, dense
from lstm_jax.options import one_of

GATES = ("i", "f", "g", "o")
"""The order of the gates in ``w_x``, ``w_h`` and ``b``, here and in every weight converter."""


@struct.dataclass
class LSTMState:
    """The state of an LSTM."""

    h: Array
    """Hidden state, which is also the output ``[*batch, H]``."""
    c: Array
    """Cell state ``[*batch, H]``; at least float32."""


@dataclass(frozen=True)
class LSTM(GatedCell):
    """An LSTM layer: ``w_x [D, 4H]``, ``w_h [H, 4H]``, ``b [4H]``, gates in the order i, f, g, o."""

    hidden_size: int
    """H."""
    _: KW_ONLY
    forget_bias: float = 1.0
    """Initial bias of the forget gate (Jozefowicz et al. 2015); part of ``b``, never added at run time."""
    chrono: float | None = None
    """If set, the longest dependency expected, in steps: chrono initialisation of the biases instead of forget_bias."""
    recurrent: str = "orthogonal"
    """Initial recurrent weights of each gate: "orthogonal", "identity" or "glorot"."""
    activation: str = "tanh"
    """Squashes the cell input g and the cell state on its way out."""
    gate_activation: str = "sigmoid"
    """Squashes the gates i, f, o."""
    param_dtype: str = "float32"
    dtype: str | None = None
    state_type: ClassVar[type] = LSTMState

    def __post_init__(self) -> None:
        check_settings(self)
        activation(self.activation)
        activation(self.gate_activation)
        one_of("recurrent", self.recurrent, RECURRENT_INITIALIZERS)
        if self.chrono is not None and not self.chrono > 2:
            raise ValueError(f"chrono is the longest dependency in steps and must be above 2, got {self.chrono}.")

    def init(self, key: Key, input_size: int) -> DenseParams:
        """Glorot input weights, recurrent weights by ``recurrent``; biases zero but for the forget gate's."""
        key_w, key_b = jax.random.split(key)
        recurrent = RECURRENT_INITIALIZERS[self.recurrent]
        params = dense(key_w, input_size, self.hidden_size, gates=4, recurrent=recurrent, dtype=self.param_dtype)
        b_i, b_f, b_g, b_o = jnp.split(params.b, 4)
        if self.chrono is None:
            b_f = b_f + self.forget_bias
        else:
            b_i, b_f = chrono(key_b, self.hidden_size, self.chrono, self.param_dtype)
        return replace(params, b=jnp.concatenate([b_i, b_f, b_g, b_o]))

    def _gates(self, a: Array, state: LSTMState) -> tuple[Array, ...]:
        squash, gate = activation(self.activation), activation(self.gate_activation)
        i, f, g, o = jnp.split(a.astype(state.c.dtype), 4, axis=-1)
        gates = jnp.concatenate([gate(i), gate(f), squash(g), gate(o)], axis=-1)
        return tuple(jnp.split(once(gates), 4, axis=-1))

    def update(self, params: DenseParams, a: Array, state: LSTMState, candidate: Array | None = None) -> LSTMState:
        """``c = f * c + i * g``, ``h = o * tanh(c)``."""
        del params
        i, f, g, o = self._gates(a, state)
        g = g if candidate is None else g * candidate
        c = f * state.c + i * g
        return LSTMState(h=(o * activation(self.activation)(c)).astype(state.h.dtype), c=c)

    def inspect(self, params: DenseParams, z: Array, state: LSTMState) -> dict:
        """``gates``: the squashed gates by name, each ``[*batch, H]``; ``preactivations``: ``[*batch, 4H]``."""
        a = self.join(z, self.mix(params, state))
        return {"gates": dict(zip(GATES, self._gates(a, state), strict=True)), "preactivations": a}


def with_chrono(cell: Cell, steps: int) -> Cell:
    """An LSTM with chrono initialisation for dependencies of up to ``steps`` steps; any other cell as it is.

    Tallec & Ollivier 2018, "Can recurrent neural networks warp time?", section 3; T_max is at least 3, because a draw
    needs more than 2.
    """
    return replace(cell, chrono=max(steps, 3)) if isinstance(cell, LSTM) else cell
