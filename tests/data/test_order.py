"""Shuffled order: a permutation, a fair one, the same under jit; epochs that visit each row once."""

import math
from collections import Counter

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lstm_jax import data

SEEDS = st.integers(0, 2**31 - 1)
shuffled = jax.jit(data.shuffled, static_argnums=1)
epoch_rows = jax.jit(data.epoch_rows, static_argnums=(2, 3))


@hypothesis.settings(max_examples=6)
@given(n=st.integers(1, 700), seed=SEEDS)
@example(n=1, seed=0)
@example(n=2, seed=0)
@example(n=4, seed=0)
@example(n=5, seed=0)
@example(n=16, seed=1)
@example(n=17, seed=1)
@example(n=256, seed=2)
@example(n=257, seed=2)
def test_a_permutation(n, seed):
    order = shuffled(jax.random.key(seed), n, jnp.arange(n, dtype=jnp.int32))
    assert order.dtype == jnp.int32
    np.testing.assert_array_equal(np.sort(order), np.arange(n))


@pytest.mark.parametrize("n", [2**16 + 1, 2**20])
def test_a_large_permutation_leaves_nothing_where_it_was(n):
    order = np.asarray(shuffled(jax.random.key(0), n, jnp.arange(n)))
    np.testing.assert_array_equal(np.sort(order), np.arange(n))
    assert (order == np.arange(n)).sum() < 12  # of a random permutation 1 on average
    assert abs(np.corrcoef(order, np.arange(n))[0, 1]) < 5 / math.sqrt(n)
    assert (np.diff(order) == 1).sum() < 12  # neighbours part


@pytest.mark.parametrize("n", [2**31 - 1, 2**30, 2**30 + 1])
def test_the_largest_ranges(n):
    positions = jnp.array([0, 1, 2, n // 2, n - 2, n - 1], jnp.int32)
    order = np.asarray(shuffled(jax.random.key(0), n, positions))
    assert len(set(order.tolist())) == 6
    assert ((order >= 0) & (order < n)).all()


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_all_permutations_are_equally_frequent(n):
    draws = 12_000
    keys = jax.random.split(jax.random.key(n), draws)
    orders = np.asarray(jax.jit(jax.vmap(lambda key: data.shuffled(key, n, jnp.arange(n))))(keys))
    seen = Counter(map(tuple, orders.tolist()))
    kinds = math.factorial(n)
    expected = draws / kinds
    assert len(seen) == kinds
    square = sum((count - expected) ** 2 for count in seen.values()) / expected
    assert square < kinds - 1 + 5 * math.sqrt(2 * (kinds - 1))  # five standard deviations of chi-square


@pytest.mark.parametrize("n", [6, 16, 23])
def test_every_row_is_everywhere_equally_often(n):
    draws = 4000
    keys = jax.random.split(jax.random.key(n), draws)
    orders = np.asarray(jax.jit(jax.vmap(lambda key: data.shuffled(key, n, jnp.arange(n))))(keys))
    counts = np.stack([np.bincount(orders[:, place], minlength=n) for place in range(n)])
    square, freedom = ((counts - draws / n) ** 2).sum() / (draws / n), (n - 1) ** 2
    assert abs(square - freedom) < 5 * math.sqrt(2 * freedom)
    # Two neighbours as well: n (n - 1) pairs.
    pairs = np.bincount(orders[:, 0] * n + orders[:, 1], minlength=n * n)
    square, freedom = ((pairs - draws / n / (n - 1)) ** 2).sum() / (draws / n / (n - 1)), n * (n - 1) - 1
    square -= n * draws / n / (n - 1)  # the n pairs of a row with itself, which never occur
    assert abs(square - freedom) < 5 * math.sqrt(2 * freedom)


def test_positions_of_any_shape_and_out_of_range():
    key = jax.random.key(0)
    order = np.asarray(shuffled(key, 10, jnp.arange(10)))
    np.testing.assert_array_equal(shuffled(key, 10, jnp.array([[3, 1], [9, 0]])), order[[[3, 1], [9, 0]]])
    assert shuffled(key, 10, jnp.int32(4)) == order[4]
    np.testing.assert_array_equal(shuffled(key, 10, jnp.array([-5, 12])), order[[0, 9]])


@pytest.mark.parametrize(("n", "batch_size"), [(7, 7), (1, 3), (5, 64), (10, 3), (37, 1), (40, 39)])
def test_each_epoch_visits_each_row_once(n, batch_size):
    key = jax.random.key(n)
    epochs = 5
    steps = jnp.arange(-(-epochs * n // batch_size))
    rows = jax.jit(jax.vmap(lambda step: data.epoch_rows(key, step, n, batch_size)))(steps)
    assert rows.dtype == jnp.int32 and rows.shape == (len(steps), batch_size)
    orders = np.asarray(rows).reshape(-1)[: epochs * n].reshape(epochs, n)
    for epoch, order in enumerate(orders):
        np.testing.assert_array_equal(np.sort(order), np.arange(n))
        np.testing.assert_array_equal(order, shuffled(jax.random.fold_in(key, epoch), n, jnp.arange(n)))


def test_epochs_and_keys_differ():
    rows = [epoch_rows(key, step, 100, 100) for key in map(jax.random.key, range(3)) for step in range(3)]
    assert len({tuple(order.tolist()) for order in rows}) == 9


@pytest.mark.parametrize(
    ("n", "batch_size"), [(1, 3), (3, 128), (1000, 128), (50_000, 3), (2**20 + 1, 256), (2**30, 2), (2**31 - 1, 128)]
)
def test_late_steps_do_not_overflow(n, batch_size):
    key = jax.random.key(0)
    late = np.random.default_rng(0).integers(0, 2**31, 40)
    steps = [2**31 - 1, 2**31 - 2, 2**30, 2**16, 2**16 - 1, *late.tolist()]
    rows = jax.jit(jax.vmap(lambda step: data.epoch_rows(key, step, n, batch_size)))(jnp.array(steps, jnp.int32))
    # The same with Python's whole numbers, which have no end.
    places = [divmod(step * batch_size + place, n) for step in steps for place in range(batch_size)]
    epochs = jnp.array([epoch % 2**32 for epoch, _ in places], jnp.uint32)
    positions = jnp.array([position for _, position in places], jnp.int32)
    at = jax.jit(jax.vmap(lambda epoch, position: data.shuffled(jax.random.fold_in(key, epoch), n, position)))
    np.testing.assert_array_equal(rows.reshape(-1), at(epochs, positions))


def test_jitted_and_without_recompilation():
    key = jax.random.key(5)
    before = epoch_rows._cache_size()
    for step in (0, 1, 7, 10**6):
        np.testing.assert_array_equal(epoch_rows(key, step, 51, 8), data.epoch_rows(key, step, 51, 8))
    assert epoch_rows._cache_size() == before + 1


def test_strict_numerics(float64):
    assert data.epoch_rows(jax.random.key(0), 3, 50, 8).dtype == jnp.int32


@pytest.mark.parametrize(
    ("n", "batch_size", "sentence"),
    [
        (0, 4, "n must be a whole number of at least 1, got 0"),
        (2.5, 4, "n must be a whole number"),
        (2**31, 4, r"n must be at most 2\^31 - 1"),
        (5, 0, "batch_size must be a whole number of at least 1, got 0"),
    ],
)
def test_impossible_sizes_are_refused(n, batch_size, sentence):
    with pytest.raises(ValueError, match=sentence):
        data.epoch_rows(jax.random.key(0), 0, n, batch_size)
