"""Parts in order of time: shares, rows, folds, many series."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax import data
from lstm_jax.data.split import fold_of, split_panel


@given(st.integers(20, 10_000))
def test_the_parts_follow_each_other(n):
    parts = data.chronological_split(n)
    assert [part.start for part in parts] == [0, parts[0].stop, parts[1].stop]
    assert parts[2].stop == n
    for part, share in zip(parts, (0.7, 0.15, 0.15), strict=True):
        assert part.stop - part.start == pytest.approx(n * share, abs=1.01)


def test_parts_of_so_many_rows():
    assert data.chronological_split(17_420, (8640, 2880, 2880)) == (
        slice(0, 8640),
        slice(8640, 11_520),
        slice(11_520, 14_400),
    )
    with pytest.raises(ValueError, match="Parts of 60, 20, 21 rows do not fit into 100 rows"):
        data.chronological_split(100, (60, 20, 21))


def test_impossible_parts_are_refused():
    with pytest.raises(ValueError, match="3 rows are too few"):
        data.chronological_split(3)
    for shares in [(0.5, 0.5), (0.7, 0.3, 0.0), (0.7, 0.2, 0.2), (70, 20.5, 9), (70, 0.2, 9)]:
        with pytest.raises(ValueError, match="three positive numbers with the sum 1, or three numbers of rows"):
            data.chronological_split(100, shares)


@given(st.integers(40, 500), st.integers(1, 6))
def test_folds_roll_over_the_test_rows_and_never_train_on_later_ones(n, folds):
    parts = data.chronological_split(n)
    cut = [fold_of(parts, fold, folds) for fold in range(folds)]
    assert np.concatenate([np.arange(t.start, t.stop) for _, _, t in cut]).tolist() == list(range(parts[2].start, n))
    for train, validation, test in cut:
        assert (train.start, train.stop, validation.stop) == (0, validation.start, test.start)
        assert validation.stop - validation.start == parts[1].stop - parts[1].start
    assert fold_of(parts, 0, 1) == parts


def test_impossible_folds_are_refused():
    parts = data.chronological_split(20)
    with pytest.raises(ValueError, match="fold must be a whole number from 0 to 2, one less than folds; got 3"):
        fold_of(parts, 3, 3)
    with pytest.raises(ValueError, match="3 test rows are too few for 9 folds"):
        fold_of(parts, 0, 9)


def _series(name, first, rows):
    days = np.datetime64("2024-01-01") + np.arange(first, first + rows)
    return data.Series(name, np.zeros((rows, 1)), days.astype(str).tolist(), columns=("x",))


def test_many_series_are_cut_at_the_same_times():
    series = [_series("a", 0, 100), _series("b", 60, 40), _series("c", 90, 10)]
    parts = split_panel(series, (0.7, 0.15, 0.15))
    assert parts[0] == (slice(0, 70), slice(70, 85), slice(85, 100))
    assert parts[1] == (slice(0, 10), slice(10, 25), slice(25, 40))
    assert parts[2] == (slice(0, 0), slice(0, 0), slice(0, 10))


def test_series_of_unequal_rows_need_dates():
    series = [
        data.Series("a", np.zeros((50, 1)), [str(row) for row in range(50)]),
        data.Series("b", np.zeros((40, 1)), [str(row) for row in range(40)]),
    ]
    with pytest.raises(data.DataError, match="can only be cut by their dates: name their column by --time"):
        split_panel(series, (0.7, 0.15, 0.15))
    assert split_panel(series[:1], (0.7, 0.15, 0.15))[0] == data.chronological_split(50)
