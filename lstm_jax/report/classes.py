"""How well classes were told, in the files of a run folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
import numpy as np

from lstm_jax.metrics.classification import class_report, confusion_matrix
from lstm_jax.report.confusion import confusion_picture
from lstm_jax.report.rows import write_rows


def report_classes(
    folder: Path,
    classes: Sequence[str],
    targets: np.ndarray,
    logits: np.ndarray,
    places: Sequence[object],
    columns: Mapping[str, Sequence[object] | np.ndarray],
) -> None:
    """Write what was told of each test example, the scores of each class, and which was taken for which.

    Args:
        folder: gets ``predictions.csv`` (a row for each example), ``classes.csv`` (precision, recall, F1 and support of
            each class) and ``plots/confusion.png``.
        classes: their names.
        targets: the true classes, int ``[N]``.
        logits: what the network said, ``[N, C]``.
        places: where each example stands in its file, ``[N]``.
        columns: further columns of the predictions by name, ``[N]`` each; whole numbers in an array are classes.

    Raises:
        ImportError: matplotlib is not installed.
    """
    names, found = np.array(classes), logits.argmax(axis=-1)
    likely = np.asarray(jax.nn.softmax(logits)).max(axis=-1)
    more = [names[one] if isinstance(one, np.ndarray) and one.dtype.kind in "iu" else one for one in columns.values()]
    rows = zip(places, names[targets], names[found], (f"{one:.4f}" for one in likely), *more, strict=True)
    write_rows(folder / "predictions.csv", ["place", "truth", "predicted", "probability", *columns], rows)
    confusion = confusion_matrix(targets, found, len(classes))
    about = class_report(confusion)
    numbers = zip(about.precision, about.recall, about.f1, about.support, strict=True)
    rows = ([name, *(f"{one:.6g}" for one in its)] for name, its in zip(classes, numbers, strict=True))
    write_rows(folder / "classes.csv", ["class", "precision", "recall", "f1", "support"], rows)
    title = f"test accuracy {np.mean(found == targets):.1%} of {len(targets)}"
    confusion_picture(folder / "plots" / "confusion.png", confusion, classes, title)
