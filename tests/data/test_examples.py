"""Examples: padded, taken apart, split; what is no data is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax.data import DataError, Examples


def made(sizes, **more):
    rows = [np.arange(2.0 * size).reshape(size, 2) + 1 for size in sizes]
    return Examples.of(rows, np.arange(len(sizes)), **more)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.data())
def test_padded_and_taken_apart(sizes, choose):
    examples = made(sizes)
    rows = choose.draw(st.lists(st.integers(0, len(sizes) - 1), min_size=1))
    taken = examples.take(np.array(rows))
    assert len(taken) == len(rows) and len(taken.xs) == max(sizes[row] for row in rows)
    for row, sequence in zip(rows, taken.sequences(), strict=True):
        np.testing.assert_array_equal(sequence, np.arange(2.0 * sizes[row]).reshape(-1, 2) + 1)
    assert not taken.xs[np.arange(len(taken.xs))[:, None] >= taken.lengths].any()
    np.testing.assert_array_equal(taken.targets, rows)


def test_every_step_has_a_target_and_none_lies_behind_the_end():
    numbers = Examples.of([[1, 2], [3]], [[0.5, 1.5], [2.5]], every_step=True)
    np.testing.assert_array_equal(numbers.targets, [[0.5, 2.5], [1.5, np.nan]])
    assert numbers.xs.dtype == np.int32 and numbers.targets.dtype == np.float32
    classes = Examples.of([[1, 2], [3]], [[4, 5], [6]], every_step=True)
    np.testing.assert_array_equal(classes.targets, [[4, 6], [5, -1]])
    np.testing.assert_array_equal(classes.take([1]).targets, [[6]])


@given(st.lists(st.integers(0, 2), min_size=4, max_size=60), st.floats(0.05, 0.9), st.integers(0, 5))
def test_a_split_loses_nothing(classes, fraction, seed):
    examples = Examples.of([[number + 1] for number in range(len(classes))], classes)
    for stratified in (False, True):
        counts = np.bincount(classes)
        if stratified and counts.max() < 2:
            continue
        kept, apart = examples.split(fraction, seed, stratified=stratified)
        assert sorted([*kept.xs[0], *apart.xs[0]]) == list(range(1, len(classes) + 1))
        np.testing.assert_array_equal(apart.targets, np.array(classes)[apart.xs[0] - 1])
        assert len(apart) and len(kept)
        if stratified:
            for one in np.flatnonzero(counts >= 2):
                assert 0 < (apart.targets == one).sum() < counts[one]


@pytest.mark.parametrize(
    ("rows", "targets", "sentence"),
    [
        ([], [], "no sequences"),
        ([np.zeros((3, 2)), np.zeros((4, 3))], [0, 0], "Sequence 1 has 3 features a step, but sequence 0 has 2"),
        ([np.zeros((3, 2)), [1, 2]], [0, 0], "Sequence 1 has one token a step, but sequence 0 has 2 features"),
        ([np.zeros((3, 2)), np.zeros(4)], [0, 0], r"Sequence 1 must be numbers \[T, D\], .* float64 \[4\]"),
        ([np.zeros((3, 2)), np.zeros((0, 2))], [0, 0], r"Sequence 1 must be .* both at least 1, .* float64 \[0, 2\]"),
        ([np.zeros((3, 2)), np.array([["a"]])], [0, 0], "Sequence 1 must be numbers"),
        ([np.zeros((3, 2)), np.array([[0, 0], [0, np.inf]])], [0, 0], "Sequence 1 is not finite at step 1"),
        ([np.zeros((3, 2)), np.zeros((3, 2))], [0], "2 sequences but 1 targets"),
        ([np.zeros((3, 2)), np.zeros((3, 2))], [0, None], "target of sequence 1 must be numbers"),
        ([np.zeros((3, 2)), np.zeros((3, 2))], [[0], [0, 1]], r"target of sequence 1 must be .* shape \[1\], .* \[2\]"),
    ],
)
def test_wrong_data_are_refused(rows, targets, sentence):
    with pytest.raises(DataError, match=sentence):
        Examples.of(rows, targets)


def test_what_cannot_be_split_is_refused():
    with pytest.raises(DataError, match="1 sequences are too few"):
        made([3]).split(0.5)
    with pytest.raises(ValueError, match="fraction must be above 0 and below 1, got 1"):
        made([3, 3]).split(1.0)


@pytest.mark.parametrize("every_step", [False, True])
def test_each_sequence_is_changed_and_keeps_its_target(every_step):
    sequences = [np.arange(6.0).reshape(3, 2), np.ones((1, 2))]
    targets = [[1.0, 2.0, 3.0], [4.0]] if every_step else [1.0, 4.0]
    examples = Examples.of(sequences, targets, every_step=every_step)
    changed = examples.map(lambda one: 2 * one + 1)
    for before, after in zip(sequences, changed.sequences(), strict=True):
        np.testing.assert_array_equal(after, 2 * before + 1)
    np.testing.assert_array_equal(changed.targets, examples.targets)
    np.testing.assert_array_equal(changed.xs[1:, 1], 0)
