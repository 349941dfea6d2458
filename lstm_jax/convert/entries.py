"""Arrays by name: what every converter reads, checks and writes."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax.cell import Array, Cell, Params


def named(tree: Any) -> dict[str, Any]:
    """The leaves of a pytree by their dotted names, such as ``layers.0.w_x``; a lone leaf is called ``value``."""
    entries: dict[str, Any] = {}
    for path, leaf in jax.tree.flatten_with_path(tree)[0]:
        name = jax.tree_util.keystr(path, simple=True, separator=".") or "value"
        if name in entries:
            raise ValueError(f"Two leaves of the tree are called {name!r}: a key of a dict must not hold a dot.")
        entries[name] = leaf
    return entries


def check_entries(whose: str, cell: Cell, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Refuse ``found`` unless it has the names and shapes of ``expected``; both map names to what has a ``shape``."""
    missing = [f"{name} {_shape(expected[name])}" for name in expected if name not in found]
    extra = [f"{name} {_shape(found[name])}" for name in found if name not in expected]
    if missing or extra:
        told = [f"missing: {', '.join(missing)}"] * bool(missing) + [f"not expected: {', '.join(extra)}"] * bool(extra)
        raise ValueError(f"{whose} does not hold the entries of {cell!r}; {'; '.join(told)}.")
    for name, like in expected.items():
        if np.shape(found[name]) != tuple(like.shape):
            raise ValueError(
                f"{whose} has {name} {_shape(found[name])} where {cell!r} needs {_shape(like)}: "
                "the cell's settings must be those that the arrays were made with."
            )


def check_params(cell: Cell, params: Params, input_size: int) -> None:
    """Refuse parameters that ``cell.init(key, input_size)`` would not make."""
    check_entries("params", cell, named(params), named(shapes_of(cell, input_size)))


def shapes_of(cell: Cell, input_size: int) -> Params:
    """The structure, shapes and dtypes of ``cell.init(key, input_size)``, without drawing anything."""
    return jax.eval_shape(lambda: cell.init(jax.random.key(0), input_size))


def shape(*sizes: int) -> jax.ShapeDtypeStruct:
    """What an entry must look like, for `check_entries`."""
    return jax.ShapeDtypeStruct(sizes, np.float32)


def own(cell: Cell, array: np.ndarray) -> Array:
    """An array as a parameter of ``cell``, in its ``param_dtype``."""
    return jnp.asarray(np.asarray(array), cell.param_dtype)


def plain(array: Any) -> np.ndarray:
    """A contiguous NumPy array of one's own; bfloat16 becomes float32, which holds it exactly and others can read."""
    array = np.asarray(array)
    return np.array(array, "float32" if array.dtype == jnp.bfloat16 else array.dtype, order="C")


def swap(array: np.ndarray) -> np.ndarray:
    """With the first two of three gates, on the last axis, exchanged."""
    first, second, third = np.split(array, 3, axis=-1)
    return np.concatenate([second, first, third], axis=-1)


def refuse_bias(name: str, array: Any, where: str) -> None:
    """Refuse to drop numbers that are not zero."""
    if np.any(np.asarray(array) != 0):
        raise ValueError(f"params have a {name} that is not zero, and {where} has no place for it.")


def _shape(array: Any) -> str:
    return str(list(np.shape(array)))
