"""Cutting time into chunks. A chunk's ``[K, *batch, G*H]`` stays in cache, and one chunk at a time is rematerialised.

``T`` need not divide by the chunk: the steps left over run once more through the same code, after the scan over whole
chunks (before it, in reverse). A value cut this way is a pair ``(whole [N, K, ...], rest [T - N*K, ...])``.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Pieces = tuple[Any, Any]
"""The whole chunks stacked, and the rest; either is None where there is none."""

CACHE_BYTES = 650_000
"""Pre-activations of one chunk that stay in a core's cache: the best chunks measured on a CPU all lie near it."""


def auto_chunk(steps: int, step_bytes: int, weight_bytes: int, remat: bool, platform: str) -> int:
    """The chunk length for ``chunk="auto"``.

    On a CPU a chunk's pre-activations fill the cache, or match the recurrent weights where those are larger: each
    chunk adds once to the weights' gradient, which must not cost more than the chunk itself. On accelerators a chunk
    only adds launches, so there is one. Rematerialisation holds one chunk and every boundary: sqrt(T) balances them.
    """
    if platform != "cpu":
        return max(1, math.isqrt(steps)) if remat else max(1, steps)
    chunk = max(CACHE_BYTES, weight_bytes) // max(1, step_bytes)
    if remat:
        chunk = min(chunk, 2 * math.isqrt(steps))
    return min(max(4, chunk), max(1, steps))


def cut(tree: Any, steps: int, chunk: int) -> Pieces:
    """Cut the leading axis, of length ``steps``, of every leaf into whole chunks and the rest, a chunk of its own."""
    n = steps // chunk if chunk < steps else 0
    rest = steps - n * chunk
    whole = None if n == 0 else jax.tree.map(lambda x: x[: n * chunk].reshape(n, chunk, *x.shape[1:]), tree)
    return whole, None if rest == 0 and n else jax.tree.map(lambda x: x[None, n * chunk :], tree)


def paste(pieces: Pieces) -> Any:
    """Undo `cut`."""
    flat = [
        jax.tree.map(lambda x: x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]), piece)
        for piece in pieces
        if piece is not None
    ]
    return flat[0] if len(flat) == 1 else jax.tree.map(lambda *parts: jnp.concatenate(parts), *flat)


def each(function: Callable[..., Any], *values: Pieces) -> Pieces:
    """Apply ``function`` to the whole chunks, and to the rest."""
    whole, rest = (None if piece[0] is None else function(*piece) for piece in zip(*values, strict=True))
    return whole, rest


def scan_pieces(
    run: Callable[[Any, Any], tuple[Any, Any]], carry: Any, pieces: Pieces, *, reverse: bool
) -> tuple[Any, Pieces]:
    """``run(carry, chunks) -> (carry, out)`` over the whole chunks and the rest in the order of time, or against it."""
    whole, rest = pieces
    whole_out = rest_out = None
    if reverse and rest is not None:
        carry, rest_out = run(carry, rest)
    if whole is not None:
        carry, whole_out = run(carry, whole)
    if not reverse and rest is not None:
        carry, rest_out = run(carry, rest)
    return carry, (whole_out, rest_out)
