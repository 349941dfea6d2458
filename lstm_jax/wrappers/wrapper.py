"""What wraps one cell. All is the cell's own, unless a wrapper says otherwise.

An `Inside` wrapper acts on the steps of a gated cell, an `Around` wrapper on the inputs and outputs of any cell or
composite, for a whole sequence at once. Both are cells, and wrap one another: `Inside` wrappers go innermost.
"""

from typing import Any

import jax
import jax.numpy as jnp

from lstm_jax.cell import Array, BatchShape, Cell, GatedCell, Key, Params, State, fold_in
from lstm_jax.driver.unroll import Composite, Run


class Wrapper(Cell):
    """Passes everything on to ``cell``. The state is the cell's; so are the parameters, unless `inner` says where."""

    cell: Cell

    def __post_init__(self) -> None:
        if not isinstance(self.cell, Cell):
            name = type(self).__name__
            raise ValueError(f"{name} takes a cell, such as {name}(LSTM(64)), got {self.cell!r}.")

    def inner(self, params: Params) -> Params:
        """The cell's parameters among ``params``."""
        return params

    @property
    def output_size(self) -> int:
        """The cell's."""
        return self.cell.output_size

    @property
    def feature_axes(self) -> int:
        """The cell's."""
        return self.cell.feature_axes

    def init(self, key: Key, input_size: int) -> Params:
        return self.cell.init(key, input_size)

    def initial_state(self, params: Params, batch_shape: BatchShape) -> State:
        return self.cell.initial_state(self.inner(params), batch_shape)

    def prepare(self, params: Params, batch_shape: BatchShape, *, key: Key | None = None) -> Params:
        prepared = self.cell.prepare(self.inner(params), batch_shape, key=fold_in(key, 0))
        return prepared if self.inner(params) is params else params.replace(cell=prepared)

    def project(self, params: Params, xs: Array, *, keys: Key | None = None) -> Any:
        return self.cell.project(self.inner(params), xs, keys=fold_in(keys, 0))

    def step(self, params: Params, state: State, z: Any) -> tuple[State, Any]:
        return self.cell.step(self.inner(params), state, z)

    def inspect(self, params: Params, z: Any, state: State) -> dict[str, Any]:
        return self.cell.inspect(self.inner(params), z, state)

    def compute_dtype(self, params: Params) -> Any:
        return self.cell.compute_dtype(self.inner(params))


class Inside(Wrapper):
    """A wrapper of a gated cell, gated itself: it may override `mix`, `join`, `update` and `output`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        name, kind = type(self).__name__, type(self.cell).__name__
        if isinstance(self.cell, Composite):
            raise ValueError(f"{name} acts inside of one cell: put it around the cells inside of {kind}.")
        if not self.cell.gated:
            raise ValueError(f"{name} acts between a step's products and its gates, which {kind} does not tell apart.")

    @property
    def gated(self) -> bool:
        """It is."""
        return True

    def mix(self, params: Params, state: State) -> Any:
        """The cell's."""
        return _gated(self.cell).mix(self.inner(params), state)

    def join(self, z: Any, u: Any) -> Any:
        """The cell's."""
        return _gated(self.cell).join(z, u)

    def update(self, params: Params, a: Any, state: State, candidate: Array | None = None) -> State:
        """The cell's."""
        given = {} if candidate is None else {"candidate": candidate}
        return _gated(self.cell).update(self.inner(params), a, state, **given)

    def output(self, params: Params, a: Any, state: State) -> Any:
        """The cell's."""
        return _gated(self.cell).output(self.inner(params), a, state)

    def step(self, params: Params, state: State, z: Any) -> tuple[State, Any]:
        return GatedCell.step(_gated(self), params, state, z)


class Around(Wrapper):
    """A wrapper of any cell or composite: it may override `before`, which makes the cell's inputs, and `after`."""

    def before(self, params: Params, xs: Array) -> Array:
        """The cell's inputs, from the wrapper's."""
        del params
        return xs

    def after(self, params: Params, xs: Array, ys: Any) -> Any:
        """The wrapper's outputs, from its inputs and the cell's outputs."""
        del params, xs
        return ys

    def compose(
        self, run: Run, params: Params, xs: Array, state: State, initial: State, keys: Key | None
    ) -> tuple[Any, State]:
        """Run the cell between `before` and `after`."""
        inner = self.before(params, xs)
        ys, last = run(self.cell, self.inner(params), inner, state, initial, fold_in(keys, 0))
        return self.after(params, xs, ys), last

    def project(self, params: Params, xs: Array, *, keys: Key | None = None) -> tuple[Any, Array]:
        return Wrapper.project(self, params, self.before(params, xs), keys=keys), xs

    def step(self, params: Params, state: State, z: tuple[Any, Array]) -> tuple[State, Any]:
        inner, x = z
        new, y = self.cell.step(self.inner(params), state, inner)
        return new, self.after(params, x, y)

    def inspect(self, params: Params, z: tuple[Any, Array], state: State) -> dict[str, Any]:
        return self.cell.inspect(self.inner(params), z[0], state)


def param_dtype(params: Params) -> Any:
    """The dtype of the first weight: for those that a wrapper adds."""
    return next(leaf.dtype for leaf in jax.tree.leaves(params) if jnp.issubdtype(leaf.dtype, jnp.inexact))


def _gated(cell: Any) -> GatedCell:
    """A gated cell, which need not be of that class: see `Cell.gated`."""
    return cell
