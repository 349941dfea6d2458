"""Windows of rows that are read one by one: against those of an array, their scale against NumPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lstm_jax.data import DataError, Standardizer, fill_missing, row_windows, windows
from lstm_jax.data.row_windows import RowWindows, fit_scale


class Table:
    """Rows in memory."""

    def __init__(self, values):
        self.values = np.asarray(values, np.float64)
        self.largest = 0

    def __len__(self):
        return len(self.values)

    def read(self, start, stop):
        self.largest = max(self.largest, stop - start)
        return self.values[start:stop]


PLAIN = Standardizer(np.zeros(2), np.ones(2))


@given(
    values=arrays.arrays(
        np.float64, st.tuples(st.integers(1, 40), st.just(2)), elements=st.floats(-1e6, 1e6) | st.just(np.nan)
    ),
    offset=st.sampled_from([0.0, 1e9]),
    chunk=st.integers(1, 11),
)
def test_the_scale_is_that_of_all_rows_together(values, offset, chunk):
    values = values + offset
    values[0] = offset
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_windows, "CHUNK", chunk)
        rows = Table(np.concatenate([values, [[1e15, 1e15]]]))
        scale = fit_scale(rows, len(values))
    assert rows.largest <= chunk
    np.testing.assert_allclose(scale.mean, np.nanmean(values, axis=0), rtol=1e-12)
    std = np.nanstd(values, axis=0)
    constant = np.nanmin(values, axis=0) == np.nanmax(values, axis=0)
    np.testing.assert_allclose(scale.std, np.where(constant, 1, std), rtol=1e-6, atol=1e-6 * offset / 1e6)
    assert np.all(scale.mean[constant] == values[0][constant])


def test_a_column_without_values_is_refused():
    with pytest.raises(DataError, match="All values of column 2 are missing in the first 3 rows"):
        fit_scale(Table([[1, np.nan]] * 3 + [[1, 1]]), 3)


def test_windows_are_those_of_the_array():
    values = np.random.default_rng(0).normal(3, 2, size=(30, 2))
    scale = Standardizer.fit(values[:20], axis=0)
    cut = RowWindows(Table(values), scale, context=5, horizon=3, start=12, stop=25)
    inputs, targets = windows(scale.apply(values), 5, 3, 12, 25)
    examples = cut.examples()
    assert len(cut) == len(examples) == 11
    np.testing.assert_allclose(examples.xs[:5], inputs, rtol=1e-6)
    assert not examples.xs[5:].any() and examples.xs.dtype == np.float32
    np.testing.assert_allclose(examples.targets, targets[:, :, :1], rtol=1e-6)
    assert examples.lengths.tolist() == [8] * 11
    np.testing.assert_array_equal(cut[4]["xs"], examples.xs[:, 4])
    np.testing.assert_array_equal(cut.examples(3).xs, examples.xs[:, [0, 5, 10]])
    assert len(cut.examples(100)) == 11


def test_rows_outside_change_nothing():
    values = np.arange(60, dtype=float).reshape(30, 2)
    other = values.copy()
    other[:7], other[25:] = -1e9, 1e9
    cuts = [RowWindows(Table(rows), PLAIN, 5, 3, 12, 25).examples() for rows in (values, other)]
    np.testing.assert_array_equal(cuts[0].xs, cuts[1].xs)
    np.testing.assert_array_equal(cuts[0].targets, cuts[1].targets)


def test_gaps_are_filled_from_the_past_of_the_window():
    values = np.array([[9, 1], [np.nan, 2], [3, np.nan], [np.nan, np.nan], [5, 6], [np.nan, 7], [8, 8]])
    cut = RowWindows(Table(values), PLAIN, context=4, horizon=2, start=4, stop=7)
    np.testing.assert_array_equal(cut[0]["xs"][:4], fill_missing(values[:4]))
    np.testing.assert_array_equal(cut[0]["targets"][:, 0], [5, np.nan])
    # Nothing known before in the window: the mean, though the row before it is known.
    np.testing.assert_array_equal(cut[1]["xs"][:4], [[0, 2], [3, 2], [3, 2], [5, 6]])
    with pytest.raises(IndexError, match="no window 2 among 2"):
        cut[2]


@pytest.mark.parametrize("context,horizon,start,stop", [(5, 3, 4, 20), (5, 3, 10, 12), (5, 3, 10, 31)])
def test_rows_without_a_window_are_refused(context, horizon, start, stop):
    with pytest.raises(DataError, match="hold no window of context 5 and horizon 3"):
        RowWindows(Table(np.zeros((30, 2))), PLAIN, context, horizon, start, stop)
    with pytest.raises(ValueError, match="horizon must be a whole number"):
        RowWindows(Table(np.zeros((30, 2))), PLAIN, 5, 0, 10, 20)
