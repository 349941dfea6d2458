"""The simple recurrent network.

Elman 1990, "Finding Structure in Time"::

    h_t = activation(x_t W_x + h_{t-1} W_h + b)

The IRNN is that of Le, Jaitly & Hinton 2015, "A Simple Way to Initialize Recurrent Networks of Rectified Linear Units".
Deviation from Elman: tanh instead of the logistic function.
"""

from dataclasses import KW_ONLY, dataclass

from lstm_jax.cell import Array, DenseParams, GatedCell, HiddenState, Key, check_settings
from lstm_jax.cells.activations import activation
from lstm_jax.initializers import RECURRENT_INITIALIZERS, dense
from lstm_jax.options import one_of


@dataclass(frozen=True)
class Elman(GatedCell):
    """An Elman layer: ``w_x [D, H]``, ``w_h [H, H]``, ``b [H]``."""

    hidden_size: int
    """H."""
    _: KW_ONLY
    activation: str = "tanh"
    """Squashes the new state."""
    recurrent: str = "orthogonal"
    """Initial recurrent weights: "orthogonal", "identity" or "glorot"."""
    param_dtype: str = "float32"
    dtype: str | None = None

    def __post_init__(self) -> None:
        check_settings(self)
        activation(self.activation)
        one_of("recurrent", self.recurrent, RECURRENT_INITIALIZERS)

    def init(self, key: Key, input_size: int) -> DenseParams:
        """Glorot input weights, recurrent weights by ``recurrent``, zero bias."""
        recurrent = RECURRENT_INITIALIZERS[self.recurrent]
        return dense(key, input_size, self.hidden_size, gates=1, recurrent=recurrent, dtype=self.param_dtype)

    def update(self, params: DenseParams, a: Array, state: HiddenState) -> HiddenState:
        """``h = activation(a)``."""
        del params, state
        return HiddenState(h=activation(self.activation)(a))


@dataclass(frozen=True)
class IRNN(Elman):
    """A rectified Elman layer whose recurrent weights start as the identity."""

    _: KW_ONLY
    activation: str = "relu"
    """Squashes the new state."""
    recurrent: str = "identity"
    """Initial recurrent weights: "orthogonal", "identity" or "glorot"."""
