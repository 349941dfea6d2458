"""Flax nnx: `nnx.RNN` of an `OptimizedLSTMCell`."""

import jax
import jax.numpy as jnp
from flax import nnx

from benchmarks.cases import Case, arrays
from benchmarks.frameworks import Timed, by_jax


def build(case: Case) -> Timed:
    """The weights are set in the module's state."""
    xs, (weights,) = arrays(case)
    _, _, d, h = case.shape
    rnn = nnx.RNN(nnx.OptimizedLSTMCell(d, h, rngs=nnx.Rngs(0)), time_major=True)
    cell = rnn.cell
    cell.dense_i.kernel[...] = jnp.asarray(weights["w_x"])
    cell.dense_h.kernel[...] = jnp.asarray(weights["w_h"])
    cell.dense_h.bias[...] = jnp.asarray(weights["b"])
    graph, params, rest = nnx.split(rnn, nnx.Param, ...)

    def apply(params: nnx.State, xs: jax.Array) -> jax.Array:
        zeros = jnp.zeros((xs.shape[1], h))  # or it would draw from its own random numbers, which jit refuses
        return nnx.merge(graph, params, rest)(xs, initial_carry=(zeros, zeros))

    def ours(g: nnx.State) -> list[dict]:
        dense_i, dense_h = g["cell"]["dense_i"], g["cell"]["dense_h"]
        return [{"w_x": dense_i["kernel"][...], "w_h": dense_h["kernel"][...], "b": dense_h["bias"][...]}]

    return by_jax.timed(case, apply, params, jnp.asarray(xs), ours)
