"""Cylinder, bell, funnel: the mean of many of each is what the definition says."""

import numpy as np

from lstm_jax.data.cylinder_bell_funnel import LABELS, cylinder_bell_funnel


def test_the_means_are_those_of_the_definition():
    made = cylinder_bell_funnel(3000, seed=0)
    values, kinds = np.stack(made.sequences)[..., 0], np.array(made.labels)
    assert values.shape == (3000, 128) and made.labels[:4] == (*LABELS, LABELS[0])
    expected = {label: np.zeros(128) for label in LABELS}
    for t in range(1, 129):
        for a in range(16, 33):
            for width in range(32, 97):
                if a <= t <= a + width:
                    share = (t - a) / width
                    for label, height in zip(LABELS, (1, share, 1 - share), strict=True):
                        expected[label][t - 1] += 6 * height / (17 * 65)
    for label in LABELS:
        # The standard error of a mean of 1,000 is at most about 0.1: (6 + eta) times a random stretch, and noise.
        np.testing.assert_allclose(values[kinds == label].mean(axis=0), expected[label], atol=0.45)
    np.testing.assert_allclose(values[:, :14].std(), 1, rtol=0.03)


def test_the_same_seed_is_the_same_series():
    one, again, other = (np.stack(cylinder_bell_funnel(6, seed).sequences) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
