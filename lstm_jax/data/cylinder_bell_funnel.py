"""Cylinder, bell, funnel: generated series of three classes."""

import numpy as np

from lstm_jax.data.labelled import LabelledSequences
from lstm_jax.options import positive

STEPS = 128
LABELS = ("cylinder", "bell", "funnel")


def cylinder_bell_funnel(rows: int, seed: int) -> LabelledSequences:
    """Series of a raised stretch each: level, rising or falling (Saito 1994, "Local feature extraction").

    At step t of 1 to 128, with the stretch from a to b and all of eta and e(t) normal::

        cylinder  (6 + eta) [a <= t <= b] + e(t)
        bell      (6 + eta) [a <= t <= b] (t - a) / (b - a) + e(t)
        funnel    (6 + eta) [a <= t <= b] (b - t) / (b - a) + e(t)

    a is a whole number of 16 to 32, b - a one of 32 to 96.

    Args:
        rows: how many series; the classes take turns.
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    t, kinds = np.arange(1, STEPS + 1), np.arange(positive("rows", rows)) % 3
    series = []
    for kind in kinds:
        start, width = rng.integers(16, 33), rng.integers(32, 97)
        way = (t - start) / width
        shape = (np.ones(STEPS), way, 1 - way)[kind]
        raised = (t >= start) & (t <= start + width)
        values = (6 + rng.normal()) * raised * shape + rng.normal(size=STEPS)
        series.append(values[:, None].astype(np.float32))
    labels = tuple(LABELS[kind] for kind in kinds)
    return LabelledSequences("The generated series", tuple(series), labels, tuple(range(1, rows + 1)))
