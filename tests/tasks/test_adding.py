"""The adding task: its form, its statistics, its trivial score."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax.tasks import adding


@pytest.mark.parametrize("length", [2, 3, 10, 11])
def test_one_marker_in_each_half_and_the_target_is_the_marked_sum(length):
    inputs, targets = adding.sample(jax.random.key(0), length=length, batch_size=64)
    assert inputs.shape == (length, 64, 2)
    assert targets.shape == (64,)
    assert inputs.dtype == targets.dtype == jnp.float32
    values, markers = np.asarray(inputs[..., 0]), np.asarray(inputs[..., 1])
    half = length // 2
    assert set(np.unique(markers)) <= {0.0, 1.0}
    np.testing.assert_array_equal(markers[:half].sum(axis=0), 1)
    np.testing.assert_array_equal(markers[half:].sum(axis=0), 1)
    np.testing.assert_allclose((values * markers).sum(axis=0), targets, rtol=1e-6)


def test_statistics():
    length, rows = 6, 20_000
    inputs, targets = adding.sample(jax.random.key(1), length=length, batch_size=rows)
    values, markers = np.asarray(inputs[..., 0]), np.asarray(inputs[..., 1])
    assert 0 <= values.min() < 0.001
    assert 0.999 < values.max() < 1
    # Every position of a half is marked equally often, and first and second marker know nothing of each other.
    np.testing.assert_allclose(markers.mean(axis=1), 1 / 3, atol=0.015)
    pairs = markers[:3] @ markers[3:].T / rows
    np.testing.assert_allclose(pairs, 1 / 9, atol=0.01)
    # Always answering 1: five standard errors of the mean of 20,000 squares.
    assert np.mean((np.asarray(targets) - 1) ** 2) == pytest.approx(adding.TRIVIAL_MSE, abs=0.007)
    assert np.mean(targets) == pytest.approx(1, abs=0.015)


def test_a_key_stands_for_its_sequences_jitted_or_not():
    draw = jax.jit(adding.sample, static_argnames=("length", "batch_size"))
    here = adding.sample(jax.random.key(2), length=9, batch_size=4)
    there = draw(jax.random.key(2), length=9, batch_size=4)
    np.testing.assert_array_equal(here[0], there[0])
    np.testing.assert_allclose(here[1], there[1], rtol=1e-6)
    other = adding.sample(jax.random.key(3), length=9, batch_size=4)
    assert not np.array_equal(here[0], other[0])


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ({"length": 1, "batch_size": 4}, "length must be at least 2, one step for each of the two markers, got 1"),
        ({"length": 0, "batch_size": 4}, "length must be a whole number"),
        ({"length": 2.5, "batch_size": 4}, "length must be a whole number"),
        ({"length": 4, "batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
    ],
)
def test_impossible_sizes_are_refused(sizes, sentence):
    with pytest.raises(ValueError, match=sentence):
        adding.sample(jax.random.key(0), **sizes)
