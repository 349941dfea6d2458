"""Haiku: `hk.dynamic_unroll` of `hk.LSTM`, whose gates are i, g, f, o, and whose forget gate adds 1."""

import haiku as hk
import jax
import jax.numpy as jnp

from benchmarks.cases import Case, arrays
from benchmarks.frameworks import Timed, by_jax


def reordered(w: jax.Array) -> jax.Array:
    """From i, f, g, o to i, g, f, o, and back."""
    i, f, g, o = jnp.split(w, 4, axis=-1)
    return jnp.concatenate([i, g, f, o], axis=-1)


def build(case: Case) -> Timed:
    """One matrix for inputs and state."""
    xs, (weights,) = arrays(case)
    b, _, d, h = case.shape

    def unroll(xs: jax.Array) -> jax.Array:
        core = hk.LSTM(h)
        return hk.dynamic_unroll(core, xs, core.initial_state(b))[0]

    model = hk.without_apply_rng(hk.transform(unroll))
    forget = jnp.concatenate([jnp.zeros(2 * h), jnp.ones(h), jnp.zeros(h)])
    w = reordered(jnp.concatenate([weights["w_x"], weights["w_h"]]))
    params = {"lstm/linear": {"w": w, "b": reordered(jnp.asarray(weights["b"])) - forget}}

    def ours(g: dict) -> list[dict]:
        w = reordered(g["lstm/linear"]["w"])
        return [{"w_x": w[:d], "w_h": w[d:], "b": reordered(g["lstm/linear"]["b"])}]

    return by_jax.timed(case, model.apply, params, jnp.asarray(xs), ours)
