"""Tokens: round trips, what is unknown, the order of ids, how vocabularies are stored and refused."""

import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax.data.table import DataError
from lstm_jax.data.tokens import Characters, Subwords, Words, tokens_from_json

TEXTS = ["the cat sat on the mat .", "the dog , naïve as ever , sat too .", "日本 語"]


@pytest.fixture(scope="module")
def subwords():
    pytest.importorskip("tokenizers", reason="the extra 'text' is not installed")
    return Subwords.of(TEXTS * 3, size=300)


@given(st.text(min_size=1))
def test_characters_come_back(text):
    tokens = Characters.of(text)
    ids = tokens.encode(text)
    assert ids.dtype == np.int32 and ids.shape == (len(text),)
    assert tokens.decode(ids) == text
    assert tokens.size == len(set(text)) + 1
    assert ids.min() >= 1 and ids.max() < tokens.size


@given(st.text(min_size=1), st.text())
def test_characters_are_numbered_by_their_code_points_and_others_are_unknown(learnt, text):
    known = sorted(set(learnt))
    expected = [known.index(character) + 1 if character in known else 0 for character in text]
    tokens = Characters.of([learnt[:1], learnt[1:]])
    assert tokens.encode(text).tolist() == expected
    assert tokens.decode(expected) == "".join(c if c in known else "\ufffd" for c in text)


@given(st.lists(st.text(), min_size=1).filter(lambda texts: any(text.split() for text in texts)), st.booleans())
def test_words_come_back_up_to_white_space(texts, marks):
    texts = [text.replace("<unk>", "") for text in texts] + ["word"]
    tokens = Words.of(texts, marks=marks)
    for text in texts:
        ids = tokens.encode(text)
        assert ids.dtype == np.int32
        assert 0 not in ids
        assert "".join(tokens.decode(ids).split()) == "".join(text.split())
        if not marks:
            assert tokens.decode(ids) == " ".join(text.split())


def test_words_are_counted():
    tokens = Words.of(["b a b", "c b a d"])
    assert tokens.words == ("b", "a", "c", "d")
    assert tokens.encode("d b zebra b").tolist() == [4, 1, 0, 1]
    assert tokens.decode([4, 0]) == "d <unk>"
    assert Words.of(["b a b", "c b a d"], least=2).words == ("b", "a")
    assert Words.of(["b a b", "c b a d"], most=1).words == ("b",)
    assert Words.of("b a b").words == ("b", "a")  # one text, not its letters


def test_a_corpus_own_unknown_word_is_id_0():
    tokens = Words.of("a <unk> <unk> b")
    assert tokens.words == ("a", "b")
    assert tokens.encode("<unk> b").tolist() == [0, 2]


def test_marks_and_case():
    tokens = Words.of("Don't stop: it's a well-made, so-so film (really)!", marks=True, lower=True)
    assert tokens.pieces("Don't stop: well-made, «so»!") == [
        "don't",
        "stop",
        ":",
        "well-made",
        ",",
        "«",
        "so",
        "»",
        "!",
    ]
    assert 0 not in tokens.encode("DON'T stop, film!")
    assert Words.of("Good. good.").words == ("Good.", "good.")


def test_unknown_words_are_shown_as_they_are_written():
    tokens = Words.of("a b")
    assert tokens.pieces("a zebra b") == ["a", "zebra", "b"]
    assert [tokens.token(id) for id in tokens.encode("a zebra b")] == ["a", "<unk>", "b"]


@given(text=st.text() | st.sampled_from(["<unk>", " <unk> a", "the  cat\n\n sat", "Ġ Ċ"]))
def test_subwords_come_back(subwords, text):
    ids = subwords.encode(text)
    assert ids.dtype == np.int32
    assert 0 not in ids
    assert subwords.decode(ids) == text
    assert np.all(ids < subwords.size)


def test_subwords_merge_what_is_frequent(subwords):
    assert 257 < subwords.size <= 300
    assert len(subwords.encode("the cat")) < len("the cat")
    assert Subwords.of("abc abc", size=257).size == 257
    assert "".join(subwords.pieces("the cat sat")) == "the cat sat"
    assert subwords.decode([0]) == ""


def test_subwords_are_the_same_each_time(subwords):
    assert Subwords.of(TEXTS * 3, size=300) == subwords


@pytest.mark.parametrize("tokens", [Characters.of(TEXTS), Words.of(TEXTS, marks=True, lower=True)], ids=["c", "w"])
def test_to_json_and_back(tokens):
    _check_json(tokens)


def test_subwords_to_json_and_back(subwords):
    _check_json(subwords)


def _check_json(tokens):
    again = tokens_from_json(json.loads(json.dumps(tokens.to_json())))
    assert again == tokens and hash(again) == hash(tokens)
    assert again.size == tokens.size
    for text in [*TEXTS, "Other: zebra"]:
        np.testing.assert_array_equal(again.encode(text), tokens.encode(text))


@pytest.mark.parametrize("content", [{}, {"tokens": "Letters"}, {"tokens": "Words"}, {"tokens": "Characters", "a": 1}])
def test_what_is_no_vocabulary(content):
    with pytest.raises(ValueError, match="no vocabulary of Characters, Words, Subwords"):
        tokens_from_json(content)


@pytest.mark.parametrize("id", [-1, 5])
def test_ids_that_are_none(id):
    with pytest.raises(ValueError, match=rf"no token {id}: the ids of this vocabulary are 0 to 4"):
        Characters("abcd").decode([1, id])
    with pytest.raises(ValueError, match=rf"no token {id}: the ids of this vocabulary are 0 to 4"):
        Words(("a", "b", "c", "d")).token(id)


def test_an_id_that_is_no_subword(subwords):
    with pytest.raises(ValueError, match="There is no token"):
        subwords.decode([subwords.size])


@pytest.mark.parametrize("texts", ["", [], [""]])
def test_no_text(texts):
    with pytest.raises(DataError, match="There is no text"):
        Characters.of(texts)
    with pytest.raises(DataError, match="There is no word in the text"):
        Words.of(texts)


def test_no_text_for_subwords(subwords):
    with pytest.raises(DataError, match="There is no text to learn subwords from"):
        Subwords.of(["", ""])


def test_wrong_settings():
    with pytest.raises(ValueError, match="least must be a whole number of at least 1"):
        Words.of("a", least=0)
    with pytest.raises(ValueError, match="most must be a whole number of at least 1"):
        Words.of("a", most=0)
    with pytest.raises(ValueError, match="size must be at least 257"):
        Subwords.of("a", size=256)
    with pytest.raises(DataError, match="occurs at least 3 times"):
        Words.of("a b a", least=3)
    with pytest.raises(ValueError, match="in the order of their code points"):
        Characters("ba")


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ImportError, match=r"lstm-jax\[text\]"):
        Subwords.of("a")
