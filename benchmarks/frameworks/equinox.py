"""Equinox: `eqx.nn.LSTMCell` under vmap and scan, as its documentation shows."""

import equinox as eqx
import jax
import jax.numpy as jnp

from benchmarks.cases import Case, arrays
from benchmarks.frameworks import Timed, by_jax


def build(case: Case) -> Timed:
    """The cell holds transposed weights."""
    xs, (weights,) = arrays(case)
    _, _, d, h = case.shape
    cell = eqx.nn.LSTMCell(d, h, key=jax.random.key(0))
    values = jnp.asarray(weights["w_x"]).T, jnp.asarray(weights["w_h"]).T, jnp.asarray(weights["b"])
    cell = eqx.tree_at(lambda c: (c.weight_ih, c.weight_hh, c.bias), cell, values)

    def apply(cell: eqx.nn.LSTMCell, xs: jax.Array) -> jax.Array:
        def step(state: tuple, x: jax.Array) -> tuple:
            state = jax.vmap(cell)(x, state)
            return state, state[0]

        zeros = jnp.zeros((xs.shape[1], h))
        return jax.lax.scan(step, (zeros, zeros), xs)[1]

    def ours(g: eqx.nn.LSTMCell) -> list[dict]:
        return [{"w_x": g.weight_ih.T, "w_h": g.weight_hh.T, "b": g.bias}]

    return by_jax.timed(case, apply, cell, jnp.asarray(xs), ours)
