"""Heartbeats put together to a long stream, in which runs of abnormal beats are the events to be told."""

import dataclasses

import numpy as np

from lstm_jax.data.examples import Examples, padded
from lstm_jax.data.labelled import LabelledSequences
from lstm_jax.data.table import DataError
from lstm_jax.data.windows import Standardizer
from lstm_jax.metrics.alarms import events_of
from lstm_jax.options import positive

STEPS = 140
TRAINING_REPEATS, VALIDATION_REPEATS = 20, 10
NORMAL, ABNORMAL = "1", "2"
# The waves P, Q, R, S, T: height, place as a share of the beat, width as a share of the beat.
_WAVES = {
    NORMAL: ((0.2, 0.2, 0.025), (-0.15, 0.35, 0.012), (1.2, 0.38, 0.012), (-0.25, 0.41, 0.012), (0.35, 0.65, 0.05)),
    ABNORMAL: ((0.0, 0.2, 0.025), (-0.1, 0.33, 0.02), (1.1, 0.38, 0.028), (-0.45, 0.45, 0.03), (0.05, 0.65, 0.06)),
}


def generated_beats(rows: int, seed: int, abnormal: float = 0.4) -> LabelledSequences:
    """Beats of 140 values each, a bell curve a wave, with noise; in standard units, as the UCR archive has them.

    Abnormal beats have no P wave, a wide R, and hardly a T; heights, places and widths vary from beat to beat, so that
    some of either kind look alike.

    Args:
        rows: how many beats.
        seed: of the draw.
        abnormal: the share of abnormal ones.
    """
    rng = np.random.default_rng(seed)
    t = np.arange(STEPS) / STEPS
    labels = np.where(np.arange(positive("rows", rows)) < round(abnormal * rows), ABNORMAL, NORMAL)
    beats = []
    for label in rng.permutation(labels):
        waves = np.array(_WAVES[label])
        heights = waves[:, 0] * rng.normal(1, 0.25, len(waves)) + rng.normal(0, 0.08, len(waves))
        places = waves[:, 1] + rng.normal(0, 0.012, len(waves))
        widths = waves[:, 2] * np.exp(rng.normal(0, 0.25, len(waves)))
        beat = (heights * np.exp(-0.5 * ((t[:, None] - places) / widths) ** 2)).sum(axis=1)
        beat += rng.normal(0, 0.06, STEPS)
        beats.append((label, ((beat - beat.mean()) / beat.std())[:, None].astype(np.float32)))
    kinds, sequences = zip(*beats, strict=True)
    return LabelledSequences("The generated beats", sequences, tuple(map(str, kinds)), tuple(range(1, rows + 1)))


@dataclasses.dataclass(frozen=True, eq=False)
class Stream:
    """One long recording."""

    values: np.ndarray
    """``[samples, D]``."""
    abnormal: np.ndarray
    """bool ``[samples]``: whether the sample belongs to an abnormal beat."""
    starts: np.ndarray
    """The first sample of each beat."""

    def pieces(self, context: int) -> Examples:
        """Pieces of ``context`` samples, one behind the other, each sample with its mark; the rest is left out."""
        count = len(self.values) // context
        values = self.values[: count * context].reshape(count, context, -1)
        marks = self.abnormal[: count * context].reshape(count, context).astype(np.float32)
        lengths = np.full(count, context, np.int32)
        return Examples(np.ascontiguousarray(values.swapaxes(0, 1)), lengths, np.ascontiguousarray(marks.T), True)


def beat_stream(
    beats: LabelledSequences,
    normal: str,
    *,
    seed: int,
    repeats: int = 1,
    apart: tuple[int, int] = (8, 24),
    run: tuple[int, int] = (3, 6),
) -> Stream:
    """Put beats one behind the other: normal ones, a run of abnormal ones, normal ones, and so on.

    How many of either follow one another is drawn evenly from a range. Beats are drawn without putting them back; when
    none is left, all are there again. The stream ends when each normal beat was used ``repeats`` times.

    Args:
        beats: normal and abnormal ones.
        normal: the label of the normal ones; all others are abnormal.
        seed: of the draw.
        repeats: how often each normal beat is used.
        apart: the fewest and the most normal beats between two runs.
        run: the fewest and the most abnormal beats of a run.
    """
    rng = np.random.default_rng(seed)
    kinds = np.array(beats.labels) != normal
    stocks: dict[bool, list[int]] = {True: [], False: []}

    def draw(kind: bool) -> int:
        if not stocks[kind]:
            stocks[kind] = rng.permutation(np.flatnonzero(kinds == kind)).tolist()
        return stocks[kind].pop()

    left, order = positive("repeats", repeats) * int((~kinds).sum()), []
    while left:
        count = min(left, int(rng.integers(apart[0], apart[1] + 1)))
        left -= count
        order += [draw(False) for _ in range(count)]
        if left:  # after each event there is something to compare it with
            order += [draw(True) for _ in range(rng.integers(run[0], run[1] + 1))]
    lengths = np.array([len(beats.sequences[row]) for row in order])
    return Stream(
        values=np.concatenate([beats.sequences[row] for row in order]),
        abnormal=np.repeat(kinds[order], lengths),
        starts=np.cumsum(lengths) - lengths,
    )


