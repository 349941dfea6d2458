"""The n-gram model against its definition, with dictionaries."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax.metrics.ngram import witten_bell


def by_definition(training, tokens, start, vocabulary, order):
    counts, follow = Counter(), defaultdict(Counter)
    for size in range(1, order + 1):
        for place in range(len(training) - size + 1):
            gram = tuple(training[place : place + size])
            counts[gram] += 1
            follow[gram[:-1]][gram[-1]] += 1

    def probability(token, context):
        shorter = probability(token, context[1:]) if context else 1 / vocabulary
        after = follow[context]
        n, t = sum(after.values()), len(after)
        return (after[token] + t * shorter) / (n + t) if n else shorter

    nats = [-np.log(probability(tokens[at], tuple(tokens[at - order + 1 : at]))) for at in range(start, len(tokens))]
    return float(np.mean(nats))


@given(st.integers(2, 5), st.integers(1, 4), st.integers(0, 10**6))
def test_it_is_the_definition(vocabulary, order, seed):
    rng = np.random.default_rng(seed)
    training, tokens = rng.integers(0, vocabulary, 60), rng.integers(0, vocabulary, 30)
    found = witten_bell(training, tokens, 5, vocabulary, order)
    expected = by_definition(training.tolist(), tokens.tolist(), 5, vocabulary, order)
    assert found == pytest.approx(expected, rel=1e-9)


def test_large_vocabularies_are_looked_at_in_shorter_runs():
    rng = np.random.default_rng(0)
    training = rng.integers(0, 2**20, 500)
    assert np.isfinite(witten_bell(training, training, 8, 2**20, 9))
