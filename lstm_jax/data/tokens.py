"""Text as whole numbers: characters, words or byte-level subwords, each with the vocabulary of its training text.

Id 0 is ``<unk>``: what the training text did not have. It is the filler of padded batches as well, which needs no entry
of its own, for behind a sequence's end nothing is read. The vocabulary begins at id 1.

Source of the subwords: Sennrich, Haddow & Birch (2016), "Neural Machine Translation of Rare Words with Subword Units";
on bytes: Radford et al. (2019), "Language Models are Unsupervised Multitask Learners", section 2.2.
"""

import abc
import collections
import dataclasses
import functools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lstm_jax.data.table import DataError
from lstm_jax.options import positive

UNKNOWN = "<unk>"
"""The name of id 0."""
_BYTES = 256
_WORDS_AND_MARKS = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s]")


@dataclasses.dataclass(frozen=True)
class Tokens(abc.ABC):
    """A vocabulary, and how text is cut into its entries. Equal vocabularies are equal, and hash alike."""

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """How many ids there are, id 0 among them."""

    @abc.abstractmethod
    def encode(self, text: str) -> np.ndarray:
        """The ids of a text, int32 ``[T]``."""

    @abc.abstractmethod
    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """The text of ids ``[T]``.

        Raises:
            ValueError: an id is none of the vocabulary's.
        """

    def token(self, id: int) -> str:
        """The text of one id."""
        return self.decode([id])

    def pieces(self, text: str) -> list[str]:
        """What each id of `encode` stands for in this text, an unknown word as it is written there."""
        return [self.token(id) for id in self.encode(text)]

    def to_json(self) -> dict[str, Any]:
        """The vocabulary as what JSON can hold; `tokens_from_json` reads it."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {"tokens": type(self).__name__, **fields}

    def _checked(self, ids: Sequence[int] | np.ndarray) -> np.ndarray:
        array = np.asarray(ids, np.int64).reshape(-1)
        for id in array[(array < 0) | (array >= self.size)][:1]:
            raise ValueError(f"There is no token {id}: the ids of this vocabulary are 0 to {self.size - 1}.")
        return array


@dataclasses.dataclass(frozen=True)
class Characters(Tokens):
    """One id for each character (Unicode code point). Id 0 is decoded as U+FFFD, the replacement character."""

    characters: str
    """Those of the vocabulary, in the order of their code points: ids 1, 2, ..."""

    @classmethod
    def of(cls, texts: str | Iterable[str]) -> "Characters":
        """All characters of a text, or of several.

        Raises:
            DataError: there is none.
        """
        found: set[str] = set().union(*_texts(texts))
        if not found:
            raise DataError("There is no text to take characters from.")
        return cls("".join(sorted(found)))

    def __post_init__(self) -> None:
        """Refuse what `encode` could not search."""
        if list(self.characters) != sorted(set(self.characters)):
            raise ValueError(
                "Characters must be in the order of their code points, each once; use Characters.of(text)."
            )

    @property
    def size(self) -> int:
        """How many ids there are, id 0 among them."""
        return len(self.characters) + 1

    def encode(self, text: str) -> np.ndarray:
        """The ids of a text, int32 ``[T]``, T its characters."""
        codes, known = _code_points(text), _code_points(self.characters)
        places = np.minimum(np.searchsorted(known, codes), len(known) - 1)
        return np.where(known[places] == codes, places + 1, 0).astype(np.int32)

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """The text of ids ``[T]``; ValueError: an id is none of the vocabulary's."""
        return "".join(np.array(["\ufffd", *self.characters], dtype=object)[self._checked(ids)])


