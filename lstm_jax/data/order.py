"""Shuffled order without a list of it: where a row stands is computed from its position, inside `jax.jit` or not.

The permutation is a Feistel network, which permutes the numbers of an even count of bits; a result beyond the range
goes through it again ("cycle walking": Black and Rogaway, 2002, "Ciphers with Arbitrary Finite Domains"). It is for
training, not for secrets.
"""

import jax
import jax.numpy as jnp
from jax import lax

from lstm_jax.options import positive

_ROUNDS = 8  # four make a cipher of wide halves; with halves of one or two bits, eight come near all permutations
_MOST = 2**31 - 1


def shuffled(key: jax.Array, n: int, positions: jax.Array) -> jax.Array:
    """Entries of a pseudo-random permutation of ``range(n)``; time and memory grow with the positions, not with n.

    Args:
        key: a typed key of `jax.random.key`: it stands for the permutation.
        n: how many there are, 1 to 2^31 - 1; static.
        positions: whole numbers of any shape, 0 <= position < n; others are taken for the nearest of these.

    Returns:
        int32, the shape of ``positions``: the permutation at them.

    Raises:
        ValueError: ``n`` is no whole number or out of range.
    """
    _size(n)
    return _permuted(_round_keys(key), n, jnp.clip(positions, 0, n - 1).astype(jnp.uint32))


def epoch_rows(key: jax.Array, step: jax.Array | int, n: int, batch_size: int) -> jax.Array:
    """Rows of the batch of a step: each epoch visits each of n rows once, in an order of its own. No state is kept.

    Batches run over the end of an epoch: with p = step * batch_size + 0, 1, ..., the epoch is p // n and the row
    ``shuffled(fold_in(key, epoch), n, p % n)``. This is exact for every step and n below 2^31, though p is far above;
    only the epoch's number is taken modulo 2^32.

    Args:
        key: a typed key, the same in all steps.
        step: from 0; may be traced.
        n: how many rows; static.
        batch_size: B; static, may be greater than n.

    Returns:
        int32 ``[B]``, each 0 <= row < n.

    Raises:
        ValueError: ``n`` or ``batch_size`` is no whole number or out of range.
    """
    _size(n)
    positive("batch_size", batch_size)
    epoch, first = _product_divmod(jnp.asarray(step).astype(jnp.uint32), batch_size, n)
    # Both are below 2^31, so the sum fits.
    places = first + jnp.arange(batch_size, dtype=jnp.uint32)
    later, places = places // jnp.uint32(n), places % jnp.uint32(n)
    epochs = epoch + jnp.arange((n + batch_size - 2) // n + 1, dtype=jnp.uint32)
    keys = jax.vmap(lambda epoch: _round_keys(jax.random.fold_in(key, epoch)))(epochs)
    return _permuted(keys[later.astype(jnp.int32)].T, n, places)


def _size(n: int) -> None:
    if positive("n", n) > _MOST:
        raise ValueError(f"n must be at most 2^31 - 1, which int32 can count, got {n}.")


def _round_keys(key: jax.Array) -> jax.Array:
    return jax.random.bits(key, (_ROUNDS + 1,), jnp.uint32)


def _permuted(round_keys: jax.Array, n: int, positions: jax.Array) -> jax.Array:
    """Entries of the permutations of ``round_keys`` (uint32 ``[rounds + 1]``; with ``*positions`` behind, one each)."""
    half = max(1, ((n - 1).bit_length() + 1) // 2)
    shift, mask = jnp.uint32(half), jnp.uint32(2**half - 1)

    def network(x: jax.Array) -> jax.Array:
        # Rounds on halves of two bits or more are even permutations: in half of the keys 0 and 1 change places first.
        x = jnp.where(x < jnp.uint32(2), x ^ (round_keys[_ROUNDS] & jnp.uint32(1)), x)
        left, right = x >> shift, x & mask
        for number in range(_ROUNDS):
            left, right = right, left ^ (_mixed(right + round_keys[number]) & mask)
        return left << shift | right

    def outside(x: jax.Array) -> jax.Array:
        return (x >= jnp.uint32(n)).any()

    def again(x: jax.Array) -> jax.Array:
        return jnp.where(x >= jnp.uint32(n), network(x), x)

    # It ends: the network is a permutation, so from a position below n the walk comes back below n.
    return lax.while_loop(outside, again, network(positions)).astype(jnp.int32)


def _mixed(x: jax.Array) -> jax.Array:
    """The finalizer of MurmurHash3: each bit of x changes each bit of the result with a probability near 1/2."""
    x = (x ^ x >> jnp.uint32(16)) * jnp.uint32(0x85EBCA6B)
    x = (x ^ x >> jnp.uint32(13)) * jnp.uint32(0xC2B2AE35)
    return x ^ x >> jnp.uint32(16)


def _product_divmod(step: jax.Array, factor: int, n: int) -> tuple[jax.Array, jax.Array]:
    """``divmod(step * factor, n)`` for a uint32 step below 2^31, where the product would not fit.

    Long multiplication, a digit of the step at a time from the highest. A digit has as many bits as can be shifted into
    a remainder below n without leaving 32 bits.
    """
    whole, part = divmod(factor, n)
    bits = 32 - n.bit_length()
    size, base, mask = jnp.uint32(n), jnp.uint32(2**bits), jnp.uint32(2**bits - 1)
    quotient, rest = jnp.zeros_like(step), jnp.zeros_like(step)
    for shift in reversed(range(0, 31, bits)):
        digit = step >> jnp.uint32(shift) & mask
        quotient, rest = quotient * base + (rest * base) // size, (rest * base) % size
        rest = rest + digit * jnp.uint32(part)
        quotient = quotient + digit * jnp.uint32(whole % 2**32) + rest // size
        rest = rest % size
    return quotient, rest
