"""Text from files: whole, by lines, or labelled for classification. What is wrong with a file is said here."""

import dataclasses
import difflib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lstm_jax.data import table
from lstm_jax.data.table import MISSING, DataError, read_table
from lstm_jax.options import positive

_THINGS = ("plot", "cast", "script", "music", "ending", "dialogue", "camera", "pace", "hero", "joke")
_PRAISE = ("good", "clever", "moving", "funny", "fresh", "brilliant", "charming", "honest")
_BLAME = ("bad", "dull", "clumsy", "boring", "stale", "awful", "silly", "false")
_TABLES = (".csv", ".tsv", ".txt")
_SEVERAL_FILES = "one file for each class, such as reviews.neg and reviews.pos, or neg.txt and pos.txt, a text a line"


def read_text(path: str | Path) -> str:
    r"""The text of a UTF-8 file, without a byte order mark; lines end in ``\n``, however the file ends them.

    Raises:
        DataError: the file cannot be read, is no text or not UTF-8, or holds nothing but white space.
    """
    text = table.read_text(Path(path), "a text file")
    if not text.strip():
        raise DataError(f"{path} is empty; it must hold text.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_lines(path: str | Path) -> list[str]:
    """The lines of a UTF-8 file, blank ones too: line n is entry n - 1.

    Raises:
        DataError: as `read_text`.
    """
    # Not str.splitlines: it also cuts at separators inside of lines, such as U+2028 and U+0085.
    return read_text(path).removesuffix("\n").split("\n")


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledTexts:
    """N texts, each of a class."""

    texts: tuple[str, ...]
    labels: np.ndarray
    """int32 ``[N]``, places in ``classes``."""
    classes: tuple[str, ...]
    """The classes' names, in the order of the alphabet; two or more."""
    places: tuple[str, ...]
    """Where each text stands: the file's name and the line."""

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Sequence[int] | np.ndarray) -> "LabelledTexts":
        """These rows, of the same classes."""
        chosen = np.asarray(rows, np.int64)
        texts, places = tuple(self.texts[row] for row in chosen), tuple(self.places[row] for row in chosen)
        return LabelledTexts(texts, self.labels[chosen], self.classes, places)

    def parts(self, fold: int, folds: int) -> "tuple[tuple[LabelledTexts, LabelledTexts, LabelledTexts], int]":
        """Training, validation and test, and how many texts training shared with the others, which it is without.

        Args:
            fold: the one that tests, from 0; the next one validates, the others train.
            folds: into how many each class is dealt out, always in the same way.

        Raises:
            DataError: a class is not there to train on, or nothing to validate or test.
            ValueError: there is no such fold.
        """
        if fold not in range(folds):
            raise ValueError(f"fold must be 0 to {folds - 1}, got {fold}.")
        dealt = stratified_folds(self.labels, folds)
        validates = (fold + 1) % folds
        elsewhere = {self.texts[row] for row in np.flatnonzero((dealt == fold) | (dealt == validates))}
        train = np.flatnonzero((dealt != fold) & (dealt != validates))
        kept = [int(row) for row in train if self.texts[row] not in elsewhere]
        parts = (self.take(kept), *(self.take(np.flatnonzero(dealt == part)) for part in (validates, fold)))
        lacking = [name for number, name in enumerate(self.classes) if number not in parts[0].labels]
        if lacking or not all(map(len, parts)):
            what = f"none of class {lacking[0]!r} to train on" if lacking else "too few to validate and test"
            raise DataError(f"The {len(self)} texts leave {what}; give at least {folds} different texts of each class.")
        return (parts[0], parts[1], parts[2]), len(train) - len(kept)


