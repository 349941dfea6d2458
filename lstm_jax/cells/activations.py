"""Activation functions that a cell's settings can name."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from lstm_jax.cell import Array
from lstm_jax.options import one_of

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "relu": jax.nn.relu,
    "leaky_relu": jax.nn.leaky_relu,
    "elu": jax.nn.elu,
    "hard_sigmoid": jax.nn.hard_sigmoid,
    "hard_tanh": jax.nn.hard_tanh,
    "softsign": jax.nn.soft_sign,
    "softplus": jax.nn.softplus,
    "silu": jax.nn.silu,
    "gelu": jax.nn.gelu,
    "identity": lambda x: x,
}


def activation(name: str) -> Callable[[Array], Array]:
    """The function called ``name``; an unknown name is refused with the nearest one."""
    return ACTIVATIONS[one_of("activation", name, ACTIVATIONS)]


@jax.custom_jvp
def once(x: Array) -> Array:
    """``x``, computed once however often it is used.

    XLA's fusion on the CPU computes what it fuses again for every use, transcendental functions included. Put this
    around the gates of a cell; several are cheapest as one concatenated array.
    """
    return jax.lax.optimization_barrier(x)


@once.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    # Tangents and cotangents are used once anyhow, and may be fused.
    return once(primals[0]), tangents[0]
