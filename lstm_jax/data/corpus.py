"""One text in three parts, as tokens: the first trains, the next validates, the last tests."""

import dataclasses
import itertools

import numpy as np

from lstm_jax.data.table import DataError
from lstm_jax.data.tokens import Characters, Subwords, Words
from lstm_jax.options import one_of, positive

KINDS = ("characters", "subwords", "words")
VALIDATED = 0.05
"""The share that is validated where all of it trains."""


@dataclasses.dataclass(frozen=True, eq=False)
class Corpus:
    """A text as tokens of the training part's vocabulary, and where its parts begin."""

    tokens: Characters | Subwords | Words
    ids: np.ndarray
    """int32 ``[N]``, of the whole text."""
    training: int
    """Where the training part ends."""
    validation: int
    """Where the part that validates begins."""
    test: int
    """Where the test part begins."""
    characters: int
    """Of the test part."""

    @classmethod
    def of(cls, text: str, kind: str, size: int, *, validation: float, test: float, name: str = "The text") -> "Corpus":
        """Cut a text into parts at a character, then each part into tokens.

        Args:
            text: all of it.
            kind: "characters", "subwords" or "words".
            size: how many subwords, or words at most.
            validation: the share that validates; 0: the `VALIDATED` share before the test does, and trains, too.
            test: the share that tests.
            name: what an error calls the text.

        Raises:
            DataError: a part would hold fewer than two tokens.
            ValueError: a setting means nothing.
        """
        one_of("tokens", kind, KINDS)
        if not 0 <= validation < 1 - test:
            raise ValueError(
                f"validation must be at least 0 and below {1 - test:g}, for the last {test:.0%} test; got {validation}."
            )
        last = round(len(text) * (1 - test))
        cuts = [0, last - round(len(text) * (validation or VALIDATED)), last, len(text)]
        parts = [text[start:stop] for start, stop in itertools.pairwise(cuts)]
        known = parts[0] if validation else text[:last]
        if kind == "characters":
            tokens = Characters.of(known)
        elif kind == "subwords":
            tokens = Subwords.of(known, size)
        else:
            tokens = Words.of(known, positive("vocabulary_size", size))
        ids = [tokens.encode(part) for part in parts]
        if min(map(len, ids)) < 2:
            raise DataError(f"{name} has {len(text)} characters, too few to train on, validate and test.")
        validates, tests = len(ids[0]), len(ids[0]) + len(ids[1])
        training = validates if validation else tests
        return cls(tokens, np.concatenate(ids), training, validates, tests, len(parts[2]))
