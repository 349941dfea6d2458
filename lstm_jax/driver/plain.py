"""The plain scan: what every other path must equal, and what forward mode runs on.

It is also the fastest way to run a cell with only a ``step``, whose matrix products cannot be told from the rest of it.
"""

from functools import partial
from typing import Any

import jax

from lstm_jax.cell import Array, Cell, Params, State
from lstm_jax.driver.flow import Flow
from lstm_jax.driver.pieces import cut, paste, scan_pieces


def unroll_plain(
    cell: Cell,
    params: Params,
    xs: Array,
    state: State,
    initial: State,
    flow: Flow,
    *,
    chunk: int,
    remat: bool,
    reverse: bool,
) -> tuple[Any, State]:
    """`Cell.step` under `jax.lax.scan`, differentiated by JAX; ``chunk`` matters under ``remat`` alone."""

    def one(previous: State, inputs: tuple[Any, Flow]) -> tuple[State, Any]:
        z, at = inputs
        new, y = cell.step(params, at.enter(previous, initial), z)
        return at.leave(new, previous), at.silence(y)

    def piece(previous: State, inputs: tuple[Array, Flow]) -> tuple[State, Any]:
        xs, flow = inputs
        zs = cell.project(params, xs, keys=flow.keys)
        return jax.lax.scan(one, previous, (zs, flow), reverse=reverse)

    if not remat:
        last, ys = piece(state, (xs, flow))
        return ys, last
    chunks = partial(jax.lax.scan, jax.checkpoint(piece), reverse=reverse)
    last, ys = scan_pieces(chunks, state, cut((xs, flow), xs.shape[0], chunk), reverse=reverse)
    return paste(ys), last
