"""The NAB score: cases by hand, brute force over thresholds, and numbers that the benchmark has published."""

import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax.data.nab import read_nab
from lstm_jax.metrics import nab

STANDARD = nab.PROFILES["standard"]


def sigma(position):
    return 2 / (1 + math.exp(5 * position)) - 1


def raw_by_definition(detected, windows, profile):
    """The rule, row by row, as the paper tells it."""
    rows = len(detected)
    start = min(math.floor(0.15 * rows), 750)
    total = 0.0
    for first, last in windows:
        inside = [row for row in range(max(first, start), last + 1) if detected[row]]
        if last < start:
            continue
        if inside:
            width = last - first + 1
            total += profile.tp * sigma(-(last - inside[0] + 1) / width) / sigma(-1)
        else:
            total -= profile.fn
    for row in range(start, rows):
        if not detected[row] or any(first <= row <= last for first, last in windows):
            continue
        before = [(first, last) for first, last in windows if last < row]
        if before:
            first, last = before[-1]
            position = (row - last) / (last - first)
            total += profile.fp * (-1 if position >= 3 else sigma(position))
        else:
            total -= profile.fp
    return total


def normalised(raw, count, profile):
    null, perfect = -profile.fn * count, profile.tp * count
    return 100 * (raw - null) / (perfect - null)


@st.composite
def scored_series(draw):
    rows = draw(st.integers(20, 60))
    marks = sorted(draw(st.sets(st.integers(0, rows - 1), min_size=2, max_size=6)))
    windows = [(first, last) for first, last in zip(marks[::2], marks[1::2], strict=False) if last > first]
    # Few levels, so that there are ties.
    scores = np.array(draw(st.lists(st.integers(0, 5), min_size=rows, max_size=rows)), float)
    return scores, windows


@given(st.lists(scored_series(), min_size=1, max_size=3), st.sampled_from(sorted(nab.PROFILES)))
def test_every_threshold_has_the_score_of_the_definition(series, name):
    profile = nab.PROFILES[name]
    scores, windows = [one for one, _ in series], [its for _, its in series]
    count = sum(last >= nab.probation(len(one)) for one, its in series for _, last in its)
    if not count:
        with pytest.raises(ValueError, match="No series has an anomaly window behind its probation"):
            nab.nab_score(scores, windows, name)
        return
    by_hand = {}
    for threshold in (math.inf, 6, 5, 4.5, 4, 3, 2, 1, 0):
        raw = sum(raw_by_definition(one >= threshold, its, profile) for one, its in series)
        by_hand[threshold] = normalised(raw, count, profile)
        found = nab.nab_score(scores, windows, name, threshold)
        assert found.score == pytest.approx(by_hand[threshold], abs=1e-9)
    best = nab.nab_score(scores, windows, name)
    assert best.score == pytest.approx(max(by_hand.values()), abs=1e-9)
    assert nab.nab_score(scores, windows, name, best.threshold).score == best.score


def test_one_window_by_hand():
    # 20 rows, 3 of probation; the window has the rows 10 to 13.
    def score(*rows, profile="standard"):
        detected = np.zeros(20)
        detected[list(rows)] = 1
        return nab.nab_score([detected], [[(10, 13)]], profile, 1.0).score

    assert score() == 0
    assert score(10) == pytest.approx(100)
    assert score(10, 11, 13) == pytest.approx(100)
    assert score(12) == pytest.approx(50 * (1 + sigma(-2 / 4) / sigma(-1)))
    assert score(2, 10) == pytest.approx(100)  # on probation
    assert score(5, 10) == pytest.approx(100 - 50 * 0.11)
    assert score(5, 10, profile="reward_low_fp") == pytest.approx(100 - 50 * 0.22)
    assert score(5, 10, profile="reward_low_fn") == pytest.approx(100 - 100 / 3 * 0.11)
    assert score(10, 14) == pytest.approx(100 + 50 * 0.11 * sigma(1 / 3))
    assert score(10, 15) == pytest.approx(100 + 50 * 0.11 * sigma(2 / 3))
    with pytest.raises(ValueError, match="profile='low' is not known: choose one of 'standard', 'reward_low_fp'"):
        score(10, profile="low")


