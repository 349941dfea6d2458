"""Labelled sequences from files: each format, gaps and ends, classes, and one sentence for each way to be wrong."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax.data import DataError
from lstm_jax.data.labelled import number_classes, read_sequences

HEAD = "# told\n@problemName made\n@timeStamps false\n@univariate false\n@classLabel true a b\n@data\n"


def _file(tmp_path, content, name="some.tsv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def _values(read):
    return [sequence.tolist() for sequence in read.sequences]


@pytest.mark.parametrize("separator", ["\t", ",", "  "])
def test_ucr_rows_are_a_class_and_values(tmp_path, separator):
    rows = [["1", "0.5", "-2e-1"], ["-1.0000e+00", "3", "4"], ["b c" if separator != "  " else "b", "5", "6"]]
    content = "\n".join(separator.join(row) for row in rows) + "\n\n"
    read = read_sequences(_file(tmp_path, content, "some.txt"))
    assert _values(read) == [[[0.5], [np.float32(-0.2)]], [[3], [4]], [[5], [6]]]
    assert read.labels == ("1", "-1", rows[2][0])
    assert read.lines == (1, 2, 3) and len(read) == 3 and read.channels == 1 and not read.missing
    assert all(sequence.dtype == np.float32 for sequence in read.sequences)


def test_a_row_ends_where_its_values_do_and_gaps_are_filled_from_before(tmp_path):
    read = read_sequences(_file(tmp_path, "1\t1\t2\tNaN\tNaN\n2\t?\t3\tnan\t4\r\n1\t5\t\t6\t\n"))
    assert _values(read) == [[[1], [2]], [[3], [3], [3], [4]], [[5], [5], [6]]]
    assert read.missing == 3


@pytest.mark.parametrize("compress", [False, True])
def test_ts_rows_are_channels_and_a_class(tmp_path, compress):
    content = HEAD + "1,2,3:4,5,6:a\n\n% more\n7,?:8,?:b\n1,?:?,2:a\n"
    data = gzip.compress(content.encode()) if compress else content
    read = read_sequences(_file(tmp_path, data, "some.ts.gz" if compress else "some.ts"))
    assert _values(read) == [[[1, 4], [2, 5], [3, 6]], [[7, 8]], [[1, 2], [1, 2]]]
    assert read.labels == ("a", "b", "a") and read.lines == (7, 10, 11) and read.missing == 2


def test_pen_digits_are_points_and_a_digit(tmp_path):
    read = read_sequences(_file(tmp_path, " 47,100,  1,2,3,4,5,6,7,8,9,10,11,12,13,14, 8\n", "some.tra"))
    assert read.sequences[0].tolist() == [[47, 100], *([n, n + 1] for n in range(1, 14, 2))]
    assert read.labels == ("8",)


number = st.floats(width=32, allow_nan=False, allow_infinity=False)
sequences = st.lists(st.lists(st.tuples(number, number), min_size=1, max_size=5), min_size=1, max_size=4)


@given(sequences)
def test_what_was_written_is_read(tmp_path_factory, sequences):
    rows = [":".join(",".join(repr(v) for v in channel) for channel in zip(*s, strict=True)) for s in sequences]
    path = _file(tmp_path_factory.mktemp("ts"), HEAD + "\n".join(f"{row}:a" for row in rows), "some.ts")
    for read, written in zip(read_sequences(path).sequences, sequences, strict=True):
        np.testing.assert_array_equal(read, np.array(written, np.float32))


def test_classes_are_numbered_in_order(tmp_path):
    train = read_sequences(_file(tmp_path, "10\t1\n9\t1\n-1\t1\n9\t1\n", "train.tsv"))
    test = read_sequences(_file(tmp_path, "9\t1\n", "test.tsv"))
    classes, (ours, theirs) = number_classes(train, test)
    assert classes == ("-1", "9", "10")
    assert ours.tolist() == [2, 1, 0, 1] and theirs.tolist() == [1] and ours.dtype == np.int32
    words = read_sequences(_file(tmp_path, "x\t1\n2\t1\nnan\t1\ninf\t1\n", "words.tsv"))
    assert number_classes(words)[0] == ("2", "inf", "nan", "x")


@pytest.mark.parametrize(
    ("train", "test", "sentence"),
    [
        ("1\t1\n1\t2\n", "1\t1\n", r"train\.tsv has sequences of one class only, '1'; there must be two or more\."),
        (
            "1\t1\n2\t2\n",
            "1\t1\n\n3\t1\n",
            r"test\.tsv, line 3: the class '3' does not occur in .*, which has '1', '2'",
        ),
    ],
)
def test_classes_that_cannot_be_learnt_are_refused(tmp_path, train, test, sentence):
    files = read_sequences(_file(tmp_path, train, "train.tsv")), read_sequences(_file(tmp_path, test, "test.tsv"))
    with pytest.raises(DataError, match=sentence):
        number_classes(*files)


def test_two_data_sets_are_told_apart(tmp_path):
    train = read_sequences(_file(tmp_path, HEAD + "1:2:a\n1:2:b\n", "train.ts"))
    test = read_sequences(_file(tmp_path, "a\t1\n", "test.tsv"))
    with pytest.raises(DataError, match=r"test\.tsv has sequences of 1 channels, but .*train\.ts of 2; give two files"):
        number_classes(train, test)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("x.csv", "1\t2\n", r"x\.csv ends in '\.csv'; a file of labelled sequences ends in one of \.tsv, \.txt, \.ts,"),
        ("x", "1\t2\n", r"x ends in 'no suffix'; a file"),
        ("x.tsv", " \n\n", r"x\.tsv is empty; it must hold a row for each sequence\."),
        ("x.tsv", b"", r"x\.tsv is empty"),
        (
            "x.tsv",
            "1\t2\n1\t2\tabc\n",
            r"x\.tsv, line 2: 'abc' is no number; correct it, or write \? for what is missing",
        ),
        ("x.tsv", "1\t2\n1\n", r"x\.tsv, line 2: '1' is no class followed by values"),
        ("x.tsv", "1\t2\n\t5\n", r"x\.tsv, line 2: the row has no class; it stands in the first column"),
        ("x.tsv", "1\t2\n1\tnan\tNaN\n", r"x\.tsv, line 2: a channel of the sequence holds no values; remove the line"),
        ("x.tsv", "1\t2\tinf\n", r"x\.tsv, line 1: value 2 is infinite or too large"),
        ("x.tsv", "1\t-1e300\n", r"x\.tsv, line 1: value 1 is infinite or too large"),
        ("x.tsv", "1\t2\n2\tü\n".encode("latin-1"), r"x\.tsv, line 2: byte 0xfc is not UTF-8 text; save the file as"),
        ("x.tsv.gz", b"\x1f\x8b\x08\x00", r"x\.tsv\.gz cannot be uncompressed: it is cut off or damaged"),
        ("x.tra", "1,2,3\n", r"x\.tra, line 1: the row has 3 cells; 16 coordinates and a digit"),
        ("x.ts", "1,2:a\n", r"x\.ts, line 1: '1,2:a' stands before @data, where tags such as @classLabel are"),
        ("x.ts", "@classLabel true a\n", r"x\.ts has no line @data; a \.ts file has its rows behind it"),
        ("x.ts", "@timeStamps true\n@data\n", r"x\.ts has time stamps \(@timeStamps true\), which are not read"),
        (
            "x.ts",
            "@classLabel false\n@data\n",
            r"x\.ts has no classes: its head needs a line such as '@classLabel true",
        ),
        ("x.ts", "@targetLabel true\n@data\n1:2\n", r"x\.ts has no classes"),
        ("x.ts", HEAD, r"x\.ts has no rows behind its head"),
        ("x.ts", HEAD + "1,2:c\n", r"x\.ts, line 7: the class 'c' is none of @classLabel, a b"),
        ("x.ts", HEAD + "1,2\n", r"x\.ts, line 7: the row has no colon"),
        ("x.ts", HEAD + "1,2:1:a\n", r"x\.ts, line 7: the channels have 1 to 2 values; they must have equally many"),
        ("x.ts", HEAD + "1:1:a\n1:a\n", r"x\.ts, line 8: the sequence has 1 channels, but that of line 7 has 2"),
        ("x.ts", HEAD + "1,2:?,?:a\n", r"x\.ts, line 7: a channel of the sequence holds no values"),
        ("x.ts", "@dimensions 3\n" + HEAD + "1:2:a\n", r"line 8: the row has 2 channels, but @dimensions is 3"),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path, name, content, sentence):
    with pytest.raises(DataError, match=sentence) as error:
        read_sequences(_file(tmp_path, content, name))
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DataError, match=r"gone\.tsv does not exist; check the path of the file of labelled sequences"):
        read_sequences(tmp_path / "gone.tsv")
    with pytest.raises(DataError, match="is a folder; give the path of a file of labelled sequences"):
        read_sequences(tmp_path)


@pytest.mark.skipif("LSTM_JAX_DATA" not in os.environ, reason="LSTM_JAX_DATA names no folder of public data sets")
@pytest.mark.parametrize(
    ("train", "test", "sizes", "lengths", "channels", "counts"),
    [
        ("health_ecg200/ECG200_TRAIN.tsv", "ECG200_TEST.tsv", (100, 100), (96, 96), 1, {"-1": 31, "1": 69}),
        (
            "health_ecg5000/ECG5000_TRAIN.tsv",
            "ECG5000_TEST.tsv.gz",
            (500, 4500),
            (140, 140),
            1,
            {"1": 292, "2": 177, "3": 10, "4": 19, "5": 2},
        ),
        (
            "speech_japanese_vowels/JapaneseVowels_TRAIN.ts",
            "JapaneseVowels_TEST.ts",
            (270, 370),
            (7, 26),
            12,
            {str(speaker): 30 for speaker in range(1, 10)},
        ),
        (
            "har_basicmotions/BasicMotions_TRAIN.ts",
            "BasicMotions_TEST.ts",
            (40, 40),
            (100, 100),
            6,
            dict.fromkeys(("Badminton", "Running", "Standing", "Walking"), 10),
        ),
        ("handwriting_pendigits/pendigits.tra", "pendigits.tes", (7494, 3498), (8, 8), 2, None),
    ],
)
def test_public_files(train, test, sizes, lengths, channels, counts):
    path = Path(os.environ["LSTM_JAX_DATA"]) / train
    parts = read_sequences(path), read_sequences(path.with_name(test))
    classes, _ = number_classes(*parts)
    assert tuple(map(len, parts)) == sizes and parts[0].channels == channels
    assert (min(map(len, parts[0].sequences)), max(map(len, parts[0].sequences))) == lengths
    assert not parts[0].missing and not parts[1].missing
    if counts is not None:
        assert {label: parts[0].labels.count(label) for label in classes} == counts
