"""Buckets: every sequence once an epoch with its own data, in few shapes, under jit."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from lstm_jax import data


def sequences(sizes):
    """Sequences [T, 2] whose entries tell which sequence and step they are; targets that tell the sequence."""
    rows = [np.stack([np.full(size, number), np.arange(size)], 1) + 1.0 for number, size in enumerate(sizes)]
    return [row.astype(np.float32) for row in rows], np.arange(len(sizes)) * 10 + 1


def examples(sizes):
    return data.Examples.of(*sequences(sizes))


@functools.cache
def programs(buckets):
    """`index` and `batches` for many steps at once, compiled."""
    index, *batches = (jax.jit(jax.vmap(f, (None, 0))) for f in (buckets.index, *buckets.batches))
    return index, batches


def epoch_of(buckets, key, epoch):
    """All batches of an epoch: (bucket, batch)."""
    steps = jnp.arange(epoch * buckets.steps_per_epoch, (epoch + 1) * buckets.steps_per_epoch)
    index, batches = programs(buckets)
    every = [batch(key, steps) for batch in batches]
    return [
        (bucket, {name: np.asarray(leaf[place]) for name, leaf in every[bucket].items()})
        for place, bucket in enumerate(index(key, steps).tolist())
    ]


SIZES = np.random.default_rng(0).integers(1, 40, 53)


@functools.cache
def usual(batch_size, count):
    """The buckets of most tests, compiled once."""
    return data.Buckets.of(examples(SIZES), batch_size, count)


@pytest.mark.parametrize(("batch_size", "count"), [(8, 4), (5, 1), (64, 2)])
def test_an_epoch_visits_every_sequence_once_with_its_own_data(batch_size, count):
    rows, _ = sequences(SIZES)
    buckets = usual(batch_size, count)
    key = jax.random.key(1)
    for epoch in range(2):
        seen = []
        for bucket, batch in epoch_of(buckets, key, epoch):
            steps = len(buckets.parts[bucket].xs)
            assert batch["xs"].shape == (steps, batch_size, 2) and batch["xs"].dtype == jnp.float32
            assert batch["lengths"].shape == batch["targets"].shape == batch["weights"].shape == (batch_size,)
            assert batch["lengths"].dtype == jnp.int32 and batch["weights"].dtype == jnp.float32
            for place in range(batch_size):
                xs, length = np.asarray(batch["xs"][:, place]), int(batch["lengths"][place])
                if not batch["weights"][place]:
                    assert length == 0 and not xs.any() and not batch["targets"][place]
                    continue
                number = (int(batch["targets"][place]) - 1) // 10
                assert length == len(rows[number])
                np.testing.assert_array_equal(xs[:length], rows[number])
                assert not xs[length:].any()
                seen.append(number)
        assert sorted(seen) == list(range(len(SIZES)))


def test_epochs_differ_in_the_order_of_batches_and_in_their_rows():
    buckets = usual(8, 4)
    key = jax.random.key(2)
    first, second = epoch_of(buckets, key, 0), epoch_of(buckets, key, 1)
    assert [bucket for bucket, _ in first] != [bucket for bucket, _ in second]
    together = [{frozenset(batch["targets"].tolist()) for _, batch in epoch} for epoch in (first, second)]
    assert len(together[0] & together[1]) < len(together[0]) / 2
    other = epoch_of(buckets, jax.random.key(3), 0)
    assert [batch["targets"].tolist() for _, batch in first] != [batch["targets"].tolist() for _, batch in other]


def test_buckets_of_one_size_are_shuffled_apart():
    buckets = data.Buckets.of(examples([1] * 8 + [2] * 8), batch_size=8)
    orders = {bucket: batch["targets"] // 10 % 8 for bucket, batch in epoch_of(buckets, jax.random.key(6), 0)}
    assert orders[0].tolist() != orders[1].tolist()


def test_few_shapes_and_little_padding():
    rows, targets = sequences(np.random.default_rng(1).integers(1, 101, 400))
    one, four = (data.Buckets.of(data.Examples.of(rows, targets), 16, count) for count in (1, 4))
    assert len(four.parts) == len(four.batches) == 4
    assert sum(map(len, four.parts)) == 400
    assert all(90 <= len(part) <= 110 for part in four.parts)
    stored = sum(part.xs.shape[0] * len(part) for part in four.parts)
    assert four.padding == pytest.approx(1 - sum(map(len, rows)) / stored)
    assert four.padding < 0.25 < 0.4 < one.padding


def test_equal_lengths_share_a_bucket():
    buckets = data.Buckets.of(examples([3] * 10 + [5]), batch_size=4, count=4)
    assert [part.xs.shape for part in buckets.parts] == [(3, 10, 2), (5, 1, 2)]
    assert buckets.padding == 0
    assert buckets.steps_per_epoch == 4
    assert len(data.Buckets.of(examples([2, 1, 3]), batch_size=4, count=60).parts) == 3


def test_as_branches_of_one_compiled_step():
    rows, _ = sequences(SIZES)
    buckets = usual(8, 4)
    traced = []

    def total(batch):
        traced.append(batch["xs"].shape)
        return batch["xs"].sum(), batch["weights"].sum()

    @jax.jit
    def step(key, number):
        branches = [lambda key, number, batch=batch: total(batch(key, number)) for batch in buckets.batches]
        return lax.switch(buckets.index(key, number), branches, key, number)

    key = jax.random.key(4)
    sums = np.sum([step(key, number) for number in range(buckets.steps_per_epoch)], axis=0)
    np.testing.assert_allclose(sums, [sum(row.sum() for row in rows), len(rows)], rtol=1e-6)
    assert len(traced) == len(buckets.parts)  # once a bucket, whatever the step
    assert step._cache_size() == 1


def test_in_a_step_of_another_bucket_all_is_filler():
    buckets = usual(8, 4)
    key = jax.random.key(5)
    steps = jnp.arange(buckets.steps_per_epoch)
    index, batches = programs(buckets)
    for number, batch in enumerate(batches):
        np.testing.assert_array_equal(batch(key, steps)["weights"].any(axis=1), index(key, steps) == number)


def test_targets_of_any_shape_and_sequences_of_tokens():
    rows = [np.arange(size) for size in (1, 2, 3)]
    targets = np.arange(12.0, dtype=np.float32).reshape(3, 2, 2)
    buckets = data.Buckets.of(data.Examples.of(rows, targets), 2, 1)
    batches = [batch for _, batch in epoch_of(buckets, jax.random.key(0), 0)]
    assert all(batch["targets"].shape == (2, 2, 2) and batch["xs"].dtype == jnp.int32 for batch in batches)
    assert sum(float(batch["targets"].sum()) for batch in batches) == targets.sum()


def test_targets_at_every_step_stay_with_their_sequences():
    rows = [np.arange(size) for size in (1, 2, 3, 3)]
    buckets = data.Buckets.of(data.Examples.of(rows, rows, every_step=True), 2, 2)
    for _, batch in epoch_of(buckets, jax.random.key(0), 0):
        inside = np.arange(len(batch["xs"]))[:, None] < batch["lengths"]
        np.testing.assert_array_equal(batch["targets"][inside], batch["xs"][inside])


@pytest.mark.parametrize("setting", ["batch_size", "count"])
def test_wrong_sizes_are_refused(setting):
    with pytest.raises(ValueError, match=f"{setting} must be a whole number of at least 1, got 0"):
        data.Buckets.of(examples([1, 2]), **({"batch_size": 2} | {setting: 0}))