def read_labelled_texts(path: str | Path, label: str = "label", text: str = "text") -> LabelledTexts:
    """Read labelled texts.

    Args:
        path: a folder with a file for each class, a text a line, blank lines skipped (``NAME.neg`` and ``NAME.pos``,
            the ending being the class, or ``neg.txt`` and ``pos.txt``); or a table: a CSV or TSV file with a header.
        label: the table's column with the class; any text or number is a class of its own.
        text: the table's column with the text.

    Raises:
        DataError: a file cannot be read, is no text or not UTF-8, has no such column, a row without a text or a class,
            or all texts are of one class.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path} does not exist; check the path of the folder of texts, or of the table.")
    rows = _from_folder(path) if path.is_dir() else _from_table(path, label, text)
    texts, names, places = zip(*rows, strict=True)
    classes = sorted(set(names))
    if len(classes) < 2:
        needed = f"it must hold {_SEVERAL_FILES}" if path.is_dir() else "give a table with two classes or more"
        raise DataError(f"{path} holds texts of one class only, {classes[0]!r}; {needed}.")
    return LabelledTexts(texts, np.searchsorted(classes, names).astype(np.int32), tuple(classes), places)


def stratified_folds(labels: np.ndarray, folds: int = 10, seed: int = 0) -> np.ndarray:
    """Deal rows out to folds at random so that each fold has equally many of each class, give or take one.

    Args:
        labels: the classes ``[N]``.
        folds: how many.
        seed: of NumPy's generator.

    Returns:
        int ``[N]``, the fold of each row.

    Raises:
        ValueError: ``folds`` is no whole number of at least 1.
    """
    positive("folds", folds)
    generator = np.random.default_rng(seed)
    fold = np.empty(len(labels), np.int64)
    dealt = 0
    for one in np.unique(labels):
        rows = generator.permutation(np.flatnonzero(labels == one))
        # Dealing goes on where the class before ended, or small classes would all fill the first folds.
        fold[rows] = (dealt + np.arange(len(rows))) % folds
        dealt += len(rows)
    return fold


def generated_reviews(count: int = 2000, seed: int = 0) -> LabelledTexts:
    """Make up film reviews whose class hangs on the order of the words, for when there is no file; all are different.

    One or two clauses with a fixed grammar: what one says is turned round by "not" or "hardly" before its adjective,
    and of two the one behind "but" decides, or behind "although" the other one. Half of them are positive.

    Raises:
        ValueError: ``count`` is no whole number of at least 1.
    """
    positive("count", count)
    generator = np.random.default_rng(seed)

    def one(options: Sequence[str]) -> str:
        return options[int(generator.integers(len(options)))]

    def clause(positive: bool) -> str:
        turned = bool(generator.integers(2))
        adverb = one(("not", "hardly")) if turned else one(("", "very", "so"))
        adjective = one(_PRAISE if positive != turned else _BLAME)
        return " ".join(f"{one(('the', 'its', 'this'))} {one(_THINGS)} is {adverb} {adjective}".split())

    made: dict[str, int] = {}
    while len(made) < count:
        label = len(made) % 2
        decides, other = clause(bool(label)), clause(bool(generator.integers(2)))
        text = one(
            (decides, f"{other} , but {decides}", f"{decides} , although {other}", f"although {other} , {decides}")
        )
        made.setdefault(f"{text} .", label)
    places = tuple(f"generated, line {line}" for line in range(1, count + 1))
    return LabelledTexts(tuple(made), np.array(list(made.values()), np.int32), ("negative", "positive"), places)


def _from_folder(folder: Path) -> list[tuple[str, str, str]]:
    """Text, class and place of each line."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    texts = [path for path in files if path.stem.lower() != "readme"]
    by_name = defaultdict(list)
    for path in texts:
        by_name[path.stem].append(path)
    # The same name with several endings, or else text files of several names.
    families = [(paths, [path.suffix[1:] for path in paths]) for paths in by_name.values() if len(paths) > 1]
    plain = [path for path in texts if path.suffix == ".txt"]
    families = families or [(plain, [path.stem for path in plain])]
    if len(families) > 1 or len(families[0][0]) < 2:
        raise DataError(f"{folder} must hold {_SEVERAL_FILES}; it holds {_listed([path.name for path in files])}.")
    rows = []
    for path, name in zip(*families[0], strict=True):
        lines = enumerate(read_lines(path), start=1)
        rows += [(line.strip(), name, f"{path.name}, line {number}") for number, line in lines if line.strip()]
    return rows


def _from_table(path: Path, label: str, text: str) -> list[tuple[str, str, str]]:
    """Text, class and place of each row."""
    if path.exists() and path.suffix.lower() not in _TABLES:
        raise DataError(
            f"{path} is no table, which ends in {' or '.join(_TABLES)}; give one, or a folder with {_SEVERAL_FILES}."
        )
    header, lines, cells = read_table(path)
    for column in (label, text):
        if column not in header:
            near = difflib.get_close_matches(column, header, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise DataError(f"{path}, line 1: there is no column {column!r}: {hint}choose one of {_listed(header)}.")
    rows = []
    for line, row in zip(lines, cells, strict=True):
        name, words = row[header.index(label)], row[header.index(text)]
        if name.lower() in MISSING:
            raise DataError(f"{path}, line {line}: column {label!r} holds no class; fill it, or delete the row.")
        if not words:
            raise DataError(f"{path}, line {line}: column {text!r} holds no text; fill it, or delete the row.")
        rows.append((words, name, f"{path.name}, line {line}"))
    return rows


def _listed(names: Sequence[str], most: int = 10) -> str:
    shown = ", ".join(map(repr, names[:most])) or "nothing"
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
