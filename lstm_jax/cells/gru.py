"""Gated recurrent units: reset after the matrix product (fast) and before it (the 2014 paper).

Cho et al. 2014, "Learning Phrase Representations using RNN Encoder-Decoder", eqs. 5-8, gates in the order r, z, n::

    r = sigmoid(x_t W_xr + h_{t-1} W_hr + b_r)
    z = sigmoid(x_t W_xz + h_{t-1} W_hz + b_z)
    n = tanh(x_t W_xn + b_n + r * (h_{t-1} W_hn + b_hn))       GRU, as in cuDNN and PyTorch
    n = tanh(x_t W_xn + b_n + (r * h_{t-1}) W_hn)              ResetBeforeGRU, the paper's
    h_t = (1 - z) * n + z * h_{t-1}

Deviation from the paper: biases.
"""

from dataclasses import KW_ONLY, dataclass

import jax
import jax.numpy as jnp
from flax import struct

from lstm_jax.cell import Array, Cell, DenseParams, GatedCell, HiddenState, Key, affine, check_settings
from lstm_jax.cells.activations import once
from lstm_jax.initializers import dense

GATES = ("r", "z", "n")
"""The order of the gates in ``w_x``, ``w_h`` and ``b``."""


@struct.dataclass
class GRUParams:
    """Parameters of a reset-after GRU."""

    w_x: Array
    """Input weights ``[D, 3H]``."""
    w_h: Array
    """Recurrent weights ``[H, 3H]``."""
    b: Array
    """Bias ``[3H]``."""
    b_hn: Array
    """Bias of the candidate's recurrent part, inside the reset ``[H]``."""


@struct.dataclass
class GRUPreactivation:
    """What `GRU.update` gets: the candidate's two parts stay apart, because the reset acts on one alone."""

    gates: Array
    """Of r and z ``[*batch, 2H]``."""
    x_n: Array
    """The candidate's part from the input ``[*batch, H]``."""
    h_n: Array
    """The candidate's part from the state ``[*batch, H]``."""


@dataclass(frozen=True)
class GRU(GatedCell):
    """A GRU layer that resets after the matrix product."""

    hidden_size: int
    """H."""
    _: KW_ONLY
    param_dtype: str = "float32"
    dtype: str | None = None

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, key: Key, input_size: int) -> GRUParams:
        """Glorot input weights, orthogonal recurrent weights a gate, zero biases."""
        params = dense(key, input_size, self.hidden_size, gates=3, dtype=self.param_dtype)
        return GRUParams(w_x=params.w_x, w_h=params.w_h, b=params.b, b_hn=jnp.zeros(self.hidden_size, self.param_dtype))

    def join(self, z: Array, u: Array) -> GRUPreactivation:
        """Add what the gates r and z need; keep the candidate's two parts apart."""
        (z_gates, x_n), (u_gates, h_n) = (jnp.split(v, [2 * self.hidden_size], axis=-1) for v in (z, u))
        return GRUPreactivation(gates=z_gates + u_gates, x_n=x_n, h_n=h_n)

    def _gates(self, params: GRUParams, a: GRUPreactivation) -> tuple[Array, Array, Array]:
        r, z = jnp.split(once(jax.nn.sigmoid(a.gates)), 2, axis=-1)
        b_hn = jnp.broadcast_to(params.b_hn.astype(a.h_n.dtype), a.h_n.shape)
        return r, z, once(jnp.tanh(a.x_n + r * (a.h_n + b_hn)))

    def update(
        self, params: GRUParams, a: GRUPreactivation, state: HiddenState, candidate: Array | None = None
    ) -> HiddenState:
        """``h = (1 - z) * n + z * h``."""
        _, z, n = self._gates(params, a)
        n = n if candidate is None else n * candidate
        return HiddenState(h=n + z * (state.h - n))

    def inspect(self, params: GRUParams, z: Array, state: HiddenState) -> dict:
        """``gates``: the squashed gates r, z and the candidate n, each ``[*batch, H]``."""
        a = self.join(z, self.mix(params, state))
        return {"gates": dict(zip(GATES, self._gates(params, a), strict=True))}


@dataclass(frozen=True)
class ResetBeforeGRU(Cell):
    """A GRU layer that resets before the matrix product, which waits for the gate r: a cell with only a step."""

    hidden_size: int
    """H."""
    _: KW_ONLY
    param_dtype: str = "float32"
    dtype: str | None = None

    def __post_init__(self) -> None:
        check_settings(self)

    def init(self, key: Key, input_size: int) -> DenseParams:
        """Glorot input weights, orthogonal recurrent weights a gate, zero biases."""
        return dense(key, input_size, self.hidden_size, gates=3, dtype=self.param_dtype)

    def project(self, params: DenseParams, xs: Array, *, keys: Key | None = None) -> Array:
        """``x W_x + b`` for all steps at once."""
        del keys
        return affine(xs.astype(self.compute_dtype(params)), params.w_x, params.b)

    def _gates(self, params: DenseParams, state: HiddenState, z: Array) -> tuple[Array, Array, Array]:
        h, size = state.h, 2 * self.hidden_size
        w_gates, w_n = jnp.split(params.w_h.astype(h.dtype), [size], axis=-1)
        z_gates, x_n = jnp.split(z, [size], axis=-1)
        r, update = jnp.split(jax.nn.sigmoid(z_gates + h @ w_gates), 2, axis=-1)
        return r, update, jnp.tanh(x_n + (r * h) @ w_n)

    def step(self, params: DenseParams, state: HiddenState, z: Array) -> tuple[HiddenState, Array]:
        """``h = (1 - z) * n + z * h``."""
        _, update, n = self._gates(params, state, z)
        h = n + update * (state.h - n)
        return HiddenState(h=h), h

    def inspect(self, params: DenseParams, z: Array, state: HiddenState) -> dict:
        """``gates``: the squashed gates r, z and the candidate n, each ``[*batch, H]``."""
        return {"gates": dict(zip(GATES, self._gates(params, state, z), strict=True))}
