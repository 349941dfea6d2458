"""The adding task: remember two marked numbers of a long sequence and give their sum.

Hochreiter and Schmidhuber (1997), "Long Short-Term Memory", section 5.4, in the form of Arjovsky, Shah and Bengio
(2016), "Unitary Evolution Recurrent Neural Networks", section 5.1: each step shows a value drawn uniformly from
[0, 1) and a marker; exactly two markers are 1, one in each half of the sequence, all others 0. The target is the sum of
the two marked values.
"""

import jax
import jax.numpy as jnp

from lstm_jax.options import positive

TRIVIAL_MSE = 1 / 6
"""Mean squared error of always answering 1: the variance of the sum of two uniform numbers, 2 * 1/12."""


def sample(key: jax.Array, *, length: int, batch_size: int) -> tuple[jax.Array, jax.Array]:
    """Draw sequences of the adding task. Pure: the same key gives the same sequences, inside `jax.jit` or not.

    Args:
        key: a typed key of `jax.random.key`.
        length: T, at least 2: one step for each marker. Of an odd length the second half is the longer one.
        batch_size: B, how many sequences.

    Returns:
        ``inputs [T, B, 2]`` (value, marker) and ``targets [B]``, both float32; targets lie in [0, 2).

    Raises:
        ValueError: ``length`` or ``batch_size`` is no whole number or too small.
    """
    check_length(length)
    positive("batch_size", batch_size)
    half = length // 2
    value_key, first_key, second_key = jax.random.split(key, 3)
    values = jax.random.uniform(value_key, (length, batch_size))
    first = jax.random.randint(first_key, (batch_size,), 0, half)
    second = jax.random.randint(second_key, (batch_size,), half, length)
    steps = jnp.arange(length)[:, None]
    markers = (steps == first) | (steps == second)
    rows = jnp.arange(batch_size)
    targets = values[first, rows] + values[second, rows]
    return jnp.stack([values, markers.astype(values.dtype)], axis=-1), targets


def check_length(length: int) -> int:
    """Return ``length`` if the task can have it, else raise ValueError."""
    if positive("length", length) < 2:
        raise ValueError(f"length must be at least 2, one step for each of the two markers, got {length}.")
    return length
