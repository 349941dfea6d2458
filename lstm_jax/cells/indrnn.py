"""The network whose units recur on themselves alone.

Li et al. 2018, "Independently Recurrent Neural Network (IndRNN): Building A Longer and Deeper RNN", eq. 2::

    h_t = activation(x_t W_x + w_h * h_{t-1} + b)

Deviations: ``w_h`` starts uniform in [0, 1], and nothing keeps it below a bound.
"""

from dataclasses import KW_ONLY, dataclass

import jax
import jax.numpy as jnp

from lstm_jax.cell import Array, DenseParams, GatedCell, HiddenState, Key, check_settings
from lstm_jax.cells.activations import activation
from lstm_jax.initializers import glorot, per_gate
from lstm_jax.options import positive


@dataclass(frozen=True)
class IndRNN(GatedCell):
    """An IndRNN layer: ``w_x [D, H]``, ``w_h [H]``, ``b [H]``."""

    hidden_size: int
    """H."""
    _: KW_ONLY
    activation: str = "relu"
    """Squashes the new state."""
    param_dtype: str = "float32"
    dtype: str | None = None

    def __post_init__(self) -> None:
        check_settings(self)
        activation(self.activation)

    def init(self, key: Key, input_size: int) -> DenseParams:
        """Glorot input weights, recurrent weights uniform in [0, 1], zero bias."""
        positive("input_size", input_size)
        key_x, key_h = jax.random.split(key)
        return DenseParams(
            w_x=per_gate(glorot, key_x, (input_size, self.hidden_size), 1, self.param_dtype),
            w_h=jax.random.uniform(key_h, (self.hidden_size,), self.param_dtype),
            b=jnp.zeros(self.hidden_size, self.param_dtype),
        )

    def mix(self, params: DenseParams, state: HiddenState) -> Array:
        """``w_h * h``."""
        return jnp.broadcast_to(params.w_h.astype(state.h.dtype), state.h.shape) * state.h

    def update(self, params: DenseParams, a: Array, state: HiddenState) -> HiddenState:
        """``h = activation(a)``."""
        del params, state
        return HiddenState(h=activation(self.activation)(a))
