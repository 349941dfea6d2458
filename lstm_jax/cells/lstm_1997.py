"""The first LSTM: no forget gate, memory blocks whose cells share their gates.

Hochreiter & Schmidhuber 1997, "Long Short-Term Memory", appendix A.1, eqs. 1-9::

    i = sigmoid(x_t W_xi + h_{t-1} W_hi + b_i)                one a block
    o = sigmoid(x_t W_xo + h_{t-1} W_ho + b_o)                one a block
    g = 4 sigmoid(x_t W_xg + h_{t-1} W_hg + b_g) - 2          one a cell
    c_t = c_{t-1} + i * g
    h_t = o * (2 sigmoid(c_t) - 1)

Deviations: the gradient is exact, not truncated; the gates do not see the gates of the step before.
"""

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from lstm_jax.cell import Array, DenseParams, GatedCell, Key, check_settings
from lstm_jax.cells.activations import once
from lstm_jax.cells.lstm import LSTMState
from lstm_jax.initializers import glorot, orthogonal, per_gate
from lstm_jax.options import positive


@dataclass(frozen=True)
class LSTM1997(GatedCell):
    """A layer of H memory cells in M = H / block_size blocks: ``w_x [D, 2M+H]``, ``w_h [H, 2M+H]``, order i, o, g."""

    hidden_size: int
    """H, memory cells."""
    _: KW_ONLY
    block_size: int = 1
    """Cells that share an input and an output gate; divides H."""
    param_dtype: str = "float32"
    dtype: str | None = None
    state_type: ClassVar[type] = LSTMState

    def __post_init__(self) -> None:
        check_settings(self)
        positive("block_size", self.block_size)
        if self.hidden_size % self.block_size:
            raise ValueError(f"block_size must divide hidden_size = {self.hidden_size}, got {self.block_size}.")

    def init(self, key: Key, input_size: int) -> DenseParams:
        """Glorot input weights, orthogonal recurrent weights, each of i, o and g on its own; zero biases."""
        positive("input_size", input_size)
        h, blocks = self.hidden_size, self.hidden_size // self.block_size
        keys = jax.random.split(key, 6)

        def drawn(init: Any, keys: Key, rows: int) -> Array:
            widths = zip(keys, (blocks, blocks, h), strict=True)
            return jnp.concatenate([per_gate(init, k, (rows, n), 1, self.param_dtype) for k, n in widths], axis=-1)

        return DenseParams(
            w_x=drawn(glorot, keys[:3], input_size),
            w_h=drawn(orthogonal, keys[3:], h),
            b=jnp.zeros(2 * blocks + h, self.param_dtype),
        )

    def _gates(self, a: Array, state: LSTMState) -> tuple[Array, Array, Array]:
        blocks = self.hidden_size // self.block_size
        squashed = once(jax.nn.sigmoid(a.astype(state.c.dtype)))
        i, o, g = jnp.split(squashed, [blocks, 2 * blocks], axis=-1)
        i, o = (jnp.repeat(gate, self.block_size, axis=-1) for gate in (i, o))
        return i, o, 4 * g - 2

    def update(self, params: DenseParams, a: Array, state: LSTMState, candidate: Array | None = None) -> LSTMState:
        """``c = c + i * g``, ``h = o * (2 sigmoid(c) - 1)``."""
        del params
        i, o, g = self._gates(a, state)
        g = g if candidate is None else g * candidate
        c = state.c + i * g
        return LSTMState(h=(o * (2 * jax.nn.sigmoid(c) - 1)).astype(state.h.dtype), c=c)

    def inspect(self, params: DenseParams, z: Array, state: LSTMState) -> dict:
        """``gates``: i, o and g, squashed, each ``[*batch, H]``."""
        gates = self._gates(self.join(z, self.mix(params, state)), state)
        return {"gates": dict(zip(("i", "o", "g"), gates, strict=True))}
