"""Initial values of a cell's parameters, gate by gate.

Weights of a cell with G gates lie side by side, ``[rows, G*H]``; each gate's block is drawn on its own, because an
orthogonal or scaled draw of the whole would not be one for any gate.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from lstm_jax.cell import Array, DenseParams, Key
from lstm_jax.options import positive

Initializer = Callable[..., Array]
"""``(key, shape, dtype) -> array``, as in `jax.nn.initializers`."""

glorot: Initializer = jax.nn.initializers.glorot_uniform()
"""Uniform within sqrt(6 / (fan in + fan out)) (Glorot & Bengio 2010)."""
orthogonal: Initializer = jax.nn.initializers.orthogonal()
"""A random orthogonal matrix (Saxe et al. 2014)."""


def identity(key: Key, shape: tuple[int, ...], dtype: str = "float32") -> Array:
    """The identity matrix, for recurrent weights of a rectified network (Le et al. 2015, "IRNN")."""
    del key
    return jnp.eye(*shape, dtype=dtype)


RECURRENT_INITIALIZERS: dict[str, Initializer] = {"orthogonal": orthogonal, "identity": identity, "glorot": glorot}


def per_gate(init: Initializer, key: Key, shape: tuple[int, int], gates: int, dtype: str) -> Array:
    """Draw ``gates`` blocks of ``shape`` independently and lay them side by side: ``[rows, gates * columns]``."""
    # A QR factorisation needs at least float32.
    wide = dtype if jnp.dtype(dtype).itemsize >= 4 else "float32"
    return jnp.concatenate([init(k, shape, wide) for k in jax.random.split(key, gates)], axis=-1).astype(dtype)


def chrono(
    key: Key, hidden_size: int, t_max: float, dtype: str = "float32", *, fixed: bool = False
) -> tuple[Array, Array]:
    """Input and forget gate biases ``[H]`` for dependencies of up to ``t_max > 2`` steps.

    Tallec & Ollivier 2018, "Can recurrent neural networks warp time?", eq. 16:
    ``b_f = log u`` with u uniform in [1, t_max - 1], and ``b_i = -b_f``: unit k then forgets over about u_k steps.
    ``fixed``: u = t_max - 1 for all units, for tasks of one known distance.
    """
    if fixed:
        forget = jnp.full(hidden_size, jnp.log(t_max - 1.0), dtype)
        return -forget, forget
    forget = jnp.log(jax.random.uniform(key, (hidden_size,), dtype, minval=1.0, maxval=t_max - 1.0))
    return -forget, forget


def uniform_gate(key: Key, size: int, dtype: str = "float32") -> Array:
    """Biases ``[size]`` of a gate that is then uniform in [1/size, 1 - 1/size] where its inputs are zero.

    Gu et al. 2020, "Improving the Gating Mechanism of Recurrent Neural Networks", section 3.2: ``b = -log(1/u - 1)``.
    """
    margin = 1.0 / max(size, 3)
    u = jax.random.uniform(key, (size,), dtype, minval=margin, maxval=1.0 - margin)
    return -jnp.log(1.0 / u - 1.0)


def dense(
    key: Key,
    input_size: int,
    hidden_size: int,
    gates: int,
    *,
    recurrent: Initializer = orthogonal,
    dtype: str = "float32",
) -> DenseParams:
    """Parameters of a cell with ``gates`` gates: Glorot input weights, orthogonal recurrent weights, zero bias."""
    positive("input_size", input_size)
    key_x, key_h = jax.random.split(key)
    return DenseParams(
        w_x=per_gate(glorot, key_x, (input_size, hidden_size), gates, dtype),
        w_h=per_gate(recurrent, key_h, (hidden_size, hidden_size), gates, dtype),
        b=jnp.zeros(gates * hidden_size, dtype=dtype),
    )
