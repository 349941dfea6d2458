"""Pretrained word vectors, text files of GloVe and word2vec, as the first embedding of a vocabulary."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lstm_jax.data.table import DataError


@dataclasses.dataclass(frozen=True, eq=False)
class Vectors:
    """An embedding of a vocabulary."""

    matrix: np.ndarray
    """float32 ``[V, E]``, a row for each id; the words that the file lacks have random ones."""
    known: np.ndarray
    """bool ``[V]``: whether the file has the word."""

    def coverage(self, sequences: Sequence[np.ndarray]) -> float:
        """The share of the tokens of these sequences (int ``[T_i]``) whose vector comes from the file."""
        ids = np.concatenate([np.asarray(sequence) for sequence in sequences])
        return float(self.known[ids].mean())


def read_vectors(path: str | Path, words: Sequence[str], seed: int = 0) -> Vectors:
    """Read the vectors of a vocabulary's words: ``Vectors.matrix[n]`` is that of ``words[n - 1]``; row 0 is random.

    A line is a word and its numbers, white space between them; word2vec's first line, "words numbers", is skipped. The
    file is read line by line, however large. Pennington et al. (2014), "GloVe"; Mikolov et al. (2013), word2vec.

    Args:
        path: the UTF-8 file.
        words: the vocabulary from id 1 on, as `Words.words`.
        seed: of the random rows: normal, mean and standard deviation of those that were found.

    Raises:
        DataError: the file cannot be read, is empty or binary, a line has no numbers or another number of them, or it
            has none of the words.
    """
    path = Path(path)
    wanted = {word.encode(): id for id, word in enumerate(words, start=1)}
    found: dict[int, np.ndarray] = {}
    size = 0
    try:
        with path.open("rb") as file:
            for line, content in enumerate(file, start=1):
                fields = content.split()
                if not fields or (line == 1 and len(fields) == 2 and all(field.isdigit() for field in fields)):
                    continue
                if b"\0" in content:
                    raise DataError(f"{path}, line {line}: byte 0x00 shows a binary file; give the text format.")
                size = size or len(fields) - 1
                if not size:
                    raise DataError(
                        f"{path}, line {line}: there is no word with numbers behind it, spaces between them; give a "
                        "text file of word vectors."
                    )
                if len(fields) <= size:
                    raise DataError(
                        f"{path}, line {line}: the word has {len(fields) - 1} numbers, but that of the first line has "
                        f"{size}; each line must be a word and equally many numbers."
                    )
                # From the right: a few "words" of GloVe have spaces in them.
                id = wanted.get(b" ".join(fields[:-size]))
                if id is not None and id not in found:
                    found[id] = _numbers(path, line, fields[-size:])
    except IsADirectoryError:
        raise DataError(f"{path} is a folder; give the path of a text file of word vectors.") from None
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; check the path of the text file of word vectors.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    if not size:
        raise DataError(f"{path} is empty; it must hold a word and its numbers in each line.")
    if not found:
        raise DataError(f"{path} has none of the {len(words)} words; give vectors of the texts' language and case.")
    known = np.zeros(len(words) + 1, bool)
    known[list(found)] = True
    vectors = np.stack([found[id] for id in sorted(found)])
    matrix = np.random.default_rng(seed).normal(vectors.mean(), vectors.std(), (len(known), size))
    matrix[known] = vectors
    return Vectors(matrix.astype(np.float32), known)


def _numbers(path: Path, line: int, fields: list[bytes]) -> np.ndarray:
    try:
        vector = np.array(fields, np.float64)
    except ValueError:
        vector = np.array([np.nan])
    if not np.isfinite(vector).all():
        raise DataError(f"{path}, line {line}: the vector is not of finite numbers; correct or delete the line.")
    return vector
