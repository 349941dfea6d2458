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
from lstm_jax.wrappers.reset_by_flag import ResetByFlag
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

    def __post_init__(self) -> None:
        super().__post_init__()
        if _resets_itself(self.cell):
            raise ValueError(
                "LearnedInitialState goes inside of ResetByFlag, whose resets return to what is learned: "
                "ResetByFlag(LearnedInitialState(cell))."
            )

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


def _resets_itself(cell: Any) -> bool:
    """Whether it, or a part of it, is a `ResetByFlag`, whose ``step`` knows no initial state but its own cell's."""
    if isinstance(cell, tuple):
        return any(map(_resets_itself, cell))
    return isinstance(cell, ResetByFlag) or (isinstance(cell, Cell) and _resets_itself(tuple(vars(cell).values())))
