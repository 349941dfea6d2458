"""Outputs plus inputs: residual and highway connections.

He et al. 2016, "Deep Residual Learning for Image Recognition", eq. 1, between recurrent layers as in Wu et al. 2016,
"Google's Neural Machine Translation System", eq. 6. Srivastava, Greff & Schmidhuber 2015, "Highway Networks", eq. 3.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from lstm_jax.cell import Array, Cell, Key, Params, affine
from lstm_jax.initializers import glorot, per_gate
from lstm_jax.wrappers.wrapper import Around, param_dtype


@dataclass(frozen=True)
class Residual(Around):
    """``y = cell(x) + x``; inputs and outputs need one size."""

    cell: Cell

    def init(self, key: Key, input_size: int) -> Params:
        _check_sizes(self, input_size)
        return self.cell.init(key, input_size)

    def after(self, params: Params, xs: Array, ys: Any) -> Any:
        """Add the inputs."""
        del params
        return ys + xs.astype(ys.dtype)


@struct.dataclass
class HighwayParams:
    """Parameters of a `Highway`."""

    cell: Any
    """The cell's."""
    w: Array
    """Weights of the transform gate ``[D, D]``."""
    b: Array
    """Its bias ``[D]``."""


@dataclass(frozen=True)
class Highway(Around):
    """``y = t * cell(x) + (1 - t) * x`` with ``t = sigmoid(x W + b)``; inputs and outputs need one size."""

    cell: Cell
    transform_bias: float = -1.0
    """Initial b; below zero most of the input is carried at first (section 2.2 of the paper)."""

    def init(self, key: Key, input_size: int) -> HighwayParams:
        _check_sizes(self, input_size)
        key_cell, key_w = jax.random.split(key)
        cell = self.cell.init(key_cell, input_size)
        dtype = param_dtype(cell)
        w = per_gate(glorot, key_w, (input_size, input_size), 1, dtype)
        return HighwayParams(cell, w, jnp.full(input_size, self.transform_bias, dtype))

    def inner(self, params: HighwayParams) -> Params:
        """``params.cell``."""
        return params.cell

    def after(self, params: HighwayParams, xs: Array, ys: Any) -> Any:
        """Mix outputs and inputs."""
        xs = xs.astype(ys.dtype)
        return xs + jax.nn.sigmoid(affine(xs, params.w, params.b)) * (ys - xs)


def _check_sizes(wrapper: Residual | Highway, input_size: int) -> None:
    if wrapper.output_size != input_size:
        name, kind = type(wrapper).__name__, type(wrapper.cell).__name__
        raise ValueError(
            f"{name} adds inputs to outputs and needs one size, but {kind} makes {wrapper.output_size} features of "
            f"{input_size}."
        )
