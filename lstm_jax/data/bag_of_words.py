"""A classifier of token sequences that takes no network: naive Bayes on which tokens occur, in whatever order."""

from collections.abc import Callable, Sequence

import numpy as np

from lstm_jax.options import above_zero


def fit_naive_bayes(
    sequences: Sequence[np.ndarray], labels: np.ndarray, vocabulary: int, smoothing: float = 1.0
) -> Callable[[Sequence[np.ndarray]], np.ndarray]:
    """Fit multinomial naive Bayes, each token counted once a sequence.

    With n_cw the sequences of class c that hold token w, and V tokens, a sequence that holds the tokens S scores::

        log p(c) + sum_{w in S} log((n_cw + smoothing) / (sum_v n_cv + V smoothing))

    Wang & Manning (2012), "Baselines and Bigrams: Simple, Good Sentiment and Topic Classification", section 2.1
    (binarised MNB, unigrams).

    Args:
        sequences: N arrays of tokens, int ``[T_i]``.
        labels: their classes ``[N]``, int from 0.
        vocabulary: V, how many tokens there are.
        smoothing: what is added to each count.

    Returns:
        ``scores(sequences) -> [M, C]``: the classes' log joint probabilities.

    Raises:
        ValueError: ``smoothing`` is not above 0.
    """
    above_zero("smoothing", smoothing)
    classes = int(labels.max()) + 1
    counts = np.full((classes, vocabulary), smoothing)
    for sequence, label in zip(sequences, labels, strict=True):
        counts[label, np.unique(sequence)] += 1
    weights = np.log(counts / counts.sum(axis=1, keepdims=True))
    present = np.bincount(labels, minlength=classes)
    prior = np.log(np.maximum(present, 0.5) / len(labels))  # a class without examples is unlikely, not impossible

    def scores(sequences: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack([prior + weights[:, np.unique(sequence)].sum(axis=1) for sequence in sequences])

    return scores
