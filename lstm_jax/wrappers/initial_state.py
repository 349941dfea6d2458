"""An initial state that is learned.

Hinton's lecture notes on recurrent networks (2013, lecture 7) and common practice since: the state before the first
step, and after a reset, is a parameter, the same for every row. It starts as the cell's own.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from lstm_jax.cell import BatchShape, Cell, Key, Params, State
from lstm_jax.driver.inexact import is_inexact
from lstm_jax.wrappers.wrapper import Around, param_dtype


@struct.dataclass
class InitialStateParams:
    """Parameters of a `LearnedInitialState`."""

    cell: Any
    """The cell's."""
    initial: Any
    """A state of no batch axes; None in place of what has no gradient."""


@dataclass(frozen=True)
class LearnedInitialState(Around):
    """The cell, with an initial state that is learned."""

    cell: Cell

    def init(self, key: Key, input_size: int) -> InitialStateParams:
        cell = self.cell.init(key, input_size)
        own = self.cell.initial_state(cell, ())
        learned = jax.tree.map(lambda leaf: leaf.astype(param_dtype(cell)) if is_inexact(leaf) else None, own)
        return InitialStateParams(cell, learned)

    def inner(self, params: InitialStateParams) -> Params:
        """``params.cell``."""
        return params.cell

    def initial_state(self, params: InitialStateParams, batch_shape: BatchShape) -> State:
        own = self.cell.initial_state(params.cell, batch_shape)

        def leaf(learned: Any, own: Any) -> Any:
            return own if learned is None else jnp.broadcast_to(learned, own.shape).astype(own.dtype)

        return jax.tree.map(leaf, params.initial, own, is_leaf=lambda node: node is None)
