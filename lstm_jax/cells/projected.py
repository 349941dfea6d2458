"""The LSTM whose state is projected before it recurs.

Sak, Senior & Beaufays 2014, "Long Short-Term Memory Based Recurrent Neural Network Architectures for Large Scale
Acoustic Modeling", eqs. 7-12::

    i, f, g, o = split(x_t W_x + h_{t-1} W_h + b)
    c_t = sigmoid(f) * c_{t-1} + sigmoid(i) * tanh(g)         clipped to +-cell_clip
    h_t = (sigmoid(o) * tanh(c_t)) W_p                        clipped to +-projection_clip

Deviations: no peepholes and no second, non-recurrent projection, as in PyTorch (``proj_size``).
"""

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import struct

from lstm_jax.cell import Array, BatchShape, GatedCell, Key, check_settings
from lstm_jax.cells.activations import once
from lstm_jax.cells.lstm import GATES, LSTMState
from lstm_jax.initializers import glorot, orthogonal, per_gate
from lstm_jax.options import positive


@struct.dataclass
class ProjectedParams:
    """Parameters of a `ProjectedLSTM`; gates in the order i, f, g, o."""

    w_x: Array
    """Input weights ``[D, 4H]``."""
    w_h: Array
    """Recurrent weights ``[P, 4H]``."""
    b: Array
    """Bias ``[4H]``."""
    w_p: Array
    """Projection ``[H, P]``."""


@dataclass(frozen=True)
class ProjectedLSTM(GatedCell):
    """An LSTM layer with H memory cells and an output of P numbers."""

    hidden_size: int
    """H, memory cells."""
    projection_size: int
    """P, the size of the output and of ``state.h``."""
    _: KW_ONLY
    cell_clip: float | None = None
    """If set, the cell state is clipped to +-cell_clip."""
    projection_clip: float | None = None
    """If set, the projection is clipped to +-projection_clip."""
    forget_bias: float = 1.0
    """Initial bias of the forget gate; part of ``b``."""
    param_dtype: str = "float32"
    dtype: str | None = None
    state_type: ClassVar[type] = LSTMState

    def __post_init__(self) -> None:
        check_settings(self)
        positive("projection_size", self.projection_size)
        for name in ("cell_clip", "projection_clip"):
            if (value := getattr(self, name)) is not None and not value > 0:
                raise ValueError(f"{name} must be above 0, got {value}.")

    @property
    def output_size(self) -> int:
        """P."""
        return self.projection_size

    def init(self, key: Key, input_size: int) -> ProjectedParams:
        """Glorot input weights and projection, orthogonal recurrent weights a gate."""
        positive("input_size", input_size)
        h, dtype = self.hidden_size, self.param_dtype
        key_x, key_h, key_p = jax.random.split(key, 3)
        return ProjectedParams(
            w_x=per_gate(glorot, key_x, (input_size, h), 4, dtype),
            w_h=per_gate(orthogonal, key_h, (self.projection_size, h), 4, dtype),
            b=jnp.zeros(4 * h, dtype).at[h : 2 * h].set(self.forget_bias),
            w_p=per_gate(glorot, key_p, (h, self.projection_size), 1, dtype),
        )

    def initial_state(self, params: ProjectedParams, batch_shape: BatchShape) -> LSTMState:
        state = GatedCell.initial_state(self, params, batch_shape)
        return state.replace(h=jnp.zeros((*batch_shape, self.projection_size), state.h.dtype))

    def _gates(self, a: Array, state: LSTMState) -> list[Array]:
        i, f, g, o = jnp.split(a.astype(state.c.dtype), 4, axis=-1)
        squashed = [jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)]
        return jnp.split(once(jnp.concatenate(squashed, axis=-1)), 4, axis=-1)

    def update(self, params: ProjectedParams, a: Array, state: LSTMState, candidate: Array | None = None) -> LSTMState:
        """``c = f * c + i * g``, ``h = (o * tanh(c)) W_p``."""
        i, f, g, o = self._gates(a, state)
        g = g if candidate is None else g * candidate
        c = _clipped(f * state.c + i * g, self.cell_clip)
        h = (o * jnp.tanh(c)).astype(state.h.dtype) @ params.w_p.astype(state.h.dtype)
        return LSTMState(h=_clipped(h, self.projection_clip), c=c)

    def inspect(self, params: ProjectedParams, z: Array, state: LSTMState) -> dict:
        """``gates``: the squashed gates by name, each ``[*batch, H]``."""
        return {"gates": dict(zip(GATES, self._gates(self.join(z, self.mix(params, state)), state), strict=True))}


def _clipped(x: Array, limit: float | None) -> Array:
    return x if limit is None else jnp.clip(x, -limit, limit)
