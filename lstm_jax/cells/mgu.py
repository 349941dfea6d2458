"""The minimal gated unit: a GRU with one gate.

Zhou et al. 2016, "Minimal Gated Unit for Recurrent Neural Networks", eqs. 17-19::

    f = sigmoid(x_t W_xf + h_{t-1} W_hf + b_f)
    n = tanh(x_t W_xn + (f * h_{t-1}) W_hn + b_n)
    h_t = (1 - f) * h_{t-1} + f * n

Deviations: none. The second product waits for the gate, so this is a cell with only a step.
"""

from dataclasses import KW_ONLY, dataclass

import jax
import jax.numpy as jnp

from lstm_jax.cell import Array, Cell, DenseParams, HiddenState, Key, affine, check_settings
from lstm_jax.initializers import dense


@dataclass(frozen=True)
class MGU(Cell):
    """A layer of minimal gated units: ``w_x [D, 2H]``, ``w_h [H, 2H]``, ``b [2H]``, in the order f, n."""

    hidden_size: int
    """H."""
    _: KW_ONLY
    param_dtype: str = "float32"
    dtype: str | None = None

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, key: Key, input_size: int) -> DenseParams:
        """Glorot input weights, orthogonal recurrent weights, zero biases."""
        return dense(key, input_size, self.hidden_size, gates=2, dtype=self.param_dtype)

    def project(self, params: DenseParams, xs: Array, *, keys: Key | None = None) -> Array:
        """``x W_x + b`` for all steps at once."""
        del keys
        return affine(xs.astype(self.compute_dtype(params)), params.w_x, params.b)

    def _gates(self, params: DenseParams, state: HiddenState, z: Array) -> tuple[Array, Array]:
        w_f, w_n = jnp.split(params.w_h.astype(state.h.dtype), 2, axis=-1)
        z_f, z_n = jnp.split(z, 2, axis=-1)
        f = jax.nn.sigmoid(z_f + state.h @ w_f)
        return f, jnp.tanh(z_n + (f * state.h) @ w_n)

    def step(self, params: DenseParams, state: HiddenState, z: Array) -> tuple[HiddenState, Array]:
        """``h = (1 - f) * h + f * n``."""
        f, n = self._gates(params, state, z)
        h = state.h + f * (n - state.h)
        return HiddenState(h=h), h

    def inspect(self, params: DenseParams, z: Array, state: HiddenState) -> dict:
        """``gates``: the squashed gate f and the candidate n, each ``[*batch, H]``."""
        return {"gates": dict(zip("fn", self._gates(params, state, z), strict=True))}
