"""Panels: what a window holds, what it cannot hold, planted leaks that are refused, many series."""

import dataclasses

import numpy as np
import pytest

from lstm_jax import data
from lstm_jax.data import lookahead, panel
from lstm_jax.data.panel import make_panel
from lstm_jax.data.roles import Roles
from lstm_jax.data.split import split_panel

ROWS, T, H = 100, 6, 3
ROLES = Roles(("sold", "lost"), ("rain",), ("price",), calendar=True)
PARTS = split_panel([data.Series("s", np.zeros((ROWS, 4)), [str(row) for row in range(ROWS)])], (0.7, 0.15, 0.15))


def _series(seed=0, name="shop", scale=1.0, rows=ROWS):
    days = np.datetime64("2024-01-01") + np.arange(ROWS - rows, ROWS)
    values = scale * np.random.default_rng(seed).normal(5, 2, (rows, 4))
    return data.Series(name, values, days.astype(str).tolist(), columns=ROLES.columns)


def _made(series=None, roles=ROLES, horizon=H):
    return make_panel([series or _series()], roles, PARTS, T, horizon)


def test_a_window_holds_the_rows_before_and_what_is_known_of_those_to_come():
    series = _series()
    made = _made(series)
    scale = data.Standardizer.fit(series.values[:70], axis=0)
    scaled = scale.apply(series.values)
    for part, (start, stop) in {"train": (T, 70), "validation": (70, 85), "test": (85, 100)}.items():
        windows = getattr(made, part)
        assert windows.rows.tolist() == list(range(start, stop - H + 1))
        xs = windows.examples.xs
        assert xs.shape == (T + H, len(windows.rows), 3 + 1 + 4)
        for window, row in enumerate(windows.rows):
            np.testing.assert_allclose(xs[:T, window, :3], scaled[row - T : row, :3], rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(xs[:, window, 3], scaled[row - T : row + H, 3], rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(windows.examples.targets[window], scaled[row : row + H, :2], 1e-5, 1e-6)
            back = made.invert(windows, windows.examples.targets)[window]
            np.testing.assert_allclose(back, series.values[row : row + H, :2], rtol=1e-5)
        assert not xs[T:, :, :3].any()
    assert made.known == 5
    assert made.ahead is None  # prices to come are in no file


def test_the_calendar_goes_on_into_the_rows_to_come():
    roles = Roles(("sold", "lost", "rain", "price"), calendar=True)
    made = _made(roles=roles)
    assert made.ahead is not None
    assert made.ahead.rows.tolist() == [ROWS]
    days = np.datetime64("2024-01-01") + np.arange(ROWS - T, ROWS + H)
    np.testing.assert_allclose(made.ahead.examples.xs[:, 0, 4:], data.calendar.calendar_features(days)[1], atol=1e-6)
    assert np.isnan(made.ahead.examples.targets).all()


def test_rows_behind_the_parts_are_left_out():
    series = _series()
    parts = split_panel([series], (50, 20, 20))
    roles = Roles(("sold", "lost", "rain", "price"), calendar=True)
    made = make_panel([series], roles, parts, T, H)
    assert made.test.rows.tolist() == list(range(70, 90 - H + 1))
    assert made.ahead is not None
    assert made.ahead.rows.tolist() == [ROWS]


def test_gaps_are_filled_from_before_marked_and_no_targets():
    series = _series()
    series.values[[20, 21], 0] = np.nan
    series.values[90, 2] = np.nan  # no gap in training: no mark, or it would be one that training never saw
    made = _made(series)
    xs = made.train.examples.xs
    assert xs.shape[-1] == 3 + 1 + 1 + 4
    window = 22 - T  # its rows are 16 to 21
    np.testing.assert_array_equal(xs[:T, window, 3], [0, 0, 0, 0, 1, 1])
    assert xs[3, window, 0] == xs[4, window, 0] == xs[5, window, 0]
    assert np.isnan(made.train.examples.targets[:, :, 0]).sum() == 2 * H
    assert not np.isnan(made.train.examples.targets[:, :, 1]).any()


def test_each_series_is_scaled_by_itself_and_pooled():
    series = [_series(), _series(1, "big", 1000.0), _series(2, "late", 1.0, rows=40), _series(3, "new", 1.0, rows=12)]
    made = make_panel(series, ROLES, split_panel(series, (0.7, 0.15, 0.15)), T, H)
    assert np.bincount(made.train.series).tolist() == [62, 62, 2]
    assert np.bincount(made.test.series, minlength=4).tolist() == [13, 13, 13, 0]  # of "new" nothing can be scaled
    for number in (0, 1):
        targets = made.train.examples.targets[made.train.series == number]
        assert abs(targets.mean()) < 0.2
        assert targets.std() == pytest.approx(1, abs=0.1)
    back = made.invert(made.test, made.test.examples.targets)
    for number, first in {0: 85, 1: 85, 2: 25}.items():
        np.testing.assert_allclose(
            back[made.test.series == number][0], series[number].values[first : first + H, :2], 1e-4
        )


@pytest.mark.parametrize(
    ("leak", "column"),
    [
        ("a scale of all rows", "sold"),
        ("a gap filled from behind", "rain"),
        ("windows that begin a row late", "sold"),
        ("a mean around each row", "lost"),
    ],
)
def test_a_planted_leak_is_refused(monkeypatch, leak, column):
    series, real = _series(), panel._scaled
    series.values[[79, 80], 2] = np.nan
    if leak == "a scale of all rows":
        monkeypatch.setattr(
            panel, "_scaled", lambda one, roles, train, *more: real(one, roles, slice(0, len(one.values)), *more)
        )
    elif leak == "a gap filled from behind":
        monkeypatch.setattr(panel, "fill_missing", lambda values: data.fill_missing(values[::-1])[::-1])
    elif leak == "windows that begin a row late":
        cut = data.windows
        monkeypatch.setattr(
            panel,
            "windows",
            lambda v, t, h, start, stop: (np.roll(cut(v, t, h, start, stop)[0], -1, 1), *cut(v, t, h, start, stop)[1:]),
        )
    else:

        def smoothed(one, *more):
            values = one.values.copy()
            values[1:-1, 1] = (one.values[:-2, 1] + one.values[2:, 1]) / 2
            return real(dataclasses.replace(one, values=values), *more)

        monkeypatch.setattr(panel, "_scaled", smoothed)
    with pytest.raises(
        data.DataError, match=rf"Column '{column}' looks ahead: inputs of forecasts made before row \d+"
    ):
        _made(series)


@pytest.mark.parametrize("later", [1, 2])
def test_a_column_that_is_a_later_target_is_refused(later):
    series = _series()
    series.values[:-later, 2] = 3 - 2 * series.values[later:, 0]
    with pytest.raises(data.DataError, match=f"Column 'rain' looks ahead: it is a copy of 'sold' {later} rows later"):
        _made(series)


def test_a_column_known_in_advance_that_is_the_target_is_refused():
    series = _series()
    series.values[:, 3] = 10 * series.values[:, 1]
    with pytest.raises(data.DataError, match="Column 'price' looks ahead: it is a copy of 'lost' of the same row"):
        _made(series)
    # As a covariate, which is known up to the origin, it is allowed.
    series.values[:, 2] = series.values[:, 0]
    series.values[:, 3] = 0
    _made(series)


def test_what_repeats_is_no_copy_of_the_future():
    series = _series()
    series.values[:, 0] = np.tile(np.random.default_rng(0).normal(size=5), ROWS // 5)
    series.values[:, 2] = series.values[:, 0]
    _made(series, horizon=8)


def test_own_inputs_are_tried_too():
    values = np.random.default_rng(0).normal(size=(50, 1))

    def inputs(values, ahead):
        rows = np.arange(10, 50)
        return np.stack([values[row - 3 + ahead : row + ahead] for row in rows], axis=1), rows

    lookahead.refuse_lookahead(lambda values: inputs(values, 0), values, ("x",), 30)
    lookahead.refuse_lookahead(lambda values: inputs(values, 1), values, ("x",), 30, known=("x",))
    with pytest.raises(data.DataError, match="Column 'x' looks ahead"):
        lookahead.refuse_lookahead(lambda values: inputs(values, 1), values, ("x",), 30)


def test_what_makes_no_panel_is_refused():
    with pytest.raises(data.DataError, match="shop has 15 validation rows or fewer, but a context of 6 and a horizon"):
        _made(horizon=16)
    series = _series()
    series.values[:70, 2] = np.nan
    with pytest.raises(data.DataError, match="shop: column 'rain' is missing in all 70 training rows"):
        _made(series)
    words = dataclasses.replace(_series(), times=[f"d{row}" for row in range(ROWS)])
    with pytest.raises(data.DataError, match="the rows are called 'd0' and so on, which are no dates"):
        _made(words)