def test_the_best_threshold_is_the_highest_of_equal_ones():
    scores = np.zeros(20)
    scores[10], scores[11] = 0.9, 0.8
    assert nab.nab_score([scores], [[(10, 13)]]) == nab.NabScore(pytest.approx(100), 0.9)
    # Nothing that is found is worth its false alarms.
    scores = np.r_[np.full(10, 5.0), np.full(10, 1.0)]
    assert nab.nab_score([scores], [[(18, 19)]], "reward_low_fp") == nab.NabScore(0.0, np.nextafter(5, 6))


def test_probation():
    assert [nab.probation(rows) for rows in (1, 20, 4032, 5000, 22695)] == [0, 3, 604, 750, 750]


def test_a_window_of_one_row():
    assert nab.row_values(30, [(10, 10)], STANDARD)[10] == 1.0
    np.testing.assert_array_equal(nab.row_values(30, [(10, 10)], STANDARD)[11:], -0.11)


@pytest.mark.parametrize(
    ("scores", "windows", "sentence"),
    [
        ([np.zeros(20)], [[(5, 20)]], "window of rows 5 to 20 must lie in the series of 20 rows"),
        ([np.zeros(20)], [[(5, 9), (9, 12)]], "window of rows 9 to 12 must lie .* behind the window before it"),
        ([np.zeros(20)], [], "the scores of 1 series but the windows of 0"),
        ([np.full(20, np.nan)], [[(5, 9)]], "must be finite numbers"),
        ([np.zeros(20)], [[(0, 2)]], "No series has an anomaly window behind its probation"),
    ],
)
def test_what_cannot_be_scored_is_one_sentence(scores, windows, sentence):
    with pytest.raises(ValueError, match=sentence):
        nab.nab_score(scores, windows)


def test_the_windowed_gaussian_by_hand():
    values = np.random.default_rng(0).normal(size=40)
    found = nab.windowed_gaussian(values, size=10, hop=4)
    assert found[0] == 0
    window, waiting = [], []  # as a detector that is given one value after the other
    for row, value in enumerate(values):
        if row:
            assert found[row] == pytest.approx((value - np.mean(window)) / (np.std(window) or 1e-6))
        if len(window) < 10:
            window.append(value)
        else:
            waiting.append(value)
            if len(waiting) == 4:
                window, waiting = [*window[4:], *waiting], []


@pytest.mark.skipif("LSTM_JAX_DATA" not in os.environ, reason="LSTM_JAX_DATA names no folder of public data sets")
def test_published_scores_of_the_windowed_gaussian():
    """Raw scores in NAB's results/windowedGaussian/windowedGaussian_standard_scores.csv, at its threshold.

    That detector looked at the upper tail alone, in a table that ends 7.05 deviations above the mean.
    """
    published = {
        "art_load_balancer_spikes": -0.692444609523,
        "rogue_agent_key_updown": -1.3964908955,
        "rogue_agent_key_hold": -2.44,
        "cpu_utilization_asg_misconfiguration": -1.11,
        "ec2_request_latency_system_failure": -0.06591011872780705,
        "ambient_temperature_system_failure": -2.0,
        "art_daily_jumpsup": -1.0,
        "art_noisy": 0.0,
    }
    series = {
        Path(one.name).stem: one for one in read_nab(Path(os.environ["LSTM_JAX_DATA"]) / "anomaly_nab_known_artificial")
    }
    assert len(series) == 18
    assert sum(len(one.windows) for one in series.values()) == 25
    for name, raw in published.items():
        one = series[name]
        detected = nab.windowed_gaussian(one.values) > 7.05
        if not one.windows:
            assert not detected[nab.probation(len(detected)) :].any()
            continue
        score = nab.nab_score([detected.astype(float)], [one.windows], threshold=1.0).score
        assert score == pytest.approx(normalised(raw, len(one.windows), STANDARD), abs=1e-7)
