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
    "hard_sigmoid": jax.nn.hard_sigmoid,
    "hard_tanh": jax.nn.hard_tanh,
    "softsign": jax.nn.soft_sign,
    "silu": jax.nn.silu,
    "gelu": jax.nn.gelu,
    "identity": lambda x: x,
}


def activation(name: str) -> Callable[[Array], Array]:
    """The function called ``name``; an unknown name is refused with the nearest one."""
    return ACTIVATIONS[one_of("activation", name, ACTIVATIONS)]
