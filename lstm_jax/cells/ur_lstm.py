"""The LSTM with a refine gate and uniform gate initialisation.

Gu et al. 2020, "Improving the Gating Mechanism of Recurrent Neural Networks", eqs. 5-11 (UR-LSTM)::

    f, r, g, o = split(x_t W_x + h_{t-1} W_h + b)       f, r, o squashed by sigmoid, g by tanh
    e = r * (1 - (1 - f)^2) + (1 - r) * f^2             the forget gate, refined
    c_t = e * c_{t-1} + (1 - e) * g
    h_t = o * tanh(c_t)

Deviations: none known.
"""

from dataclasses import KW_ONLY, dataclass, replace
from typing import ClassVar

import jax
import jax.numpy as jnp

from lstm_jax.cell import Array, DenseParams, GatedCell, Key, check_settings
from lstm_jax.cells.activations import once
from lstm_jax.cells.lstm import LSTMState
from lstm_jax.initializers import dense, uniform_gate


@dataclass(frozen=True)
class URLSTM(GatedCell):
    """A UR-LSTM layer: ``w_x [D, 4H]``, ``w_h [H, 4H]``, ``b [4H]``, gates in the order f, r, g, o."""

    hidden_size: int
    """H."""
    _: KW_ONLY
    refine: bool = True
    """Whether there is a refine gate r; without it e = f."""
    uniform: bool = True
    """Whether the biases of f, and of r with the opposite sign, start so that the units forget over all time scales."""
    param_dtype: str = "float32"
    dtype: str | None = None
    state_type: ClassVar[type] = LSTMState

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def gates(self) -> tuple[str, ...]:
        """The gates in their order."""
        return ("f", "r", "g", "o") if self.refine else ("f", "g", "o")

    def init(self, key: Key, input_size: int) -> DenseParams:
        """Glorot input weights, orthogonal recurrent weights a gate; biases zero, or uniform gates."""
        key_w, key_b = jax.random.split(key)
        params = dense(key_w, input_size, self.hidden_size, gates=len(self.gates), dtype=self.param_dtype)
        if not self.uniform:
            return params
        forget, h = uniform_gate(key_b, self.hidden_size, self.param_dtype), self.hidden_size
        b = params.b.at[:h].set(forget)
        return replace(params, b=b.at[h : 2 * h].set(-forget) if self.refine else b)

    def _gates(self, a: Array, state: LSTMState) -> dict[str, Array]:
        net = dict(zip(self.gates, jnp.split(a.astype(state.c.dtype), len(self.gates), axis=-1), strict=True))
        squashed = [jnp.tanh(net[gate]) if gate == "g" else jax.nn.sigmoid(net[gate]) for gate in self.gates]
        parts = jnp.split(once(jnp.concatenate(squashed, axis=-1)), len(self.gates), axis=-1)
        return dict(zip(self.gates, parts, strict=True))

    def update(self, params: DenseParams, a: Array, state: LSTMState, candidate: Array | None = None) -> LSTMState:
        """``c = e * c + (1 - e) * g``, ``h = o * tanh(c)``."""
        del params
        gates = self._gates(a, state)
        f, g = gates["f"], gates["g"]
        g = g if candidate is None else g * candidate
        e = gates["r"] * (1 - (1 - f) ** 2) + (1 - gates["r"]) * f**2 if self.refine else f
        c = e * state.c + (1 - e) * g
        return LSTMState(h=(gates["o"] * jnp.tanh(c)).astype(state.h.dtype), c=c)

    def inspect(self, params: DenseParams, z: Array, state: LSTMState) -> dict:
        """``gates``: the squashed gates by name, each ``[*batch, H]``."""
        return {"gates": self._gates(self.join(z, self.mix(params, state)), state)}
