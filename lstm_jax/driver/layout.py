"""How arrays lie in memory where matrix products read them.

The backward pass multiplies by transposed weights at every step, and by transposed states once a chunk. XLA's CPU
products are faster where the transposed array is what lies in memory. It is made once by `transposed`, and
handed to the cell by `stood_up` in the shape that the cell knows: XLA folds that second transposition into the product.
"""

from typing import Any

import jax

from lstm_jax.driver.inexact import is_inexact


def transposed(leaf: jax.Array) -> jax.Array:
    """A matrix, transposed in memory; any other array as it is."""
    return jax.lax.optimization_barrier(leaf.T) if _is_matrix(leaf) else leaf


def stood_up(tree: Any) -> Any:
    """Undo `transposed` for every leaf, but not in memory."""
    return jax.tree.map(lambda leaf: leaf.T if _is_matrix(leaf) else leaf, tree)


def merged(tree: Any) -> Any:
    """Leaves ``[K, B, ...]`` as ``[K*B, ...]``."""
    return jax.tree.map(lambda leaf: leaf.reshape(leaf.shape[0] * leaf.shape[1], *leaf.shape[2:]), tree)


def unmerged(tree: Any, shape: tuple[int, ...]) -> Any:
    """Undo `merged`, ``shape`` being ``(K, B)``."""
    return jax.tree.map(lambda leaf: leaf.reshape(*shape, *leaf.shape[1:]), tree)


def _is_matrix(leaf: jax.Array) -> bool:
    return leaf.ndim == 2 and is_inexact(leaf)
