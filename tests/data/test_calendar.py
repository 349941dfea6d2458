"""Dates in labels, and what a calendar says of them."""

from datetime import datetime

import numpy as np
import pytest

from lstm_jax.data.calendar import calendar_features, dates_of


@pytest.mark.parametrize(
    ("times", "dates"),
    [
        (["2024-05-30", "2024-05-31"], ["2024-05-30", "2024-05-31"]),
        (["2024-05-31 22:00", "2024-05-31 23:00"], ["2024-05-31T22:00", "2024-05-31T23:00"]),
        (["31.05.2024", "01.06.2024"], ["2024-05-31", "2024-06-01"]),
        (["Jan 1 2000", "Feb 1 2000", "Mar 1 2000"], ["2000-01", "2000-02", "2000-03"]),
        (["2024-01-01", "2024-02-01"], ["2024-01", "2024-02"]),
        (["2024-01", "2024-02"], ["2024-01", "2024-02"]),
        (["2024/05/31 08:30", "2024/05/31 09:30"], ["2024-05-31T08:30:00", "2024-05-31T09:30:00"]),
    ],
)
def test_labels_that_are_dates(times, dates):
    found = dates_of(times)
    assert found is not None
    np.testing.assert_array_equal(found, np.array(dates, "datetime64"))
    assert (found.dtype == np.dtype("datetime64[M]")) == (len(dates[0]) == 7)


@pytest.mark.parametrize("times", [["2024-06-30", "2024-06-31"], ["a1"], ["05/06/2024"], ["1", "2"], []])
def test_labels_that_are_none(times):
    assert dates_of(times) is None


def test_features_are_those_of_the_standard_calendar():
    times = np.datetime64("2023-12-29T05:00") + np.arange(2000) * np.timedelta64(1, "h")
    names, features = calendar_features(times)
    assert names == ("hour_sin", "hour_cos", "weekday_sin", "weekday_cos", "year_sin", "year_cos")
    for row, time in enumerate(times.astype(datetime)):
        turns = [
            time.hour / 24,
            time.weekday() / 7,
            (time - datetime(time.year, 1, 1)).total_seconds() / 86400 / 365.2425,
        ]
        expected = [part(2 * np.pi * turn) for turn in turns for part in (np.sin, np.cos)]
        # The hours of a day are part of where in a week it is no more than its number.
        np.testing.assert_allclose(features[row], expected, atol=1e-6)


def test_only_what_turns_between_rows():
    days = np.datetime64("2024-01-01") + np.arange(20)
    assert calendar_features(days)[0] == ("weekday_sin", "weekday_cos", "year_sin", "year_cos")
    months = np.datetime64("2023-01") + np.arange(25)
    names, features = calendar_features(months)
    assert names == ("year_sin", "year_cos")
    np.testing.assert_allclose(features[:, 0], np.sin(2 * np.pi * np.arange(25) / 12), atol=1e-12)
    assert calendar_features(np.datetime64("2000", "Y") + np.arange(5))[1].shape == (5, 0)
