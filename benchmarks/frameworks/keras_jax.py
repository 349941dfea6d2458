"""Keras on JAX: `keras.layers.LSTM`, batch first, which is how it gets its inputs."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import jax
import jax.numpy as jnp
import keras

from benchmarks.cases import Case, arrays
from benchmarks.frameworks import Timed, by_jax


def build(case: Case) -> Timed:
    """Called without state, so that it can be jitted and differentiated."""
    xs, (weights,) = arrays(case)
    b, t, d, h = case.shape
    layer = keras.layers.LSTM(h, return_sequences=True)
    layer.build((b, t, d))
    params = [jnp.asarray(weights[name]) for name in ("w_x", "w_h", "b")]
    fixed = [variable.value for variable in layer.non_trainable_variables]

    def apply(params: list, xs: jax.Array) -> jax.Array:
        return layer.stateless_call(params, fixed, xs)[0]

    timed = by_jax.timed(
        case,
        apply,
        params,
        jnp.swapaxes(jnp.asarray(xs), 0, 1),
        lambda g: [dict(zip(("w_x", "w_h", "b"), g, strict=True))],
    )
    return Timed(timed.call, lambda: {k: v.swapaxes(0, 1) if k == "outputs" else v for k, v in timed.result().items()})
