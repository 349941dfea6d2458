"""Arrays by name: what every converter reads, checks and writes."""

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
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


def require_cell(cell: Any) -> None:
    """Refuse what is not a cell's instance: most often its class, or arguments that are swapped."""
    if isinstance(cell, type):
        raise TypeError(f"pass a cell, such as LSTM(64), not its class, got {cell.__name__}.")
    if not isinstance(cell, Cell):
        raise TypeError(f"pass a cell, such as LSTM(64), first, got {type(cell).__name__}.")


def brief(cell: Any) -> str:
    """A cell, or a tuple of cells, in few words: of its settings those that are not the defaults."""
    if isinstance(cell, tuple):
        return f"({', '.join(map(brief, cell))}{',' * (len(cell) == 1)})"
    if not isinstance(cell, Cell) or not is_dataclass(cell):
        return repr(cell)
    told = []
    for f in fields(cell):
        value = getattr(cell, f.name)
        default = f.default if f.default_factory is MISSING else f.default_factory()
        if f.init and (default is MISSING or value != default):
            told.append(brief(value) if default is MISSING and not f.kw_only else f"{f.name}={brief(value)}")
    return f"{type(cell).__name__}({', '.join(told)})"


def check_entries(whose: str, cell: Cell, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Refuse ``found`` unless it has the names and shapes of ``expected``; both map names to what has a ``shape``.

    Numbers that a real parameter cannot hold are refused, too: a cast would drop the imaginary part.
    """
    both = [(name, found[name], like) for name, like in expected.items() if name in found]
    told = {
        "lacks": [f"{name} {_shape(like)}" for name, like in expected.items() if name not in found],
        "has, not expected,": [f"{name} {_shape(array)}" for name, array in found.items() if name not in expected],
        "has": [
            f"{name} {_shape(array)} where {_shape(like)} is needed"
            for name, array, like in both
            if np.shape(array) != tuple(like.shape)
        ],
    }
    if any(told.values()):
        wrong = "; ".join(f"{verb} {', '.join(names)}" for verb, names in told.items() if names)
        raise ValueError(
            f"{whose} {wrong}, for {brief(cell)}: its kind, its settings and the input size must be those that the "
            "arrays were made with."
        )
    cast = [f"{name} of dtype {_dtype(array)}" for name, array, like in both if _is_float(like) and not _is_real(array)]
    if cast:
        raise ValueError(f"{whose} has {', '.join(cast)} where real numbers are needed, for {brief(cell)}.")


def check_params(cell: Cell, params: Params, input_size: int | None = None) -> None:
    """Refuse parameters that ``cell.init(key, input_size)`` would not make; None: of the size that they show."""
    like = shapes_of(cell, input_size_of(params) if input_size is None else input_size)
    found, expected = named(params), named(like)
    # A dict may have the same names.
    if found.keys() == expected.keys() and jax.tree.structure(params) != jax.tree.structure(like):
        raise ValueError(
            f"params have the right names in other containers, {_kind(params)} where {_kind(like)} is needed, for "
            f"{brief(cell)}: put them in what cell.init returns, or read them with load_params."
        )
    check_entries("params", cell, found, expected)


def input_size_of(params: Params) -> int:
    """The input size that the first leaf with two axes or more shows; 1 where there is none."""
    return max(1, next((np.shape(leaf)[-2] for leaf in jax.tree.leaves(params) if np.ndim(leaf) > 1), 1))


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


def levels_above(name: str, entries: Iterable[str]) -> list[str]:
    """Where deeper in a tree an entry called ``name`` lies, as keys to reach it: ``["params"]["cell"]``."""
    above = [found.removesuffix(f".{name}") for found in entries if found.endswith(f".{name}")]
    return ["".join(f'["{key}"]' for key in path.split(".")) for path in above]


def _shape(array: Any) -> str:
    return str(list(np.shape(array)))


def _dtype(array: Any) -> Any:
    return array.dtype if hasattr(array, "dtype") else np.asarray(array).dtype


def _is_float(array: Any) -> bool:
    return jnp.issubdtype(_dtype(array), jnp.floating)


def _is_real(array: Any) -> bool:
    return any(jnp.issubdtype(_dtype(array), kind) for kind in (jnp.floating, jnp.integer, jnp.bool_))


def _kind(tree: Any) -> str:
    """The containers of a tree, from the outside in, each once."""
    kinds: dict[str, None] = {}

    def see(node: Any) -> bool:
        if not jax.tree_util.all_leaves([node]) and node is not None:
            kinds[type(node).__name__] = None
        return False

    jax.tree.leaves(tree, is_leaf=see)
    return " of ".join(kinds)
