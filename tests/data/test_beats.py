"""Streams of beats: order, events, use of each beat; the mean beat and the deviation from it."""

import numpy as np
import pytest

from lstm_jax.data import DataError
from lstm_jax.data.beats import NORMAL, beat_stream, check_beats, deviation, generated_beats, halves, mean_beat
from lstm_jax.data.labelled import LabelledSequences
from lstm_jax.metrics.alarms import events_of


def _beats(labels, lengths=None):
    """Beat n holds the number n."""
    lengths = lengths or [3] * len(labels)
    sequences = tuple(np.full((length, 1), n, np.float32) for n, length in enumerate(lengths))
    return LabelledSequences("made", sequences, tuple(labels), tuple(range(1, len(labels) + 1)))


def _order(stream):
    return [int(stream.values[start, 0]) for start in stream.starts]


def test_runs_and_what_is_between_them_are_as_long_as_asked():
    beats = _beats("n" * 50 + "ab" * 7, lengths=[2, 3, 4, 5] * 16)
    stream = beat_stream(beats, "n", seed=3, repeats=4, apart=(2, 5), run=(3, 4))
    order = _order(stream)
    normal = [row < 50 for row in order]
    # Each normal beat four times, once in each round.
    used = [row for row in order if row < 50]
    for turn in range(4):
        assert sorted(used[50 * turn : 50 * (turn + 1)]) == list(range(50))
    assert used[:50] != used[50:100]
    others = [row for row in order if row >= 50]
    assert sorted(others[:14]) == list(range(50, 64))
    text = "".join("n" if one else "a" for one in normal)
    runs = [len(run) for run in text.split("n") if run]
    between = [len(run) for run in text.split("a") if run]
    assert set(runs) == {3, 4} and set(between[:-1]) == {2, 3, 4, 5} and between[-1] <= 5
    assert text[0] == "n" == text[-1]
    # The marks are the beats' own, sample by sample.
    marks = np.concatenate([np.full(len(beats.sequences[row]), row >= 50) for row in order])
    np.testing.assert_array_equal(stream.abnormal, marks)
    np.testing.assert_array_equal(stream.values[:, 0] >= 50, marks)
    assert len(events_of(stream.abnormal)) == len(runs)


def test_the_same_seed_is_the_same_stream():
    beats = _beats("n" * 40 + "a" * 9)
    one, again, other = (beat_stream(beats, "n", seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.values, again.values)
    assert _order(one) != _order(other)


def test_halves_share_no_beat():
    beats = _beats("n" * 7 + "ab" * 2)
    first, second = halves(beats, "n")
    assert sorted(first.lines + second.lines) == list(range(1, 12))
    assert (first.labels.count("n"), len(first)) == (3, 5)
    for part in (first, second):
        assert all(beats.labels[line - 1] == label for line, label in zip(part.lines, part.labels, strict=True))
        assert all(one[0, 0] == line - 1 for line, one in zip(part.lines, part.sequences, strict=True))


def test_the_mean_beat_is_of_normal_ones_as_long_as_they_are():
    beats = _beats("nan", lengths=[2, 5, 3])  # 0, 1, 2
    assert mean_beat(beats, "n").tolist() == [[1], [1], [2]]


def test_the_deviation_is_of_the_last_samples_alone():
    beats = _beats("n" * 30 + "a" * 9, lengths=[3, 4, 2] * 13)
    stream = beat_stream(beats, "n", seed=0, apart=(2, 3))
    mean = np.array([[1.0], [2.0], [4.0]])
    found = deviation(stream, mean)
    squares = []
    for row in _order(stream):
        squares += [(row - mean[min(at, 2), 0]) ** 2 for at in range(len(beats.sequences[row]))]
    expected = [np.mean(squares[max(0, at - 2) : at + 1]) for at in range(len(squares))]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_generated_beats_are_of_two_kinds_in_standard_units():
    beats = generated_beats(50, seed=0)
    assert (len(beats), beats.labels.count("2"), beats.channels) == (50, 20, 1)
    values = np.stack(beats.sequences)[..., 0]
    assert values.shape == (50, 140)
    np.testing.assert_allclose(values.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(values.std(axis=1), 1, rtol=1e-4)
    kinds = np.array(beats.labels)
    apart = values[kinds == "1"].mean(axis=0) - values[kinds == "2"].mean(axis=0)
    assert np.abs(apart).max() > 0.5
    np.testing.assert_array_equal(np.stack(generated_beats(50, seed=0).sequences)[..., 0], values)
    assert not np.array_equal(np.stack(generated_beats(50, seed=1).sequences)[..., 0], values)


@pytest.mark.parametrize(("labels", "least"), [("nnn", 1), ("aa", 1), ("nna", 2)])
def test_beats_of_one_kind_are_refused(labels, least):
    with pytest.raises(DataError, match=r"made has beats of one kind only, or too few: .*, 'n' is normal; it needs"):
        check_beats(_beats(labels), "n", least)
    check_beats(_beats("na"), "n", 1)


def test_pieces_are_the_stream_in_order():
    stream = beat_stream(generated_beats(20, seed=0), NORMAL, seed=0)
    pieces = stream.pieces(100)
    count = len(stream.values) // 100
    assert len(pieces) == count and pieces.every_step
    np.testing.assert_array_equal(np.concatenate(pieces.sequences()), stream.values[: 100 * count])
    np.testing.assert_array_equal(pieces.targets.T.ravel(), stream.abnormal[: 100 * count])
