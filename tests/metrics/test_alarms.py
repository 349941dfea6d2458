"""Scores of alarms, counted sample by sample."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax.metrics.alarms import (
    AlarmScores,
    alarm_scores,
    alarms_of,
    best_threshold,
    chance_sensitivity,
    events_of,
    operating_points,
)

marks = st.lists(st.booleans(), min_size=1, max_size=60)


@given(marks, st.data())
def test_everything_is_what_walking_along_gives(marks, data):
    fired = data.draw(st.lists(st.booleans(), min_size=len(marks), max_size=len(marks)))
    scores = alarm_scores(np.flatnonzero(fired), events_of(np.array(marks)), len(marks), rate=0.5)
    events, told, false, delays, leads, since, open_event = 0, 0, 0, [], [], 0, False
    for at, (inside, alarm) in enumerate(zip(marks, fired, strict=True)):
        if inside and (at == 0 or not marks[at - 1]):
            events, since, open_event = events + 1, at, True
        if alarm and not inside:
            false += 1
        if alarm and inside and open_event:
            end = at
            while end < len(marks) and marks[end]:
                end += 1
            told, open_event = told + 1, False
            delays.append(at - since)
            leads.append(end - at)
    assert (scores.events, scores.told, scores.false_alarms) == (events, told, false)
    assert scores.delays.tolist() == delays and scores.leads.tolist() == leads
    assert scores.hours == pytest.approx(2 * len(marks) / 3600)
    assert scores.false_alarms_an_hour == pytest.approx(false / scores.hours)
    assert scores.sensitivity == pytest.approx(told / events if events else np.nan, nan_ok=True)


def test_an_example():
    scores = alarm_scores(np.array([1, 12, 13, 30, 35]), [(10, 20), (20, 25), (30, 31)], 100, rate=0.1)
    assert (scores.told, scores.events, scores.false_alarms) == (2, 3, 2)
    assert scores.delays.tolist() == [2, 0] and scores.leads.tolist() == [8, 1]
    assert scores.false_alarms_an_hour == pytest.approx(2 / (1000 / 3600))


def test_no_alarms_and_no_events():
    scores = alarm_scores(np.array([]), [], 10, rate=1.0)
    assert np.isnan(scores.sensitivity) and scores.false_alarms_an_hour == 0
    assert alarm_scores(np.array([]), [(0, 10)], 10, rate=1.0).sensitivity == 0


def test_chance_is_what_random_alarms_reach():
    events, rng = [(100 * n, 100 * n + 20 + n) for n in range(50)], np.random.default_rng(0)
    samples, rate, an_hour = 5000, 10.0, 300.0
    found = [
        alarm_scores(np.flatnonzero(rng.random(samples) < an_hour / 3600 / rate), events, samples, rate).sensitivity
        for _ in range(400)
    ]
    assert chance_sensitivity(events, rate, an_hour) == pytest.approx(np.mean(found), abs=0.02)
    assert chance_sensitivity(events, rate, 0.0) == 0


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (([], [(5, 4)], 10, 1.0), "Events must be in order, apart, and lie in the 10 samples"),
        (([], [(4, 4)], 10, 1.0), "Events must be in order"),
        (([], [(0, 5), (4, 6)], 10, 1.0), "Events must be in order"),
        (([], [(5, 11)], 10, 1.0), "Events must be in order"),
        (([], [(-1, 2)], 10, 1.0), "Events must be in order"),
        (([10], [(0, 5)], 10, 1.0), "Alarms must lie in the 10 samples"),
        (([-1], [(0, 5)], 10, 1.0), "Alarms must lie in the 10 samples"),
        (([1], [(0, 5)], 10, 0.0), "rate must be above 0"),
    ],
)
def test_what_cannot_be_scored_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        alarm_scores(*wrong)


scored = st.lists(st.integers(0, 3).map(float), min_size=1, max_size=40)


@given(scored, st.integers(0, 4).map(float), st.integers(1, 4))
def test_an_alarm_comes_at_the_threshold_after_quiet(scores, threshold, hold_off):
    expected = [
        at
        for at, score in enumerate(scores)
        if score >= threshold and all(before < threshold for before in scores[max(0, at - hold_off) : at])
    ]
    assert alarms_of(np.array(scores), threshold, hold_off).tolist() == expected


def test_operating_points_go_down_through_all_there_is():
    scores, events = np.array([0.0, 5, 0, 3, 0, 1, 0, 0]), [(1, 2), (3, 4)]
    points = operating_points(scores, events, rate=1.0, hold_off=1, points=50)
    levels = [level for level, _ in points]
    assert levels == sorted(levels, reverse=True) and levels[0] == np.inf and levels[-1] == 0
    assert points[0][1].told == points[0][1].false_alarms == 0
    assert {(found.told, found.false_alarms) for level, found in points if level > 0} == {
        (0, 0),
        (1, 0),
        (2, 0),
        (2, 1),
    }


def test_the_best_threshold_is_the_lowest_that_tells_most_within_the_bound():
    def point(told, false):
        return AlarmScores(10, told, false, 1.0, np.zeros(0), np.zeros(0))

    points = [(np.inf, point(0, 0)), (4.0, point(3, 1)), (3.0, point(5, 2)), (2.0, point(5, 2)), (1.5, point(4, 2))]
    points += [(1.0, point(9, 7)), (0.5, point(8, 0))]
    assert best_threshold(points, 2.0) == 2.0
    assert best_threshold(points, 1.0) == 4.0
    assert best_threshold(points, 7.0) == 1.0
    assert best_threshold(points, 0.5) == np.inf