@dataclasses.dataclass(frozen=True)
class Words(Tokens):
    """One id for each word: what stands between white space."""

    words: tuple[str, ...]
    """Those of the vocabulary, the most frequent first: ids 1, 2, ..."""
    marks: bool = False
    """Whether a punctuation mark is a word of its own: "good." is then two words; "don't" and "so-so" stay one."""
    lower: bool = False
    """Whether upper case is read as lower case."""

    @classmethod
    def of(
        cls,
        texts: str | Iterable[str],
        most: int | None = None,
        least: int = 1,
        *,
        marks: bool = False,
        lower: bool = False,
    ) -> "Words":
        """The most frequent words of texts.

        Args:
            texts: a text or several.
            most: how many words at most; None: all.
            least: how often a word must occur.
            marks: whether a punctuation mark is a word of its own.
            lower: whether upper case is read as lower case.

        Raises:
            DataError: no word is left.
            ValueError: ``most`` or ``least`` is no whole number of at least 1.
        """
        positive("least", least)
        if most is not None:
            positive("most", most)
        cut = cls((), marks, lower).pieces
        counts = collections.Counter(word for text in _texts(texts) for word in cut(text))
        counts.pop(UNKNOWN, None)  # some corpora write it where a rare word stood
        frequent = sorted((-count, word) for word, count in counts.items() if count >= least)
        if not frequent:
            raise DataError(f"There is no word in the text that occurs at least {least} times.")
        return cls(tuple(word for _, word in frequent[:most]), marks, lower)

    @property
    def size(self) -> int:
        """How many ids there are, id 0 among them."""
        return len(self.words) + 1

    def encode(self, text: str) -> np.ndarray:
        """The ids of a text, int32 ``[T]``, T its words."""
        return np.array([self._ids.get(word, 0) for word in self.pieces(text)], np.int32)

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """The words of ids ``[T]``, a space between them; ValueError: an id is none of the vocabulary's."""
        return " ".join(self.words[id - 1] if id else UNKNOWN for id in self._checked(ids))

    def pieces(self, text: str) -> list[str]:
        """The words of a text."""
        text = text.lower() if self.lower else text
        return _WORDS_AND_MARKS.findall(text) if self.marks else text.split()

    @functools.cached_property
    def _ids(self) -> dict[str, int]:
        return {word: id for id, word in enumerate(self.words, start=1)}


@dataclasses.dataclass(frozen=True)
class Subwords(Tokens):
    """Pieces of words by byte-pair encoding of UTF-8: frequent words are one piece, and no text is unknown."""

    model: str
    """The tokenizer of the library ``tokenizers``, in its JSON. Its id n is our id n + 1."""

    @classmethod
    def of(cls, texts: str | Iterable[str], size: int = 8000) -> "Subwords":
        """Merge the most frequent pairs of pieces of the texts, until there are ``size`` ids or no pair is left.

        Args:
            texts: a text or several.
            size: how many ids at most: id 0, 256 bytes, and merged pieces.

        Raises:
            DataError: the texts are empty.
            ValueError: ``size`` is below 257.
            ImportError: the library ``tokenizers`` is not installed.
        """
        if positive("size", size) <= _BYTES:
            raise ValueError(f"size must be at least {_BYTES + 1}: each byte is a piece, and id 0; got {size}.")
        library = _library()
        learnt = [text for text in _texts(texts) if text]
        if not learnt:
            raise DataError("There is no text to learn subwords from.")
        tokenizer = library.Tokenizer(library.models.BPE())
        tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = library.decoders.ByteLevel()
        alphabet = library.pre_tokenizers.ByteLevel.alphabet()
        trainer = library.trainers.BpeTrainer(vocab_size=size - 1, initial_alphabet=alphabet, show_progress=False)
        tokenizer.train_from_iterator(learnt, trainer)
        return cls(json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False))

    @property
    def size(self) -> int:
        """How many ids there are, id 0 among them."""
        return self._tokenizer.get_vocab_size() + 1

    def encode(self, text: str) -> np.ndarray:
        """The ids of a text, int32 ``[T]``, T its pieces; id 0 is not among them."""
        return np.array(self._tokenizer.encode(text).ids, np.int32) + np.int32(1)

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """The text of ids ``[T]``: bytes that are no UTF-8 are U+FFFD, id 0 is nothing.

        Raises:
            ValueError: an id is none of the vocabulary's.
        """
        array = self._checked(ids)
        return self._tokenizer.decode((array[array > 0] - 1).tolist(), skip_special_tokens=False)

    @functools.cached_property
    def _tokenizer(self) -> Any:
        return _library().Tokenizer.from_str(self.model)


def tokens_from_json(content: Mapping[str, Any]) -> Characters | Words | Subwords:
    """The vocabulary that `Tokens.to_json` wrote.

    Raises:
        ValueError: it is none.
    """
    fields = dict(content)
    kinds: dict[str, Any] = {kind.__name__: kind for kind in (Characters, Words, Subwords)}
    kind = kinds.get(fields.pop("tokens", ""))
    if kind is None or set(fields) != {field.name for field in dataclasses.fields(kind)}:
        raise ValueError(f"This is no vocabulary of {', '.join(kinds)}: it has {', '.join(content) or 'nothing'}.")
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()})


def _texts(texts: str | Iterable[str]) -> Iterable[str]:
    return [texts] if isinstance(texts, str) else texts


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def _library() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise ImportError("Subwords need the library tokenizers: pip install 'lstm-jax[text]'.") from error
    return tokenizers
