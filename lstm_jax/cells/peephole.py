"""The LSTM whose gates see the cell state, and the parts that can be taken out of it.

Gers, Schraudolph & Schmidhuber 2002, "Learning Precise Timing with LSTM Recurrent Networks", eqs. 3-8; the variants:
Greff et al. 2017, "LSTM: A Search Space Odyssey", section 3 and appendix A::

    i = sigmoid(x_t W_xi + h_{t-1} W_hi + b_i + p_i * c_{t-1})
    f = sigmoid(x_t W_xf + h_{t-1} W_hf + b_f + p_f * c_{t-1})     or 1 - i, if coupled
    g = tanh(x_t W_xg + h_{t-1} W_hg + b_g)
    c_t = f * c_{t-1} + i * g
    o = sigmoid(x_t W_xo + h_{t-1} W_ho + b_o + p_o * c_t)
    h_t = o * tanh(c_t)

Deviations: the 2002 paper squashes g and h by scaled sigmoids. Clipping what a gate squashes is ONNX's.
"""

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

import jax.numpy as jnp
from flax import struct

from lstm_jax.cell import Array, GatedCell, Key, check_settings
from lstm_jax.cells.activations import activation, once
from lstm_jax.cells.lstm import LSTMState
from lstm_jax.initializers import dense
from lstm_jax.options import above_zero, names, one_of

OPTIONAL_GATES = ("i", "f", "o")


@struct.dataclass
class PeepholeParams:
    """Parameters of G gates, of which P see the cell state."""

    w_x: Array
    """Input weights ``[D, G*H]``."""
    w_h: Array
    """Recurrent weights ``[H, G*H]``."""
    b: Array
    """Bias ``[G*H]``."""
    p: Array
    """Peepholes ``[P*H]``, gates in the order i, f, o."""


@dataclass(frozen=True)
class PeepholeLSTM(GatedCell):
    """An LSTM layer whose gates see the cell state, any part of which can be left out."""

    hidden_size: int
    """H."""
    _: KW_ONLY
    peepholes: bool = True
    """Whether the gates see the cell state."""
    coupled: bool = False
    """Forget what the input gate lets in, f = 1 - i (Greff's CIFG): there is no gate f to learn."""
    without: tuple[str, ...] = ()
    """Gates that are left out, always open: of "i", "f", "o" (Greff's NIG, NFG, NOG)."""
    clip: float | None = None
    """If set, what is squashed to make a gate or g is clipped to +-clip first."""
    forget_bias: float = 1.0
    """Initial bias of the forget gate; part of ``b``."""
    activation: str = "tanh"
    """Squashes g."""
    output_activation: str = "tanh"
    """Squashes the cell state on its way out."""
    gate_activation: str = "sigmoid"
    """Squashes the gates."""
    param_dtype: str = "float32"
    dtype: str | None = None
    state_type: ClassVar[type] = LSTMState

    def __post_init__(self) -> None:
        check_settings(self)
        for name in (self.activation, self.output_activation, self.gate_activation):
            activation(name)
        for gate in names("without", self.without, "f"):
            one_of("without", gate, OPTIONAL_GATES)
        if self.coupled and {"i", "f"} & set(self.without):
            raise ValueError(f"coupled=True needs both of the gates i and f, got without={self.without}.")
        if self.clip is not None:
            above_zero("clip", self.clip)

    @property
    def gates(self) -> tuple[str, ...]:
        """The gates that are learned, in the order of their weights: i, f, g, o or fewer."""
        absent = {*self.without, *("f" if self.coupled else "")}
        return tuple(gate for gate in "ifgo" if gate not in absent)

    @property
    def seeing(self) -> tuple[str, ...]:
        """The gates that see the cell state, in the order of their peepholes."""
        return tuple(gate for gate in self.gates if gate != "g") if self.peepholes else ()

    def init(self, key: Key, input_size: int) -> PeepholeParams:
        """Glorot input weights, orthogonal recurrent weights a gate; peepholes and biases zero but for f's bias."""
        params = dense(key, input_size, self.hidden_size, gates=len(self.gates), dtype=self.param_dtype)
        biases = [jnp.full(self.hidden_size, self.forget_bias * (gate == "f")) for gate in self.gates]
        return PeepholeParams(
            w_x=params.w_x,
            w_h=params.w_h,
            b=jnp.concatenate(biases).astype(self.param_dtype),
            p=jnp.zeros(len(self.seeing) * self.hidden_size, self.param_dtype),
        )

    def _gates(self, params: PeepholeParams, a: Array, state: LSTMState, candidate: Array | None) -> dict[str, Array]:
        """The squashed gates by name, and the new cell state "c"."""
        net = dict(zip(self.gates, jnp.split(a.astype(state.c.dtype), len(self.gates), axis=-1), strict=True))
        seen = jnp.split(params.p.astype(state.c.dtype), len(self.seeing)) if self.seeing else ()
        peepholes = dict(zip(self.seeing, seen, strict=True))

        def squashed(names: tuple[str, ...], c: Array) -> dict[str, Array]:
            parts = []
            for gate in names:
                look = net[gate]
                if gate in peepholes:
                    look = look + jnp.broadcast_to(peepholes[gate], c.shape) * c
                look = look if self.clip is None else jnp.clip(look, -self.clip, self.clip)
                parts.append(activation(self.activation if gate == "g" else self.gate_activation)(look))
            return dict(zip(names, jnp.split(once(jnp.concatenate(parts, axis=-1)), len(names), axis=-1), strict=True))

        before = squashed(tuple(gate for gate in self.gates if gate != "o"), state.c)
        i = before.setdefault("i", jnp.ones_like(state.c))
        f = before.setdefault("f", 1 - i if self.coupled else jnp.ones_like(state.c))
        g = before["g"] if candidate is None else before["g"] * candidate
        c = f * state.c + i * g
        return before | (squashed(("o",), c) if "o" in net else {"o": jnp.ones_like(c)}) | {"c": c}

    def update(self, params: PeepholeParams, a: Array, state: LSTMState, candidate: Array | None = None) -> LSTMState:
        """``c = f * c + i * g``, ``h = o * tanh(c)``."""
        gates = self._gates(params, a, state, candidate)
        h = gates["o"] * once(activation(self.output_activation)(gates["c"]))
        return LSTMState(h=h.astype(state.h.dtype), c=gates["c"])

    def inspect(self, params: PeepholeParams, z: Array, state: LSTMState) -> dict:
        """``gates``: i, f, g, o, squashed, each ``[*batch, H]``; 1 where a gate is left out."""
        gates = self._gates(params, self.join(z, self.mix(params, state)), state, None)
        return {"gates": {name: gates[name] for name in "ifgo"}}
