"""A cell as a flax linen module."""

from typing import Any

from flax import linen as nn

from lstm_jax.cell import Array, Cell, State
from lstm_jax.driver import unroll
from lstm_jax.driver.checks import check_cell


class Recurrent(nn.Module):
    """Runs a cell, a `Stack` or a `Bidirectional` over time inside a linen model.

    Its parameters are the cell's own, under the name ``cell``. Where the model is applied with an rng named
    ``dropout``, the cell draws from it; without one it is in evaluation.
    """

    cell: Cell
    chunk: int | str = "auto"
    """As in `unroll`, like the three below."""
    remat: bool = False
    vjp: str = "hoisted"
    backend: str = "auto"

    @nn.compact
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
    ) -> Any:
        """Outputs ``[T, *batch, features]`` and the last state for inputs ``xs [T, *batch, D]``; see `unroll`."""
        check_cell(self.cell)
        params = self.param("cell", self.cell.init, xs.shape[-1])
        key = self.make_rng("dropout") if self.has_rng("dropout") else None
        return unroll(
            self.cell,
            params,
            xs,
            state,
            lengths=lengths,
            mask=mask,
            resets=resets,
            reverse=reverse,
            key=key,
            chunk=self.chunk,
            remat=self.remat,
            vjp=self.vjp,
            backend=self.backend,
            collect=collect,
        )
