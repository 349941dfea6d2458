"""Layer normalisation of what leaves a cell.

Ba, Kiros & Hinton 2016, "Layer Normalization", eq. 4, on the outputs alone: the recurrence does not see it.
"""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from flax import struct

from lstm_jax.cell import Array, Cell, Key, Params
from lstm_jax.cells.layer_norm import layer_norm
from lstm_jax.options import above_zero
from lstm_jax.wrappers.wrapper import Around, param_dtype


@struct.dataclass
class OutputNormParams:
    """Parameters of an `OutputNorm`."""

    cell: Any
    """The cell's."""
    gain: Array
    """``[output_size]``."""
    bias: Array
    """``[output_size]``."""


@dataclass(frozen=True)
class OutputNorm(Around):
    """Outputs of mean 0 and variance 1 over the features, then times ``gain``, plus ``bias``."""

    cell: Cell
    epsilon: float = 1e-5
    """Added to the variance."""

    def __post_init__(self) -> None:
        super().__post_init__()
        above_zero("epsilon", self.epsilon)

    def init(self, key: Key, input_size: int) -> OutputNormParams:
        cell = self.cell.init(key, input_size)
        ones = jnp.ones(self.output_size, param_dtype(cell))
        return OutputNormParams(cell, gain=ones, bias=jnp.zeros_like(ones))

    def inner(self, params: OutputNormParams) -> Params:
        """``params.cell``."""
        return params.cell

    def after(self, params: OutputNormParams, xs: Array, ys: Array) -> Array:
        """Norm the outputs."""
        del xs
        normed = layer_norm(ys, params.gain, self.epsilon)
        return normed + jnp.broadcast_to(params.bias.astype(ys.dtype), ys.shape)
