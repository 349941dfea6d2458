"""An interpolated n-gram model: what a language model without a network scores."""

import numpy as np


def witten_bell(training: np.ndarray, tokens: np.ndarray, start: int, vocabulary: int, order: int) -> float:
    """Mean ``-log p`` in nats of ``tokens[start:]``, each told from the ``order - 1`` before it.

    ``p_k(w | c) = (n(c w) + t(c) p_{k-1}(w | c')) / (n(c) + t(c))``: n counts in the training tokens, t(c) is how many
    different tokens follow c there, c' lacks the oldest token; ``p_0`` is uniform (Witten & Bell 1991, "The
    Zero-Frequency Problem", method C, interpolated: Chen & Goodman 1999, section 2.4).

    Args:
        training: whole numbers ``[N]``, what is counted.
        tokens: ``[M]``.
        start: the first one that is scored, at least ``order - 1``.
        vocabulary: V; all tokens are below it.
        order: at most so many tokens are looked at together; fewer where their combinations would not fit 63 bits.
    """
    order = max(1, min(order, int(62 / np.log2(max(vocabulary, 2)))))
    probability = np.full(len(tokens) - start, 1.0 / vocabulary)
    for size in range(1, order + 1):
        grams, counts = np.unique(_grams(training, size, vocabulary), return_counts=True)
        contexts, first, kinds = np.unique(grams // vocabulary, return_index=True, return_counts=True)
        totals = np.add.reduceat(counts, first)
        asked = _grams(tokens, size, vocabulary)[start - size + 1 :]
        n_gram = _looked_up(grams, counts, asked)
        n_context, t_context = (_looked_up(contexts, values, asked // vocabulary) for values in (totals, kinds))
        seen = n_context > 0
        mixed = (n_gram + t_context * probability) / np.maximum(n_context + t_context, 1)
        probability = np.where(seen, mixed, probability)
    return float(-np.mean(np.log(probability)))


def _grams(tokens: np.ndarray, size: int, vocabulary: int) -> np.ndarray:
    """Each run of ``size`` tokens as one number."""
    numbers = np.zeros(len(tokens) - size + 1, np.int64)
    for place in range(size):
        numbers = numbers * vocabulary + tokens[place : len(tokens) - size + 1 + place]
    return numbers


def _looked_up(keys: np.ndarray, values: np.ndarray, asked: np.ndarray) -> np.ndarray:
    places = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    return np.where(keys[places] == asked, values[places], 0)
