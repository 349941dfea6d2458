"""The copy task: read a few symbols, wait, and write them down in order.

Hochreiter and Schmidhuber (1997), "Long Short-Term Memory", posed tasks of this kind; the form is that of Arjovsky,
Shah and Bengio (2016), "Unitary Evolution Recurrent Neural Networks", section 5.2: S symbols out of K, then a delay of
T steps of which the last one shows a delimiter, then S blanks during which the symbols are asked for. At all steps
before, the answer is blank.
"""

import math

import jax
import jax.numpy as jnp

from lstm_jax.options import positive


def sample(
    key: jax.Array, *, delay: int, num_symbols: int, sequence_length: int, batch_size: int
) -> tuple[jax.Array, jax.Array]:
    """Draw sequences of the copy task. Pure: the same key gives the same sequences, inside `jax.jit` or not.

    Args:
        key: a typed key of `jax.random.key`.
        delay: T, steps between the last symbol shown and the first one asked for, at least 1.
        num_symbols: K, how many symbols there are to choose from, at least 2.
        sequence_length: S, how many symbols are to be copied, at least 1.
        batch_size: B, how many sequences.

    Returns:
        ``inputs [T + 2S, B, K + 2]``, float32, one-hot: 0 is blank, 1...K are the symbols, K + 1 is the delimiter; and
        ``targets [T + 2S, B]``, int32: 0, and the symbols at the last S steps.

    Raises:
        ValueError: a size is no whole number or too small.
    """
    check_sizes(delay=delay, num_symbols=num_symbols, sequence_length=sequence_length)
    positive("batch_size", batch_size)
    symbols = jax.random.randint(key, (sequence_length, batch_size), 1, num_symbols + 1)
    blank = jnp.zeros((delay - 1, batch_size), symbols.dtype)
    delimiter = jnp.full((1, batch_size), num_symbols + 1, symbols.dtype)
    inputs = jnp.concatenate([symbols, blank, delimiter, jnp.zeros_like(symbols)])
    targets = jnp.concatenate([jnp.zeros((delay + sequence_length, batch_size), symbols.dtype), symbols])
    return jax.nn.one_hot(inputs, num_symbols + 2, dtype=jnp.float32), targets


def trivial_loss(*, delay: int, num_symbols: int, sequence_length: int) -> float:
    """Cross-entropy in nats a step, ``S ln K / (T + 2S)``, of blank before and any symbol alike at the last S steps."""
    return sequence_length * math.log(num_symbols) / (delay + 2 * sequence_length)


def check_sizes(*, delay: int, num_symbols: int, sequence_length: int) -> None:
    """Refuse sizes that the task cannot have."""
    positive("delay", delay)
    positive("sequence_length", sequence_length)
    if positive("num_symbols", num_symbols) < 2:
        raise ValueError(f"num_symbols must be at least 2, or there is nothing to remember; got {num_symbols}.")
