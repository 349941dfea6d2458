"""Rows of a CSV file on the disk: against the reader that holds the file in memory, and what is refused."""

import csv
import io
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax.data import DataError, large_csv, read_panel
from lstm_jax.data.large_csv import LargeCsv


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "meter.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """A head, known places and blocks that lie in the midst of small files."""
    monkeypatch.setattr(large_csv, "EVERY", 3)
    monkeypatch.setattr(large_csv, "BLOCK", 16)
    monkeypatch.setattr(large_csv, "HEAD", 64)


def table(rows):
    return "time,load,price\n" + "".join(f"2024-{row},{row}.5,{-row}e1\n" for row in range(rows))


@pytest.mark.parametrize("every,block", [(1, 1), (3, 16), (4, 40), (256, 1 << 22)])
def test_any_rows_are_those_of_the_file(write, monkeypatch, every, block):
    monkeypatch.setattr(large_csv, "EVERY", every)
    monkeypatch.setattr(large_csv, "BLOCK", block)
    file = LargeCsv(write(table(10)), ("price", "load"))
    truth = np.array([[-row * 10, row + 0.5] for row in range(10)], np.float64)
    assert len(file) == 10 and file.columns == ("price", "load")
    for start in range(11):
        for stop in range(start, 11):
            read = file.read(start, stop)
            assert read.dtype == np.float64 and read.shape == (stop - start, 2)
            np.testing.assert_array_equal(read, truth[start:stop])


cells = st.one_of(
    st.floats(-1e300, 1e300).map(repr),
    st.integers(-(10**6), 10**6).map(str),
    st.sampled_from(["", "NA", "nan", "NULL", "?", " 1.5", "2 ", "1e-5", "+3"]),
)


@given(
    rows=st.lists(st.tuples(cells, cells), min_size=1, max_size=12),
    separator=st.sampled_from(",;\t"),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    blank=st.lists(st.integers(1, 12), max_size=3),
    last=st.booleans(),
)
def test_the_same_numbers_as_in_memory(tmp_path_factory, rows, separator, end, quoting, blank, last):
    pytest.importorskip("pandas")
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator=end, quoting=quoting)
    writer.writerow(["no", "a b", "c"])
    writer.writerows((f"x{number}", *row) for number, row in enumerate([("1", "1"), *rows]))
    lines = text.getvalue().split(end)[:-1]
    for place in blank:
        lines.insert(place, "")
    path = tmp_path_factory.mktemp("property") / "file.csv"
    path.write_bytes((end.join(lines) + (end if last else "")).encode())
    [series] = read_panel(path, ("a b", "c"))
    file = LargeCsv(path, ("a b", "c"))
    assert len(file) == len(rows) + 1
    np.testing.assert_array_equal(file.read(0, len(file)), series.values)
    for row in range(len(file)):
        np.testing.assert_array_equal(file.read(row, row + 1), series.values[row : row + 1])


def test_blank_lines_of_a_single_column_are_missing_values(write):
    file = LargeCsv(write("\n\nload\n1\n\n\n4\n5\n\n\n"))
    assert file.columns == ("load",)
    np.testing.assert_array_equal(file.read(0, len(file))[:, 0], [1, np.nan, np.nan, 4, 5])


def test_a_byte_order_mark_is_no_part_of_the_name(write):
    assert LargeCsv(write(b"\xef\xbb\xbfload,b\n1,2\n"), ("load",)).read(0, 1).tolist() == [[1]]


def test_text_in_other_columns_is_not_looked_at(write):
    file = LargeCsv(write(b"load,note\n1,caf\xc3\xa9\n2,x\n"), ("load",))
    assert file.read(0, 2)[:, 0].tolist() == [1, 2]


def test_several_threads_read(write):
    file = LargeCsv(write(table(50)), ("load",))
    found = {}

    def read(number):
        found[number] = [file.read(row, row + 2)[:, 0].tolist() for row in range(number, 48)]

    threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: [[row + 0.5, row + 1.5] for row in range(number, 48)] for number in range(4)}


def test_the_fingerprint_is_of_all_bytes(write):
    prints = {LargeCsv(write(text), ("load",)).fingerprint for text in (table(9), table(9), table(9) + "\n", table(8))}
    assert len(prints) == 3


@pytest.mark.parametrize(
    "content,message",
    [
        ("", "is empty; it must hold a header and rows of numbers"),
        ("load,b\n\n\n", "has a header but no rows below it"),
        ("1.5,2\n3,4\n", "line 1: '1.5,2' is no header; add a first line with the columns' names"),
        (b"load,\xff\n1,2\n", "line 1: byte 0xff is not UTF-8 text; save the file as UTF-8"),
        (b"a,load\r1,2\r3,4\r", "its lines end with carriage returns alone"),
        ("lad,b\n1,2\n", r"no column 'load': did you mean 'lad'\? choose one of 'lad', 'b'"),
        ("load,load\n1,2\n", "2 columns are called 'load'; rename them"),
    ],
)
def test_a_wrong_file_is_refused_at_once(write, content, message):
    with pytest.raises(DataError, match=message) as error:
        LargeCsv(write(content), ("load",))
    assert "meter.csv" in str(error.value)


def test_a_path_that_is_no_file(tmp_path):
    with pytest.raises(DataError, match="is a folder; give the path of a CSV file"):
        LargeCsv(tmp_path)
    with pytest.raises(DataError, match="does not exist; check the path of the CSV file"):
        LargeCsv(tmp_path / "none.csv")


def test_columns_have_to_be_named(write):
    with pytest.raises(DataError, match="has several columns; name those to read: 'time', 'load', 'price'"):
        LargeCsv(write(table(3)))


def test_a_header_without_end_is_refused(write):
    with pytest.raises(DataError, match="line 1: no line ends in the first 64 bytes"):
        LargeCsv(write("x" * 70_000), ("x",))


@pytest.mark.parametrize(
    "line,message",
    [
        ("x,five,2", "line 9: column 'load' holds 'five', which is no number; correct the cell, or leave it empty"),
        ("x,inf,2", "line 9: column 'load' holds 'inf', which is not finite"),
        ("x,1e999,2", "line 9: column 'load' holds '1e999', which is not finite"),
        ("x,5", "line 9: the row has 2 cells separated by ',', but the header has 3; correct the line"),
        ("x,5,6,7", "line 9: the row has 4 cells"),
        ("   ", "line 9: the row has 1 cells"),
        ('x,"5,6', "line 9: .*; check the quotation marks; a cell must end on its line"),
        (b"\xe9,'',1", "line 9: byte 0xe9 is not UTF-8 text"),
    ],
)
def test_a_wrong_row_is_refused_with_its_line(write, line, message):
    line = line if isinstance(line, bytes) else line.encode()
    # Line 3 is blank: row 6 is on line 9.
    lines = table(10).encode().split(b"\n")
    path = write(b"\n".join([*lines[:2], b"", *lines[2:7], line, *lines[8:]]))
    file = LargeCsv(path, ("load",))
    assert len(file) == 10
    assert len(file.read(0, 6)) == 6 and len(file.read(7, 10)) == 3
    for start, stop in ((6, 7), (0, 10)):
        with pytest.raises(DataError, match=message):
            file.read(start, stop)


def test_a_file_that_changes_is_refused(write):
    path = write(table(5))
    file = LargeCsv(path, ("load",))
    path.write_text(table(6))
    with pytest.raises(DataError, match="has changed since its rows were found"):
        file.read(0, 1)
    path.unlink()
    with pytest.raises(DataError, match=r"meter\.csv cannot be read"):
        file.read(0, 1)


def test_rows_that_are_not_there(write):
    file = LargeCsv(write(table(5)), ("load",))
    for start, stop in ((-1, 2), (3, 6), (4, 3)):
        with pytest.raises(IndexError, match="do not lie in a file of 5 rows"):
            file.read(start, stop)
