"""A text as streams: each row goes on where it ended; what is scored is scored once, after what came before it."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax.data import DataError
from lstm_jax.data.streams import Scored, Streams


@given(st.integers(40, 200), st.integers(1, 4), st.integers(1, 7), st.integers(0, 3))
def test_rows_go_on_where_they_ended(count, rows, window, epoch):
    streams = Streams(np.arange(count, dtype=np.int32), rows, window)
    key = jax.random.key(1)
    steps = range(epoch * streams.steps_per_epoch, (epoch + 1) * streams.steps_per_epoch)
    batches = [streams.batch(key, step) for step in steps]
    inputs, targets = (np.concatenate([np.asarray(b[name]) for b in batches]) for name in ("inputs", "targets"))
    np.testing.assert_array_equal(targets, inputs + 1)
    np.testing.assert_array_equal(np.diff(inputs, axis=0), 1)
    assert inputs.min() >= 0 and targets.max() < count
    assert [bool(b["first"]) for b in batches] == [True] + [False] * (len(batches) - 1)
    # No token is in two rows, and few are in none.
    assert len(np.unique(inputs)) == inputs.size >= count - (rows + 1) * window - rows - 1


def test_epochs_are_cut_at_other_places():
    streams = Streams(np.arange(1000, dtype=np.int32), 2, 50)
    firsts = {int(streams.batch(jax.random.key(0), e * streams.steps_per_epoch)["inputs"][0, 0]) for e in range(8)}
    assert len(firsts) > 4 and max(firsts) < 50


@given(st.integers(2, 120), st.data(), st.integers(1, 9), st.integers(1, 8), st.integers(0, 20))
def test_each_token_is_scored_once_after_its_warm_up(count, draw, rows, window, warmup):
    start = draw.draw(st.integers(1, count - 1))
    stop = draw.draw(st.integers(start + 1, count))
    scored = Scored.of(np.arange(count), start, stop, rows=rows, window=window, warmup=warmup)
    inputs, targets = (array.reshape(-1, array.shape[2]) for array in (scored.inputs, scored.targets))
    known = targets >= 0
    assert sorted(targets[known]) == list(range(start, stop))
    np.testing.assert_array_equal(inputs[known], targets[known] - 1)
    for row in range(targets.shape[1]):
        first = int(np.argmax(known[:, row]))
        before = inputs[: first + 1, row]
        context = min(warmup, targets[first, row])
        assert len(before) >= context
        np.testing.assert_array_equal(before[len(before) - context :], targets[first, row] - np.arange(context, 0, -1))


def test_too_little_text_is_refused():
    with pytest.raises(DataError, match="20 tokens are too few for 4 rows of windows of 5"):
        Streams(np.zeros(20, np.int32), 4, 5)
    with pytest.raises(DataError, match="no tokens from 5 to 5 in a text of 9"):
        Scored.of(np.zeros(9, np.int32), 5, 5, rows=1, window=1, warmup=0)


def test_what_is_told_of_tokens_comes_in_the_order_of_the_text():
    tokens = np.arange(50)
    scored = Scored.of(tokens, 13, 47, rows=3, window=4, warmup=5)
    np.testing.assert_array_equal(scored.in_order(scored.targets), tokens[13:47])
