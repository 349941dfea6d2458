"""Reverse mode over pytrees that also hold integers, booleans and keys: those leaves have no gradient."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from lstm_jax.cell import Array
from lstm_jax.driver.dependence import looked_at

Leaves = list[Array]


def is_inexact(leaf: Any) -> bool:
    """Whether a leaf can have a gradient."""
    return jnp.issubdtype(leaf.dtype, jnp.inexact)


def split(tree: Any) -> tuple[Leaves, Leaves, Callable[[Leaves, Leaves], Any]]:
    """The leaves that can have a gradient, the others, and the function that puts the tree together again."""
    leaves, treedef = jax.tree.flatten(tree)
    where = [is_inexact(leaf) for leaf in leaves]

    def join(inexact: Leaves, exact: Leaves) -> Any:
        sources = iter(inexact), iter(exact)
        return treedef.unflatten([next(sources[0] if w else sources[1]) for w in where])

    inexact = [leaf for leaf, w in zip(leaves, where, strict=True) if w]
    exact = [leaf for leaf, w in zip(leaves, where, strict=True) if not w]
    return inexact, exact, join


def vjp(function: Callable[..., Any], *args: Any) -> tuple[Any, Callable[[Leaves], tuple[Leaves, ...]]]:
    """`jax.vjp` with respect to the inexact leaves of ``args``.

    Returns the output, and a function from cotangents of the output's inexact leaves to those of each argument's.
    """
    parts = [split(arg) for arg in args]

    def of_inexact(*inexact: Leaves) -> tuple[Leaves, Any]:
        out = function(*(join(diff, rest) for diff, (_, rest, join) in zip(inexact, parts, strict=True)))
        return split(out)[0], out

    _, pull, out = jax.vjp(of_inexact, *(diff for diff, _, _ in parts), has_aux=True)
    return out, pull


def vjp_of_used(function: Callable[..., Any], *args: Any) -> Callable[[Leaves], tuple[list[Array | None], ...]]:
    """The second result of `vjp`, with None for the cotangent of a leaf that ``function`` does not look at.

    A zero would be written, read and added like any other number.
    """
    leaves = zip(jax.tree.leaves(args), looked_at(function, *args), strict=True)
    flags = iter([is_used for leaf, is_used in leaves if is_inexact(leaf)])
    where = [[next(flags) for _ in split(arg)[0]] for arg in args]
    _, pull = vjp(function, *args)

    def pull_used(cotangents: Leaves) -> tuple[list[Array | None], ...]:
        pulled = zip(pull(cotangents), where, strict=True)
        return tuple([d if is_used else None for d, is_used in zip(*pair, strict=True)] for pair in pulled)

    return pull_used


def add(left: Leaves, right: Sequence[Array | None]) -> Leaves:
    """Leaf by leaf sum of two lists of cotangents; None adds nothing."""
    return [a if b is None else a + b for a, b in zip(left, right, strict=True)]


def zeros_like(leaves: Leaves) -> Leaves:
    """A zero for every leaf."""
    return [jnp.zeros_like(leaf) for leaf in leaves]
