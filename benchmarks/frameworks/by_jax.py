"""What the frameworks on JAX have in common."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.cases import Case
from benchmarks.frameworks import Timed

Gradients = Callable[[Any], list[dict[str, Any]]]


def timed(
    case: Case, apply: Callable[[Any, jax.Array], jax.Array], params: Any, xs: jax.Array, ours: Gradients
) -> Timed:
    """``apply(params, xs)`` gives the outputs ``[T, B, F]``; ``ours`` sorts gradients like params into our layout."""
    if case.mode == "forward":
        forward = jax.jit(apply)
        return Timed(
            lambda: forward(params, xs).block_until_ready(), lambda: {"outputs": np.asarray(forward(params, xs))}
        )

    step = jax.jit(jax.value_and_grad(lambda params, xs: jnp.mean(jnp.square(apply(params, xs)))))
    outputs = jax.jit(apply)

    def result() -> dict[str, np.ndarray]:
        found = {"outputs": outputs(params, xs)}
        for number, part in enumerate(ours(step(params, xs)[1])):
            found |= {f"{name}.{number}": leaf for name, leaf in part.items()}
        return {name: np.asarray(leaf) for name, leaf in found.items()}

    return Timed(lambda: jax.block_until_ready(step(params, xs)), result)
