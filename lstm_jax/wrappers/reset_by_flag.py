"""A reset that comes with the inputs: what an environment sends where an episode ends.

As `haiku.ResetCore`, but for a whole sequence at once. Where the flag is at hand apart from the inputs,
``unroll(..., resets=flags)`` does the same without a wrapper.
"""

from dataclasses import dataclass
from typing import Any

from lstm_jax.cell import Array, Cell, Key, Params, State
from lstm_jax.driver.flow import select
from lstm_jax.driver.unroll import Run
from lstm_jax.wrappers.wrapper import Around


@dataclass(frozen=True)
class ResetByFlag(Around):
    """The last feature of the input is a flag: above 0.5 the state is the initial one before this step.

    The cell sees the other features.
    """

    cell: Cell

    def init(self, key: Key, input_size: int) -> Params:
        if input_size < 2:
            raise ValueError("ResetByFlag needs a feature beside the flag, which is the last one, got input size 1.")
        return self.cell.init(key, input_size - 1)

    def before(self, params: Params, xs: Array) -> Array:
        """All features but the flag."""
        del params
        return xs[..., :-1]

    def compose(
        self, run: Run, params: Params, xs: Array, state: State, initial: State, keys: Key | None
    ) -> tuple[Any, State]:
        return run(self.cell, params, xs[..., :-1], state, initial, keys, resets=self._flags(xs))

    def project(self, params: Params, xs: Array, *, keys: Key | None = None) -> tuple[Any, Array]:
        return self.cell.project(params, xs[..., :-1], keys=keys), self._flags(xs)

    def step(self, params: Params, state: State, z: tuple[Any, Array]) -> tuple[State, Any]:
        inner, flags = z
        return self.cell.step(params, select(flags, self.initial_state(params, flags.shape), state), inner)

    def _flags(self, xs: Array) -> Array:
        """``[*batch]``, with the time axis where there is one."""
        flags = xs[..., -1] > 0.5
        # An image carries the flag at every place.
        return flags.any(axis=tuple(range(flags.ndim - self.feature_axes + 1, flags.ndim)))
