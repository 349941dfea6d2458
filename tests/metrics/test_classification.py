"""Scores of classes against their definitions, counted one example at a time."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from lstm_jax.metrics.classification import class_report, confusion_matrix, wilson_interval

pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)


@given(pairs)
def test_everything_is_what_counting_gives(pairs):
    targets, predictions = np.array(pairs).T
    confusion = confusion_matrix(targets, predictions, 4)
    report = class_report(confusion)
    f1s = []
    for one in range(4):
        for other in range(4):
            assert confusion[one, other] == pairs.count((one, other))
        hits = sum(t == p == one for t, p in pairs)
        support = sum(t == one for t, _ in pairs)
        predicted = sum(p == one for _, p in pairs)
        precision, recall = hits / predicted if predicted else 0, hits / support if support else 0
        f1 = 2 * precision * recall / (precision + recall) if hits else 0
        found = report.precision[one], report.recall[one], report.f1[one], report.support[one], report.predicted[one]
        assert found == pytest.approx((precision, recall, f1, support, predicted))
        f1s += [f1] if support or predicted else []
    assert report.macro_f1 == pytest.approx(sum(f1s) / len(f1s))


@given(st.integers(1, 300), st.data())
def test_the_interval_is_wilsons(n, data):
    right = data.draw(st.integers(0, n))
    for confidence in (0.95, 0.5):
        expected = binomtest(right, n).proportion_ci(confidence, method="wilson")
        assert wilson_interval(right, n, confidence) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_a_known_interval():
    low, high = wilson_interval(10, 10)
    assert high == 1.0 and low == pytest.approx(1 / (1 + 1.959964**2 / 10), rel=1e-6)
    assert wilson_interval(0, 10) == pytest.approx((0.0, 1 - low))
    assert not any(map(math.isnan, (low, high)))


def test_what_cannot_be_counted_is_refused():
    with pytest.raises(ValueError, match=r"must be \[N\] with N at least 1, got \[2\] and \[3\]"):
        confusion_matrix(np.zeros(2, int), np.zeros(3, int), 2)
    with pytest.raises(ValueError, match=r"with N at least 1, got \[0\] and \[0\]"):
        confusion_matrix(np.zeros(0, int), np.zeros(0, int), 2)
    with pytest.raises(ValueError, match="Classes must be 0 to 1, got 0 to 2"):
        confusion_matrix(np.array([0, 2]), np.array([0, 1]), 2)
    with pytest.raises(ValueError, match="Classes must be 0 to 1, got -1 to 1"):
        confusion_matrix(np.array([0, 1]), np.array([-1, 1]), 2)
    for wrong in ((3, 2), (-1, 2), (0, 0), (1, 2, 1.0)):
        with pytest.raises(ValueError, match="An interval needs 0 <= right <= n"):
            wilson_interval(*wrong)
