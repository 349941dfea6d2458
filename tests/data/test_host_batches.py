"""Batches that the host reads: every example once an epoch, a pure function of key and step, errors."""

import threading

import jax
import numpy as np
import pytest

from lstm_jax.data import DataError, host_batches
from lstm_jax.data.host_batches import HostBatches, stacked

pytest.importorskip("grain")
KEY = jax.random.key(3)


class Source:
    """Example number n is full of n."""

    def __init__(self, count=10, length=lambda row: 3):
        self.count, self.length, self.read = count, length, []

    def __len__(self):
        return self.count

    def __getitem__(self, row):
        self.read.append(row)
        return {"xs": np.full((self.length(row), 2), row, np.float32), "targets": np.int32(row)}


def rows(batch):
    return batch["targets"].tolist()


def test_a_batch_is_that_of_buckets():
    batch = stacked([Source()[row] for row in (4, 1, 7)])
    assert {name: (array.shape, array.dtype.name) for name, array in batch.items()} == {
        "xs": ((3, 3, 2), "float32"),
        "lengths": ((3,), "int32"),
        "targets": ((3,), "int32"),
        "weights": ((3,), "float32"),
    }
    assert batch["xs"][2, :, 1].tolist() == [4, 1, 7]
    assert batch["lengths"].tolist() == [3, 3, 3] and batch["weights"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("count,batch_size", [(10, 4), (3, 5), (1, 2)])
def test_each_epoch_visits_each_example_once_in_another_order(count, batch_size):
    batches = HostBatches(Source(count), batch_size)
    visited = [row for step in range(2 * count) for row in rows(batches(KEY, step))]
    epochs = [visited[start : start + count] for start in range(0, len(visited), count)]
    assert all(sorted(epoch) == list(range(count)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1 or count == 1


def test_the_key_decides_the_order():
    batches = HostBatches(Source(1000), 50)
    assert rows(batches(KEY, 7)) == rows(HostBatches(Source(1000), 50)(KEY, 7))
    assert rows(batches(KEY, 7)) != rows(batches(jax.random.key(4), 7))


def test_reading_ahead_gives_the_same_from_any_step_on():
    batches = HostBatches(Source(), 4, threads=3)
    for start in (0, 5):
        with batches.ahead(KEY, start, capacity=6) as ahead:
            for first, count in ((start, 6), (start + 6, 1), (start + 7, 0), (start + 7, 4)):
                whole = ahead.take(count)
                assert whole["xs"].shape == (6, 3, 4, 2)
                expected = [rows(batches(KEY, step)) for step in range(first, first + count)]
                assert whole["targets"].tolist() == expected + [[0] * 4] * (6 - count)


def test_no_more_than_asked_for_is_read_ahead():
    source = Source(1000)
    with HostBatches(source, 4, threads=1).ahead(KEY, 0, capacity=3) as ahead:
        ahead.take(1)
        while len(source.read) < 4 * (1 + 1 + 3):  # the first for its shapes, the one taken, three ahead
            pass
        assert len(source.read) == 4 * 5


def test_the_threads_end():
    before = threading.active_count()
    with HostBatches(Source(), 4).ahead(KEY, 0, capacity=2) as ahead:
        ahead.take(2)
        assert threading.active_count() > before
        reading = [thread for thread in threading.enumerate() if thread.name.startswith("grain")]
    for thread in reading:
        thread.join(timeout=60)
        assert not thread.is_alive()


def test_a_grain_dataset_is_a_source():
    import grain

    dataset = grain.MapDataset.source(Source()).map(lambda example: example["targets"] * 2)
    batches = HostBatches(dataset, 10, stack=np.stack)
    assert sorted(batches(KEY, 3).tolist()) == list(range(0, 20, 2))


def test_batches_of_other_shapes_are_refused():
    batches = HostBatches(Source(length=lambda row: 2 + row // 9), 1)
    with batches.ahead(KEY, 0, capacity=10) as ahead, pytest.raises(DataError, match="pad them to the longest"):
        ahead.take(10)


def test_an_error_of_the_source_is_its_own():
    def broken(row):
        raise DataError("file.csv, line 7: it is no number.")

    batches = HostBatches(Source(length=broken), 1)
    with pytest.raises(DataError, match=r"^file\.csv, line 7: it is no number\.$"):
        batches(KEY, 0)


def test_wrong_settings_are_refused(monkeypatch):
    with pytest.raises(DataError, match="There are no examples"):
        HostBatches(Source(0), 4)
    with pytest.raises(ValueError, match="batch_size must be a whole number of at least 1, got 0"):
        HostBatches(Source(), 0)
    with pytest.raises(ValueError, match="threads must be a whole number of at least 1, got 0"):
        HostBatches(Source(), 1, threads=0)
    monkeypatch.setattr(host_batches.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'lstm-jax\[large\]'"):
        HostBatches(Source(), 4)
