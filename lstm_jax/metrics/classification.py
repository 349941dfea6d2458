"""How good predicted classes are: confusion matrix, scores of each class, accuracy with its interval."""

import dataclasses
import math
from collections.abc import Mapping
from statistics import NormalDist

import numpy as np


def confusion_matrix(targets: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """How often each class was taken for each: int ``[C, C]``, a row for each true class, a column for each predicted.

    Args:
        targets: true classes ``[N]``, 0 <= class < C.
        predictions: predicted classes ``[N]``.
        classes: C.

    Raises:
        ValueError: shapes that differ, no examples, or a class out of range.
    """
    targets, predictions = np.asarray(targets), np.asarray(predictions)
    if targets.ndim != 1 or targets.shape != predictions.shape or not len(targets):
        raise ValueError(
            f"targets and predictions must be [N] with N at least 1, got {list(targets.shape)} and "
            f"{list(predictions.shape)}."
        )
    both = np.concatenate([targets, predictions])
    if both.min() < 0 or both.max() >= classes:
        raise ValueError(f"Classes must be 0 to {classes - 1}, got {both.min()} to {both.max()}.")
    return np.bincount(targets * classes + predictions, minlength=classes**2).reshape(classes, classes)


@dataclasses.dataclass(frozen=True, eq=False)
class ClassReport:
    """Scores of each class, ``[C]``; a score that would divide by zero is 0."""

    precision: np.ndarray
    """Of what was predicted to be the class, the share that is."""
    recall: np.ndarray
    """Of what is the class, the share that was predicted to be."""
    f1: np.ndarray
    """Harmonic mean of both: ``2 TP / (2 TP + FP + FN)``."""
    support: np.ndarray
    """How many examples of the class there are."""
    predicted: np.ndarray
    """How many were predicted to be the class."""

    @property
    def macro_f1(self) -> float:
        """Mean of F1 over the classes that occur among the targets or the predictions, whatever their support."""
        return float(np.mean(self.f1[self.support + self.predicted > 0]))


def class_report(confusion: np.ndarray) -> ClassReport:
    """Scores of each class from a `confusion_matrix`."""
    confusion = np.asarray(confusion)
    right, support, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return ClassReport(
        precision=_share(right, predicted),
        recall=_share(right, support),
        f1=_share(2 * right, support + predicted),
        support=support,
        predicted=predicted,
    )


def class_scores(
    targets: np.ndarray, predictions: np.ndarray, classes: int, simple: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """What stands beside an accuracy: its `wilson_interval`, macro F1, and the accuracy of simpler predictions.

    Args:
        targets: true classes ``[N]``.
        predictions: predicted classes ``[N]``.
        classes: C.
        simple: predictions that need no network by name, ``[N]`` each.

    Returns:
        "accuracy_low", "accuracy_high", "macro_f1", and "accuracy_NAME" of each simple one.
    """
    confusion = confusion_matrix(targets, predictions, classes)
    low, high = wilson_interval(int(np.trace(confusion)), len(targets))
    beside = {f"accuracy_{name}": float(np.mean(one == targets)) for name, one in simple.items()}
    return {"accuracy_low": low, "accuracy_high": high, "macro_f1": class_report(confusion).macro_f1, **beside}


def wilson_interval(right: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a share, such as an accuracy: right also near 0 and 1 and for few examples.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference"::

        (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)

    Args:
        right: how many of n, 0 <= right <= n.
        n: how many examples, at least 1.
        confidence: probability that such an interval holds the true share.

    Raises:
        ValueError: numbers out of range.
    """
    if not 0 <= right <= n or n < 1 or not 0 < confidence < 1:
        raise ValueError(
            f"An interval needs 0 <= right <= n, n >= 1 and 0 < confidence < 1, got {right, n, confidence}."
        )
    z, p = NormalDist().inv_cdf((1 + confidence) / 2), right / n
    middle = p + z**2 / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return part / np.maximum(whole, 1)
