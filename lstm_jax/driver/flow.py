"""What steers a sequence step by step, apart from its inputs: keys, which steps count, where the state is reset."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from lstm_jax.cell import Array, Key, State


@struct.dataclass
class Flow:
    """Arrays ``[T, *batch]``, each None where it is not used, so that an unused feature costs nothing."""

    keys: Key | None = None
    """A key for every step and row."""
    keep: Array | None = None
    """False where the step is padding: the state stands still and the output is zero."""
    reset: Array | None = None
    """True where the state is set back to the initial one before the step; never on padding."""

    def resetting(self, reset: Array) -> "Flow":
        """With more resets, none of them on padding."""
        reset = reset if self.keep is None else reset & self.keep
        return replace(self, reset=reset if self.reset is None else reset | self.reset)

    def enter(self, state: State, initial: State) -> State:
        """The state that the step works on."""
        return select(self.reset, initial, state)

    def leave(self, new: State, state: State) -> State:
        """The state after the step."""
        return new if self.keep is None else select(self.keep, new, state)

    def silence(self, ys: Any) -> Any:
        """Outputs, zero on padding."""
        return ys if self.keep is None else select(self.keep, ys, jax.tree.map(jnp.zeros_like, ys))


def select(where: Array | None, chosen: Any, other: Any) -> Any:
    """``chosen`` where true, else ``other``, for every leaf ``[*where.shape, ...]``; None is nowhere true."""
    if where is None:
        return other

    def leaf(a: Array, b: Array) -> Array:
        return jnp.where(where.reshape(where.shape + (1,) * (b.ndim - where.ndim)), a, b)

    return jax.tree.map(leaf, chosen, other)
