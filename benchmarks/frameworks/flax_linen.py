"""Flax linen: `nn.RNN` of an `OptimizedLSTMCell`."""

import jax.numpy as jnp
from flax import linen as nn

from benchmarks.cases import Case, arrays
from benchmarks.frameworks import Timed, by_jax

GATES = "ifgo"


def build(case: Case) -> Timed:
    """Weights by gate; the bias is the recurrent product's."""
    xs, (weights,) = arrays(case)
    x, h, b = (jnp.split(jnp.asarray(weights[name]), 4, axis=-1) for name in ("w_x", "w_h", "b"))
    params = {f"i{g}": {"kernel": x[n]} for n, g in enumerate(GATES)}
    params |= {f"h{g}": {"kernel": h[n], "bias": b[n]} for n, g in enumerate(GATES)}
    model = nn.RNN(nn.OptimizedLSTMCell(case.shape[3], parent=None), time_major=True)

    def ours(g: dict) -> list[dict]:
        def gates(source: str, name: str) -> jnp.ndarray:
            return jnp.concatenate([g["params"]["cell"][source + gate][name] for gate in GATES], axis=-1)

        return [{"w_x": gates("i", "kernel"), "w_h": gates("h", "kernel"), "b": gates("h", "bias")}]

    return by_jax.timed(case, model.apply, {"params": {"cell": params}}, jnp.asarray(xs), ours)
