"""The gradients of the parameters that `GatedCell.update` uses: peepholes, gains, projections.

A vector's gradient is summed up inside the backward loop, where its parts are at hand, for every row on its own: a sum
over the rows of each step would cost more than the step's arithmetic. A matrix's is one product over all steps.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from lstm_jax.cell import Array, GatedCell, Params, State
from lstm_jax.driver import inexact
from lstm_jax.driver.dependence import looked_at


@dataclass(frozen=True)
class Local:
    """``update`` of one cell, with its parameters in two groups; flags are those of the inexact leaves."""

    cell: GatedCell
    params: Params
    in_loop: list[bool]
    at_once: list[bool]

    def vectors(self, rows: int) -> inexact.Leaves:
        """What is summed up in the loop, once for each row."""
        return [jnp.broadcast_to(leaf, (rows, *leaf.shape)) for leaf in self._chosen(self.in_loop)]

    def update(self, vectors: inexact.Leaves, a: Any, state: State) -> State:
        """`GatedCell.update`, each row with its own vectors."""
        if not vectors:
            return self.cell.update(self.params, a, state)
        return jax.vmap(lambda v, a, s: self.cell.update(self._with(v, self.in_loop), a, s))(vectors, a, state)

    def gradient(self, d_vectors: inexact.Leaves, a: Any, entered: State, d_new: inexact.Leaves) -> list[Array | None]:
        """Of each inexact leaf of the parameters, over the steps of a chunk; None where ``update`` does not use it."""
        in_loop = iter([d.sum(axis=0) for d in d_vectors])
        at_once: Any = iter(())
        if any(self.at_once):

            def all_steps(leaves: inexact.Leaves) -> State:
                return jax.vmap(partial(self.cell.update, self._with(leaves, self.at_once)))(a, entered)

            _, pull = inexact.vjp(all_steps, self._chosen(self.at_once))
            at_once = iter(pull(d_new)[0])
        flags = zip(self.in_loop, self.at_once, strict=True)
        return [next(in_loop) if loop else next(at_once) if once else None for loop, once in flags]

    def _chosen(self, flags: list[bool]) -> inexact.Leaves:
        leaves = inexact.split(self.params)[0]
        return [leaf for leaf, chosen in zip(leaves, flags, strict=True) if chosen]

    def _with(self, leaves: inexact.Leaves, flags: list[bool]) -> Params:
        diff, exact, join = inexact.split(self.params)
        given = iter(leaves)
        return join([next(given) if chosen else leaf for leaf, chosen in zip(diff, flags, strict=True)], exact)


def local(cell: GatedCell, params: Params, a: Any, state: State, *, by_row: bool) -> Local:
    """How to differentiate ``update``; ``by_row``: there is a batch axis, and no parameter is a row's own."""
    used = looked_at(cell.update, params, a, state)
    leaves = jax.tree.leaves(params)
    flags = [(leaf.ndim, is_used) for leaf, is_used in zip(leaves, used, strict=False) if inexact.is_inexact(leaf)]
    in_loop = [by_row and ndim <= 1 and is_used for ndim, is_used in flags]
    at_once = [is_used and not loop for (_, is_used), loop in zip(flags, in_loop, strict=True)]
    return Local(cell, params, in_loop, at_once)
