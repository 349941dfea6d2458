"""An LSTM as one writes it with `jax.lax.scan` alone: both products in one, inside the scan."""

import jax
import jax.numpy as jnp

from benchmarks.cases import Case, arrays
from benchmarks.frameworks import Timed, by_jax


def build(case: Case) -> Timed:
    """Parameters: a dictionary of arrays."""
    xs, (weights,) = arrays(case)

    def apply(params: dict[str, jax.Array], xs: jax.Array) -> jax.Array:
        w = jnp.concatenate([params["w_x"], params["w_h"]])

        def step(state: tuple, x: jax.Array) -> tuple:
            h, c = state
            i, f, g, o = jnp.split(jnp.concatenate([x, h], axis=-1) @ w + params["b"], 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zeros = jnp.zeros((xs.shape[1], case.shape[3]))
        return jax.lax.scan(step, (zeros, zeros), xs)[1]

    return by_jax.timed(case, apply, {k: jnp.asarray(v) for k, v in weights.items()}, jnp.asarray(xs), lambda g: [g])
