"""Naive Bayes beside its definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax.data.bag_of_words import fit_naive_bayes

V = 6
SEQUENCES = st.lists(
    st.tuples(st.lists(st.integers(0, V - 1), min_size=1, max_size=8), st.integers(0, 2)), min_size=1, max_size=12
)


def _by_definition(pairs, sequence, c, smoothing):
    classes = max(label for _, label in pairs) + 1
    assert c < classes
    holds = [sum(token in s for s, label in pairs if label == c) for token in range(V)]
    total = sum(holds) + V * smoothing
    prior = max(sum(label == c for _, label in pairs), 0.5) / len(pairs)
    return np.log(prior) + sum(np.log((holds[token] + smoothing) / total) for token in set(sequence))


@given(SEQUENCES, st.lists(st.integers(0, V - 1), max_size=8), st.sampled_from([0.1, 1.0]))
def test_scores_are_those_of_the_definition(pairs, sequence, smoothing):
    scores = fit_naive_bayes([np.array(s) for s, _ in pairs], np.array([label for _, label in pairs]), V, smoothing)
    (found,) = scores([np.array(sequence, np.int32)])
    for c, score in enumerate(found):
        assert score == pytest.approx(_by_definition(pairs, sequence, c, smoothing), rel=1e-9)


def test_a_word_of_one_class_tells_it():
    sequences = [np.array([1, 2, 2]), np.array([1, 3]), np.array([1, 2])]
    scores = fit_naive_bayes(sequences, np.array([0, 1, 0]), 5)
    assert scores([np.array([2]), np.array([1, 3, 3])]).argmax(axis=1).tolist() == [0, 1]
    with pytest.raises(ValueError, match="smoothing must be above 0"):
        fit_naive_bayes(sequences, np.array([0, 1, 0]), 5, 0.0)
