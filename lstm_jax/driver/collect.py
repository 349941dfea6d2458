"""Inner values of every step: ``unroll(..., collect=("c", "gates"))``."""

from dataclasses import dataclass, fields
from typing import Any

from lstm_jax.cell import Array, BatchShape, Cell, Key, Params, State


@dataclass(frozen=True)
class Collecting(Cell):
    """A cell that also returns inner values: its output is ``(output, {name: value})``.

    It has only a step, because `Cell.inspect` needs the previous state: collecting leaves the fast path.
    """

    cell: Cell
    names: tuple[str, ...]

    @property
    def feature_axes(self) -> int:
        """The cell's own."""
        return self.cell.feature_axes

    def initial_state(self, params: Params, batch_shape: BatchShape) -> State:
        """The cell's own."""
        return self.cell.initial_state(params, batch_shape)

    def project(self, params: Params, xs: Array, *, keys: Key | None = None) -> Any:
        """The cell's own."""
        return self.cell.project(params, xs, keys=keys)

    def step(self, params: Params, state: State, z: Any) -> tuple[State, Any]:
        """The cell's own step, and what was asked for."""
        new, y = self.cell.step(params, state, z)
        values = self.cell.inspect(params, z, state) | state_fields(new)
        return new, (y, {name: values[name] for name in self.names})


def state_fields(state: State) -> dict[str, Any]:
    """The fields of a state by name."""
    return {f.name: getattr(state, f.name) for f in fields(state)}
