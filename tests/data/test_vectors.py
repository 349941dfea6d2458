"""Word vectors: both text formats, what the file lacks, how wrong files are refused."""

import numpy as np
import pytest

from lstm_jax.data.table import DataError
from lstm_jax.data.vectors import read_vectors

GLOVE = "the 0.5 -1.0 2e0\nnaïve 1 2 3\n. . . 7 8 9\nthe 4 4 4\n2008 1 1 1\n"


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "vectors.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize("content", [GLOVE, f"5 3\n{GLOVE}", GLOVE.replace("\n", " \n")], ids=["glove", "w2v", "space"])
def test_rows_are_those_of_the_words(write, content):
    vectors = read_vectors(write(content), ("naïve", "zebra", "the", ". . ."))
    assert vectors.matrix.shape == (5, 3) and vectors.matrix.dtype == np.float32
    assert vectors.known.tolist() == [False, True, False, True, True]
    np.testing.assert_array_equal(vectors.matrix[[1, 3, 4]], [[1, 2, 3], [0.5, -1, 2], [7, 8, 9]])  # a word's first


def test_what_the_file_lacks_is_random_and_alike(write):
    words = ("the", *(f"word{n}" for n in range(2000)))
    matrix = read_vectors(write("the 1 3 1 3\n"), words).matrix
    others = np.delete(matrix, 1, axis=0)
    assert others.mean() == pytest.approx(2, abs=0.05) and others.std() == pytest.approx(1, abs=0.05)
    np.testing.assert_array_equal(matrix, read_vectors(write("the 1 3 1 3\n"), words).matrix)
    assert (matrix[2:] != read_vectors(write("the 1 3 1 3\n"), words, seed=1).matrix[2:]).any()


def test_coverage_counts_tokens(write):
    vectors = read_vectors(write(GLOVE), ("the", "zebra"))
    assert vectors.coverage([np.array([1, 1, 2]), np.array([0])]) == 0.5


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is empty; it must hold a word and its numbers"),
        ("5 3\n", "is empty; it must hold a word and its numbers"),
        ("the\ncat\n", "line 1: there is no word with numbers behind it, spaces between"),
        ("the 1 2\ncat 1\n", "line 2: the word has 1 numbers, but that of the first line has 2"),
        ("a 1 2\nthe 1 x\n", "line 2: the vector is not of finite numbers"),
        ("a 1 2\nthe 1 nan\n", "line 2: the vector is not of finite numbers"),
        (b"3 2\nthe \x00\x01\x02\n", "line 2: byte 0x00 shows a binary file; give the text format"),
        ("der 1 2\n", "has none of the 1 words; give vectors of the texts' language and case"),
    ],
)
def test_wrong_files(write, content, sentence):
    with pytest.raises(DataError, match=sentence):
        read_vectors(write(content), ("the",))


def test_no_such_file(tmp_path):
    with pytest.raises(DataError, match="does not exist; check the path"):
        read_vectors(tmp_path / "none.txt", ("the",))
    with pytest.raises(DataError, match="is a folder; give the path"):
        read_vectors(tmp_path, ("the",))
