"""The copy task: its layout, its statistics, its trivial score."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax.tasks import copy_memory

SIZES = {"delay": 3, "num_symbols": 4, "sequence_length": 2}


def _sample(seed, batch_size, **sizes):
    return map(np.asarray, copy_memory.sample(jax.random.key(seed), batch_size=batch_size, **sizes))


@pytest.mark.parametrize(("delay", "symbols", "length"), [(1, 2, 1), (1, 3, 4), (5, 2, 1), (7, 8, 10)])
def test_the_layout_step_by_step(delay, symbols, length):
    inputs, targets = _sample(0, 16, delay=delay, num_symbols=symbols, sequence_length=length)
    steps = delay + 2 * length
    assert inputs.shape == (steps, 16, symbols + 2) and inputs.dtype == jnp.float32
    assert targets.shape == (steps, 16) and targets.dtype == jnp.int32
    assert set(np.unique(inputs)) == {0.0, 1.0}
    np.testing.assert_array_equal(inputs.sum(axis=-1), 1)
    for row in range(16):
        shown = [int(np.flatnonzero(inputs[step, row])[0]) for step in range(steps)]
        symbols_shown = shown[:length]
        assert all(1 <= symbol <= symbols for symbol in symbols_shown)
        assert shown[length:] == [0] * (delay - 1) + [symbols + 1] + [0] * length
        assert list(targets[:, row]) == [0] * (delay + length) + symbols_shown
        for place, symbol in enumerate(symbols_shown):  # asked for T + S steps after it was shown
            assert targets[place + delay + length, row] == symbol


def test_statistics():
    """Every symbol is as frequent at every place, and places know nothing of each other: five standard errors."""
    _, targets = _sample(1, 20_000, delay=1, num_symbols=4, sequence_length=3)
    symbols = targets[-3:]
    shares = np.array([[np.mean(place == symbol) for symbol in range(1, 5)] for place in symbols])
    np.testing.assert_allclose(shares, 1 / 4, atol=0.0155)
    for one, other in [(0, 1), (0, 2), (1, 2)]:
        pairs = np.histogram2d(symbols[one], symbols[other], bins=4)[0] / 20_000
        np.testing.assert_allclose(pairs, 1 / 16, atol=0.0086)


@pytest.mark.parametrize("sizes", [SIZES, {"delay": 20, "num_symbols": 8, "sequence_length": 10}])
def test_the_trivial_loss_is_that_of_blank_and_then_the_symbols_frequencies(sizes):
    """Nothing but the step is known: the best answer is how often each class occurs there, counted in other data."""
    classes = sizes["num_symbols"] + 1
    _, seen = _sample(2, 20_000, **sizes)
    _, targets = _sample(3, 20_000, **sizes)
    frequencies = np.stack([(seen == label).mean(axis=1) for label in range(classes)], axis=-1)
    probabilities = np.take_along_axis(frequencies, targets, axis=-1)
    assert -np.log(probabilities).mean() == pytest.approx(copy_memory.trivial_loss(**sizes), rel=2e-3)


def test_a_key_stands_for_its_sequences_jitted_or_not():
    draw = jax.jit(lambda key: copy_memory.sample(key, batch_size=8, **SIZES))
    here = copy_memory.sample(jax.random.key(2), batch_size=8, **SIZES)
    there, other = draw(jax.random.key(2)), draw(jax.random.key(3))
    for one, same in zip(here, there, strict=True):
        np.testing.assert_array_equal(one, same)
    assert not np.array_equal(here[1], other[1])


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ({"delay": 0}, "delay must be a whole number of at least 1, got 0"),
        ({"delay": 2.5}, "delay must be a whole number of at least 1, got 2.5"),
        ({"sequence_length": 0}, "sequence_length must be a whole number of at least 1, got 0"),
        ({"num_symbols": 0}, "num_symbols must be a whole number of at least 1, got 0"),
        ({"num_symbols": 1}, "num_symbols must be at least 2, or there is nothing to remember; got 1"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
    ],
)
def test_impossible_sizes_are_refused(sizes, sentence):
    with pytest.raises(ValueError, match=sentence):
        copy_memory.sample(jax.random.key(0), **({**SIZES, "batch_size": 4} | sizes))
