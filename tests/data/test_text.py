"""Text files: what is read, whole, by lines and labelled; how wrong files are refused; folds; made-up reviews."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax.data.table import DataError
from lstm_jax.data.text import generated_reviews, read_labelled_texts, read_lines, read_text, stratified_folds


@pytest.fixture
def write(tmp_path):
    def write(content: str | bytes, name: str = "text.txt") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_reads_text_and_lines(write):
    path = write("\ufeffeins\r\nzwei\u2028drei\r\rvier é\n")
    assert read_text(path) == "eins\nzwei\u2028drei\n\nvier é\n"
    assert read_lines(path) == ["eins", "zwei\u2028drei", "", "vier é"]
    assert read_lines(str(write("a\n\n"))) == ["a", ""]
    assert read_lines(write("a")) == ["a"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty; it must hold text"),
        (b"\xef\xbb\xbf \n\n", "is empty; it must hold text"),
        ("one\ntwo".encode("utf-16"), "line 1: byte 0xff begins a text in UTF-16; save the file as UTF-8"),
        (b"one\ntwo\0", "line 2: byte 0x00 shows a binary file"),
        (b"one\ntwo\nn\xe4chst", "line 3: byte 0xe4 is not UTF-8 text; save the file as UTF-8"),
    ],
)
def test_what_is_no_text(write, content, sentence):
    path = write(content)
    for read in (read_text, read_lines):
        with pytest.raises(DataError, match=sentence) as refusal:
            read(path)
        assert str(refusal.value).startswith(str(path))


def test_no_such_file(tmp_path):
    with pytest.raises(DataError, match=r"none\.txt does not exist; check the path of the text file"):
        read_text(tmp_path / "none.txt")
    with pytest.raises(DataError, match="is a folder; give the path of a text file"):
        read_text(tmp_path)
    with pytest.raises(DataError, match=r"none does not exist; check the path of the folder of texts, or of the table"):
        read_labelled_texts(tmp_path / "none")


def _check(found):
    assert found.texts == ("so bad", "worse , even", "good") and len(found) == 3
    assert found.classes == ("neg", "pos")
    assert found.labels.dtype == np.int32 and found.labels.tolist() == [0, 0, 1]


@pytest.mark.parametrize("names", [("rt.neg", "rt.pos"), ("neg.txt", "pos.txt")])
def test_a_file_for_each_class(write, tmp_path, names):
    write("so bad\n\n worse , even\n", names[0])
    write("good", names[1])
    write("# About these files", "LICENSE.md")
    write("more", "README.txt" if names[0] == "neg.txt" else "notes.txt")
    write("more", ".hidden.txt")
    found = read_labelled_texts(tmp_path)
    _check(found)
    assert found.places == (f"{names[0]}, line 1", f"{names[0]}, line 3", f"{names[1]}, line 1")


@pytest.mark.parametrize(
    "content",
    [
        'label,text\nneg,so bad\nneg,"worse , even"\npos,good\n',
        "id\ttext\tlabel\n1\tso bad\tneg\n2\tworse , even\tneg\n3\tgood\tpos\n",
        '\ufefftext;label\r\nso bad;neg\r\n\r\n"worse , even";neg\r\ngood;pos',
    ],
    ids=["csv", "tsv", "semicolon"],
)
def test_a_table(write, content):
    found = read_labelled_texts(write(content, "reviews.csv"))
    _check(found)
    third = "reviews.csv, line 5" if content.endswith("good;pos") else "reviews.csv, line 4"
    assert found.places[2] == third


def test_classes_may_be_numbers_and_columns_have_other_names(write):
    found = read_labelled_texts(write("stars,review\n5,good\n1,bad\n5,fine\n"), label="stars", text="review")
    assert found.classes == ("1", "5") and found.labels.tolist() == [1, 0, 1]
    part = found.take([2, 0])
    assert part.texts == ("fine", "good") and part.labels.tolist() == [1, 1] and part.classes == ("1", "5")
    assert part.places == ("text.txt, line 4", "text.txt, line 2")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("label,text\na,x\na,y\n", "holds texts of one class only, 'a'; give a table with two classes"),
        (
            "lable,text\na,x\n",
            "line 1: there is no column 'label': did you mean 'lable'\\? choose one of 'lable', 'text'",
        ),
        ("label,review\na,x\n", "line 1: there is no column 'text': choose one of 'label', 'review'"),
        ("label,text\na,x\nb, \n", "line 3: column 'text' holds no text; fill it, or delete the row"),
        ("label,text\na,x\n,y\n", "line 3: column 'label' holds no class; fill it, or delete the row"),
        ("label,text\na,x\nb,y,z\n", "line 3: the row has 3 cells"),
        (b"label,text\na,x\nb,\xe4\n", "line 3: byte 0xe4 is not UTF-8 text"),
        ("", "is empty"),
    ],
)
def test_wrong_tables(write, content, sentence):
    with pytest.raises(DataError, match=sentence):
        read_labelled_texts(write(content))


def test_a_file_of_one_class_is_no_table(write):
    with pytest.raises(DataError, match=r"reviews\.neg is no table, which ends in \.csv .* a folder with one file"):
        read_labelled_texts(write("bad\n", "reviews.neg"))


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "must hold one file for each class, .* it holds nothing"),
        ({"a.neg": "x"}, "must hold one file for each class, .* it holds 'a.neg'"),
        ({"neg.txt": "x"}, "must hold one file for each class"),
        ({"a.neg": "x", "a.pos": "y", "b.neg": "x", "b.pos": "y"}, "must hold one file for each class"),
        ({"a.neg": "x", "a.pos": "\n"}, r"a\.pos is empty"),
        ({"a.neg": b"x\n\xe4", "a.pos": "y"}, r"a\.neg, line 2: byte 0xe4 is not UTF-8"),
    ],
)
def test_wrong_folders(write, tmp_path, files, sentence):
    for name, content in files.items():
        write(content, name)
    with pytest.raises(DataError, match=sentence):
        read_labelled_texts(tmp_path)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=200), st.integers(1, 12), st.integers(0, 3))
def test_folds_are_stratified(labels, folds, seed):
    labels = np.array(labels)
    fold = stratified_folds(labels, folds, seed)
    assert fold.shape == labels.shape and fold.min() >= 0 and fold.max() < folds
    counts = np.bincount(fold, minlength=folds)
    assert counts.max() - counts.min() <= 1
    for one in np.unique(labels):
        of_class = np.bincount(fold[labels == one], minlength=folds)
        assert of_class.max() - of_class.min() <= 1
    np.testing.assert_array_equal(fold, stratified_folds(labels, folds, seed))


def test_folds_are_drawn():
    labels = np.zeros(100, int)
    assert (stratified_folds(labels, 10, 0) != stratified_folds(labels, 10, 1)).any()
    assert (stratified_folds(labels, 10, 0) != np.arange(100) % 10).any()
    with pytest.raises(ValueError, match="folds must be a whole number of at least 1"):
        stratified_folds(labels, 0)


def test_generated_reviews_mean_what_they_say():
    found = generated_reviews(1000)
    assert len(found) == len(set(found.texts)) == 1000
    assert found.labels.mean() == 0.5
    assert found.texts == generated_reviews(1000).texts != generated_reviews(1000, seed=1).texts
    praise = {"good", "clever", "moving", "funny", "fresh", "brilliant", "charming", "honest"}
    for text, label in zip(found.texts, found.labels, strict=True):
        clauses = text.split(" , ")
        decides = 1 if len(clauses) == 2 and not clauses[1].startswith("although") else 0
        words = clauses[decides].removesuffix(" .").split()
        turned = words[-2] in {"not", "hardly"}
        assert ((words[-1] in praise) != turned) == bool(label), text


@pytest.mark.skipif("LSTM_JAX_DATA" not in os.environ, reason="LSTM_JAX_DATA names no folder of public data sets")
def test_movie_reviews():
    found = read_labelled_texts(Path(os.environ["LSTM_JAX_DATA"]) / "sentiment_mr")
    assert found.classes == ("neg", "pos")
    assert np.bincount(found.labels).tolist() == [5331, 5331]
    assert found.texts[0] == "simplistic , silly and tedious ."
    assert found.places[5331] == "rt-polarity.pos, line 1"
