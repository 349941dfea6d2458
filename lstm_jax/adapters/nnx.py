"""A cell as a flax nnx module."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from lstm_jax.cell import Array, Cell, State
from lstm_jax.driver import unroll
from lstm_jax.driver.checks import check_cell


class Recurrent(nnx.Module):
    """Runs a cell, a `Stack` or a `Bidirectional` over time inside an nnx model.

    ``params`` is the pytree that the cell's ``init`` makes for inputs of ``input_size`` features, each leaf an
    `nnx.Param`, or a plain `nnx.Variable` where it is a key or an integer, which has no gradient. Where a call is given
    ``rngs``, the cell draws from its ``dropout`` stream; without them it is in evaluation. ``model.eval()`` is not
    heard.
    """

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        *,
        chunk: int | str = "auto",
        remat: bool = False,
        vjp: str = "hoisted",
        backend: str = "auto",
        rngs: nnx.Rngs,
    ) -> None:
        """Draw the parameters from the ``params`` stream of ``rngs``; the other options are those of `unroll`."""
        check_cell(cell)
        self.cell = cell
        self.chunk = chunk
        self.remat = remat
        self.vjp = vjp
        self.backend = backend
        params = cell.init(rngs.params(), input_size)
        # Told that it is data, because a cell without parameters gives it nothing to go by.
        self.params = nnx.data(jax.tree.map(_variable, params))

    def __call__(
        self,
        xs: Array,
        state: State | None = None,
        *,
        lengths: Array | None = None,
        mask: Array | None = None,
        resets: Array | None = None,
        reverse: bool = False,
        collect: tuple[str, ...] = (),
        rngs: nnx.Rngs | None = None,
    ) -> Any:
        """Outputs ``[T, *batch, features]`` and the last state for inputs ``xs [T, *batch, D]``; see `unroll`."""
        return unroll(
            self.cell,
            nnx.as_pure(self.params),
            xs,
            state,
            lengths=lengths,
            mask=mask,
            resets=resets,
            reverse=reverse,
            key=None if rngs is None else rngs.dropout(),
            chunk=self.chunk,
            remat=self.remat,
            vjp=self.vjp,
            backend=self.backend,
            collect=collect,
        )


def _variable(leaf: Array) -> nnx.Variable:
    return nnx.Param(leaf) if jnp.issubdtype(leaf.dtype, jnp.inexact) else nnx.Variable(leaf)
