"""The copy task: laid out as the paper says, spelled out by a loop."""

import math

import jax
import numpy as np
import pytest

from lstm_jax.tasks import copy_memory

SIZES = {"delay": 4, "num_symbols": 3, "sequence_length": 2}


def test_layout():
    inputs, targets = copy_memory.sample(jax.random.key(0), batch_size=50, **SIZES)
    assert inputs.shape == (4 + 2 * 2, 50, 3 + 2)
    assert targets.shape == (8, 50)
    np.testing.assert_array_equal(np.sum(inputs, axis=-1), 1)
    shown = np.argmax(inputs, axis=-1)
    for row in range(50):
        symbols = shown[:2, row].tolist()
        assert set(symbols) <= {1, 2, 3}
        assert shown[2:, row].tolist() == [0, 0, 0, 4, 0, 0]
        assert targets[:, row].tolist() == [0, 0, 0, 0, 0, 0, *symbols]


def test_the_distance_between_a_symbol_and_its_copy_is_delay_and_length():
    inputs, targets = copy_memory.sample(jax.random.key(1), delay=7, num_symbols=8, sequence_length=5, batch_size=20)
    shown = np.argmax(inputs, axis=-1)
    np.testing.assert_array_equal(shown[:5], targets[7 + 5 :])


def test_symbols_are_drawn_alike_and_each_for_itself():
    _, targets = copy_memory.sample(jax.random.key(2), batch_size=20_000, **SIZES)
    first, second = targets[-2], targets[-1]
    together = np.bincount((first - 1) * 3 + second - 1, minlength=9) / 20_000
    np.testing.assert_allclose(together, 1 / 9, atol=4 * math.sqrt(1 / 9 * 8 / 9 / 20_000))


def test_pure_and_the_same_inside_jit():
    def draw(key):
        return copy_memory.sample(key, batch_size=5, **SIZES)

    for one, other in zip(draw(jax.random.key(3)), jax.jit(draw)(jax.random.key(3)), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(draw(jax.random.key(3))[1], draw(jax.random.key(4))[1])


def test_trivial_loss_is_what_the_trivial_predictor_pays():
    """Blank for sure until the end, then each symbol alike."""
    _, targets = copy_memory.sample(jax.random.key(0), batch_size=100, **SIZES)
    paid = np.zeros(targets.shape)
    for step, row in np.ndindex(*targets.shape):
        probability = np.array([1.0, 0, 0, 0]) if step < 6 else np.array([0, 1, 1, 1]) / 3
        paid[step, row] = -np.log(probability[targets[step, row]])
    assert copy_memory.trivial_loss(**SIZES) == pytest.approx(paid.mean())
    assert copy_memory.trivial_loss(delay=20, num_symbols=8, sequence_length=10) == pytest.approx(0.5199, abs=1e-4)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"delay": 0}, "delay must be a whole number of at least 1, got 0"),
        ({"num_symbols": 1}, "num_symbols must be at least 2, or there is nothing to remember; got 1"),
        ({"sequence_length": 2.5}, r"sequence_length must be a whole number of at least 1, got 2\.5"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
    ],
)
def test_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        copy_memory.sample(jax.random.key(0), **{**SIZES, "batch_size": 2, **wrong})
