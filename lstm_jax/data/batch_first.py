"""Arrays as users of Keras and scikit-learn have them, batch first: told from one another, and made `Examples`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lstm_jax.data.examples import MISSING, Examples, checked
from lstm_jax.data.table import DataError


def sequences_of(x: Any, *, vocabulary: int | None) -> list[np.ndarray]:
    """The sequences ``[T_i, D]``, or ``[T_i]`` of tokens, of an array ``[N, T, D]`` or ``[N, T]`` or a list of them.

    Args:
        x: the array or the list.
        vocabulary: they are to be tokens, whole numbers from 0 and below this; None: numbers.

    Raises:
        DataError: they are not.
    """
    tokens = vocabulary is not None
    x = _array(x)
    whole = isinstance(x, np.ndarray)
    if whole and x.dtype != object:
        wanted = "[N, T], whole numbers" if tokens else "[N, T, D]"
        if x.ndim != (2 if tokens else 3) or (tokens and x.dtype.kind not in "iu"):
            advice = "; for one number a step: x[..., None]" if x.ndim == 2 and not tokens else ""
            raise DataError(
                f"x must be an array {wanted} (sequences, steps{'' if tokens else ', features'}) or a list of "
                f"sequences; got {x.dtype} {list(x.shape)}{advice}."
            )
    elif not isinstance(x, Sequence) and not whole:
        raise DataError(f"x must be an array or a list of sequences, got {type(x).__name__}.")
    arrays = checked(list(x))
    if (arrays[0].ndim == 1) != tokens:
        raise DataError(
            f"Each sequence must be {'whole numbers [T], tokens' if tokens else 'numbers [T, D]'}; sequence 0 is "
            f"{arrays[0].dtype} {list(arrays[0].shape)}."
        )
    for number, array in enumerate(arrays if vocabulary is not None else ()):
        if array.min() < 0 or array.max() >= (vocabulary or 0):
            wrong = array.max() if array.min() >= 0 else array.min()
            raise DataError(
                f"x has the token {wrong} in sequence {number}, but the model has vocabulary={vocabulary}: tokens are "
                f"0 to {(vocabulary or 1) - 1}."
            )
    return arrays


def _array(values: Any) -> Any:
    """What pandas, JAX and others hold, as NumPy's."""
    return np.asarray(values) if hasattr(values, "__array__") and not isinstance(values, np.ndarray) else values


def classes_of(y: Any, *, every_step: bool) -> tuple[Any, ...]:
    """The different classes of labels, sorted.

    Raises:
        DataError: there are fewer than two, or they are no labels.
    """
    y = _array(y)
    labels = np.concatenate([np.ravel(one) for one in y]) if every_step and len(y) else np.asarray(y)
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.ndim == 2:
        raise DataError(
            f"y must be a class for each sequence, got {list(labels.shape)}; of one-hot rows: y.argmax(-1)."
        )
    kinds = sorted({type(label).__name__ for label in labels.tolist()}) if labels.dtype == object else []
    if labels.ndim != 1 or not (labels.dtype.kind in "biuUSO" or _whole(labels)) or len(kinds) > 1:
        told = " and ".join(kinds) or labels.dtype
        raise DataError(f"y must be a class for each sequence, all whole numbers or all texts; got {told}.")
    classes = np.unique(labels)
    if len(classes) < 2:
        raise DataError(f"All of y are of one class, {classes.tolist()}: there is nothing to tell apart.")
    return tuple(classes.tolist())


def _whole(labels: np.ndarray) -> bool:
    return labels.dtype.kind == "f" and bool(np.all(labels == np.round(labels)))


def examples_of(
    x: Any, y: Any, *, vocabulary: int | None, classes: tuple[Any, ...] | None, every_step: bool
) -> Examples:
    """Sequences and their targets.

    Args:
        x: as in `sequences_of`.
        y: numbers ``[N]`` or ``[N, K]``, NaN where missing; or labels ``[N]``. With ``every_step`` ``[N, T]`` or
            ``[N, T, K]``, or a list.
        vocabulary: as in `sequences_of`.
        classes: what the labels may be; None: they are numbers.
        every_step: whether each step has a target.

    Raises:
        DataError: they do not fit, or there is a label that is no class.
    """
    sequences = sequences_of(x, vocabulary=vocabulary)
    try:
        rows = [np.asarray(one) for one in _array(y)]
    except TypeError:
        raise DataError(f"y must be an array or a list, got {type(y).__name__}.") from None
    if len(rows) != len(sequences):
        raise DataError(f"x has {len(sequences)} sequences, but y has {len(rows)} targets; give one for each.")
    axes = int(every_step)
    for number, row in enumerate(rows):
        if every_step and row.shape[:1] != (len(sequences[number]),):
            raise DataError(
                f"The model answers at every step: target {number} must be [{len(sequences[number])}, ...], as long as "
                f"its sequence; got {list(row.shape)}."
            )
        if row.ndim == axes + 1 and classes is not None and row.shape[-1] == 1:
            row = rows[number] = row[..., 0]
        if row.ndim not in (axes, axes + (classes is None)):
            raise DataError(f"Target {number} has the shape {list(row.shape)}, which is none of one for a sequence.")
    if classes is not None:
        places = {label: place for place, label in enumerate(classes)}
        rows = [_numbered(row, places) for row in rows]
    else:
        for number, row in enumerate(rows):
            if row.dtype.kind not in "biuf":
                raise DataError(
                    f"Target {number} is no number, but {row.dtype}; for classes: a SequenceClassifier, or "
                    'loss="cross_entropy" of a SequenceTagger.'
                )
        # One number is a vector of one, as the models answer.
        rows = [row.astype(np.float32).reshape(*row.shape[:axes], -1) for row in rows]
        if all(np.isnan(row).all() for row in rows):
            raise DataError("All of y is missing (NaN): there is nothing to learn.")
    return Examples.of(sequences, rows, every_step=every_step)


def _numbered(row: np.ndarray, places: dict[Any, int]) -> np.ndarray:
    labels = row.tolist() if row.ndim else [row.item()]
    unknown = [label for label in labels if label not in places]
    if unknown:
        raise DataError(f"y has the class {unknown[0]!r}; the classes are {', '.join(map(repr, places))}.")
    numbers = np.array([places[label] for label in labels], np.int32)
    return numbers if row.ndim else numbers[0]


def balanced_weights(targets: np.ndarray, classes: int) -> np.ndarray:
    """Weights ``[C]`` with which each class counts as much as the others in all; 1 on average over the targets."""
    known = targets[targets != MISSING]
    counts = np.bincount(known.ravel(), minlength=classes)
    return known.size / (np.maximum(counts, 1) * np.count_nonzero(counts))
