"""What the property tests share: a sequence, and everything that a run of it determines."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax import Cell, unroll

T, B, D = 9, 3, 5
LENGTHS = (0, 5, 9)
KEY = 7


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def sequence(cell: Cell, batch: tuple[int, ...] = (B,), steps: int = T, dtype: str = "float64") -> tuple[Any, Any, Any]:
    """Parameters, inputs ``[steps, *batch, D]`` and a state that is not the initial one."""
    params = cell.init(jax.random.key(1), D)
    xs = jax.random.normal(jax.random.key(2), (steps, *batch, D), dtype)
    leaves, treedef = jax.tree.flatten(cell.initial_state(params, batch))
    keys = jax.random.split(jax.random.key(3), len(leaves))
    return params, xs, treedef.unflatten([_move(leaf, key) for leaf, key in zip(leaves, keys, strict=True)])


def _move(leaf: jax.Array, key: jax.Array) -> jax.Array:
    if not jnp.issubdtype(leaf.dtype, jnp.floating):
        return leaf
    return leaf + jax.random.normal(key, leaf.shape, leaf.dtype) / 3


def filled(like: Any) -> Any:
    """Arrays of the shapes and dtypes of ``like``, all numbers different; NumPy's, so that nothing is compiled."""
    rng = np.random.default_rng(11)
    return jax.tree.map(lambda leaf: jnp.asarray((rng.normal(size=leaf.shape) / 2).astype(leaf.dtype)), like)


def filled_params(cell: Cell, input_size: int = D) -> Any:
    """Parameters of ``cell`` that are all different, biases too."""
    return filled(jax.eval_shape(lambda: cell.init(jax.random.key(0), input_size)))


def mask(batch: tuple[int, ...] = (B,), steps: int = T) -> jax.Array:
    """An arbitrary pattern of steps that count."""
    return jax.random.bernoulli(jax.random.key(5), 0.6, (steps, *batch))


def resets(batch: tuple[int, ...] = (B,), steps: int = T) -> jax.Array:
    """An arbitrary pattern of resets, the first step among them."""
    return jax.random.bernoulli(jax.random.key(6), 0.3, (steps, *batch)).at[0, ...].set(True)


def weigh(tree: Any) -> jax.Array:
    """A scalar that depends on every element of every inexact leaf, each in its own way."""
    total = jnp.zeros(())
    for leaf in jax.tree.leaves(tree):
        if jnp.issubdtype(leaf.dtype, jnp.floating):
            weights = jnp.cos(jnp.arange(leaf.size, dtype=leaf.dtype)).reshape(leaf.shape)
            total = total + jnp.sum(weights * leaf + 0.3 * leaf * leaf).astype(total.dtype)
    return total


def outcome(cell: Cell, params: Any, xs: jax.Array, state: Any, **options: Any) -> dict[str, Any]:
    """Outputs, last state, and the gradients of a scalar of both for parameters, inputs and state."""
    static = {k: v for k, v in options.items() if not hasattr(v, "shape")}
    return _outcome(
        cell, tuple(sorted(static.items())), params, xs, state, {k: options[k] for k in options.keys() - static}
    )


@partial(jax.jit, static_argnums=(0, 1))
def _outcome(cell, static, params, xs, state, arrays):
    def scalar(params, xs, state):
        outputs, last = unroll(cell, params, xs, state, **dict(static), **arrays)
        return weigh((outputs, last)), (outputs, last)

    gradients, (outputs, last) = jax.grad(scalar, argnums=(0, 1, 2), has_aux=True, allow_int=True)(params, xs, state)
    d_params, d_xs, d_state = jax.tree.map(lambda g: None if g.dtype == jax.dtypes.float0 else g, gradients)
    return {"outputs": outputs, "last": last, "d_params": d_params, "d_xs": d_xs, "d_state": d_state}


def assert_equal(got: Any, expected: Any, rtol: float = 1e-9, atol: float = 1e-12) -> None:
    """Leaf by leaf, with the leaf's name where they differ; the absolute part is for exact zeros."""
    got_leaves, got_tree = jax.tree.flatten_with_path(got)
    expected_leaves, expected_tree = jax.tree.flatten_with_path(expected)
    assert got_tree == expected_tree
    for (path, g), (_, e) in zip(got_leaves, expected_leaves, strict=True):
        scale = atol + rtol * float(np.max(np.abs(np.asarray(e, np.float64)), initial=0.0))
        np.testing.assert_allclose(
            np.asarray(g), np.asarray(e), rtol=rtol, atol=scale, err_msg=jax.tree_util.keystr(path)
        )