def streams_of(
    known: LabelledSequences, test: LabelledSequences, normal: str, context: int
) -> tuple[dict[str, Stream], np.ndarray]:
    """Streams to train, validate and test on.

    One half of the known beats trains, each normal one in 20 places, the other validates, each normal one in 10.

    Args:
        known: beats of which much is known.
        test: others.
        normal: the label of the normal ones.
        context: samples that a stream has at least.

    Returns:
        The streams "train", "validation" and "test", in the training stream's standard units, and the mean normal
        training beat ``[T, D]`` in these units.

    Raises:
        DataError: a file has beats of one kind only, they have other channels, or a stream is too short or has no
            event.
    """
    check_beats(known, normal, least=2)
    check_beats(test, normal, least=1)
    if known.channels != test.channels:
        raise DataError(f"{test.path} has {test.channels} channels, but {known.path} has {known.channels}.")
    train, validation = halves(known, normal)
    streams = {
        "train": beat_stream(train, normal, seed=0, repeats=TRAINING_REPEATS),
        "validation": beat_stream(validation, normal, seed=1, repeats=VALIDATION_REPEATS),
        "test": beat_stream(test, normal, seed=2),
    }
    for part, stream in streams.items():
        samples, events = len(stream.values), len(events_of(stream.abnormal))
        if samples < context or not events:
            raise DataError(
                f"The {part} beats make a stream of {samples} samples with {events} events; it needs {context} "
                "samples and an event: give more beats or a smaller --context."
            )
    scale = Standardizer.fit(streams["train"].values, axis=0)
    for part, one in streams.items():
        streams[part] = dataclasses.replace(one, values=scale.apply(one.values).astype(np.float32))
    return streams, scale.apply(mean_beat(train, normal))


def check_beats(file: LabelledSequences, normal: str, least: int) -> None:
    """Raise DataError where there are fewer than ``least`` normal beats, or others."""
    ordinary = file.labels.count(normal)
    if min(ordinary, len(file) - ordinary) < least:
        found = ", ".join(f"{file.labels.count(label)} of {label!r}" for label in sorted(set(file.labels)))
        raise DataError(
            f"{file.path} has beats of one kind only, or too few: {found}, {normal!r} is normal; it needs {least} "
            "normal ones and as many others at least."
        )


def halves(beats: LabelledSequences, normal: str) -> tuple[LabelledSequences, LabelledSequences]:
    """Half of the normal beats and half of the others, always the same ones, and the rest."""
    kinds, rng = np.array(beats.labels) == normal, np.random.default_rng(0)
    drawn = [rng.permutation(np.flatnonzero(kinds == kind)) for kind in (True, False)]
    first = np.concatenate([rows[: len(rows) // 2] for rows in drawn])
    second = np.concatenate([rows[len(rows) // 2 :] for rows in drawn])
    return beats.take(first), beats.take(second)


def mean_beat(beats: LabelledSequences, normal: str) -> np.ndarray:
    """The mean of the normal beats ``[T, D]``, T that of the longest; at each step of those that are as long."""
    ordinary = [one for one, label in zip(beats.sequences, beats.labels, strict=True) if label == normal]
    whole = padded(ordinary)
    counts = (np.arange(len(whole))[:, None] < np.array([len(one) for one in ordinary])).sum(axis=1)
    return whole.sum(axis=1, dtype=np.float64) / counts[:, None]


def deviation(stream: Stream, mean: np.ndarray) -> np.ndarray:
    """How far the last T samples are from a mean beat ``[T, D]``: the mean square ``[samples]``, of the past alone."""
    samples, window = len(stream.values), len(mean)
    beats = np.searchsorted(stream.starts, np.arange(samples), side="right") - 1
    places = np.minimum(np.arange(samples) - stream.starts[beats], window - 1)
    sums = np.cumsum(np.mean((stream.values - mean[places]) ** 2, axis=1))
    before = np.concatenate([np.zeros(window), sums])[:samples]
    return (sums - before) / np.minimum(np.arange(1, samples + 1), window)
