"""Series with labelled windows: what is read, and what is refused."""

import json

import numpy as np
import pytest

from lstm_jax.data import DataError
from lstm_jax.data.nab import generated_nab, read_nab

ROWS = ["2024-03-01 00:00:00,1", "2024-03-01 00:05:00,2.5", "2024-03-01 00:10:00,-3", "2024-03-01 00:15:00,4e1"]


@pytest.fixture
def write(tmp_path):
    def written(rows=ROWS, windows=None, header="timestamp,value", text=None, labels=None):
        (tmp_path / "data" / "real").mkdir(parents=True, exist_ok=True)
        (tmp_path / "labels").mkdir(exist_ok=True)
        content = "\n".join([header, *rows]) + "\n" if text is None else text
        (tmp_path / "data" / "real" / "one.csv").write_bytes(
            content if isinstance(content, bytes) else content.encode()
        )
        entry = json.dumps({"real/one.csv": windows or []}, indent=1) if labels is None else labels
        (tmp_path / "labels" / "combined_windows.json").write_bytes(
            entry if isinstance(entry, bytes) else entry.encode()
        )
        return tmp_path

    return written


def test_a_folder_and_a_file_are_the_same(write):
    folder = write(windows=[["2024-03-01 00:05:00.000000", "2024-03-01 00:10:00.000000"]])
    (one,) = read_nab(folder)
    file = folder / "data" / "real" / "one.csv"
    (other,) = read_nab(file, folder / "labels" / "combined_windows.json")
    for found in (one, other):
        assert found.name == "real/one.csv"
        assert found.windows == ((1, 2),)
        np.testing.assert_array_equal(found.values, [1, 2.5, -3, 40])
        np.testing.assert_allclose(found.hours, [0, 1 / 12, 1 / 6, 1 / 4])


@pytest.mark.parametrize(
    ("start", "end", "rows"),
    [
        ("00:00:00", "00:15:00", (0, 3)),
        ("00:05:00", "00:05:00", (1, 1)),
        ("00:01:00", "00:14:59", (1, 2)),
        ("00:10:00", "23:00:00", (2, 3)),
    ],
)
def test_windows_are_the_rows_in_them_the_ends_included(write, start, end, rows):
    (one,) = read_nab(write(windows=[[f"2024-03-01 {start}", f"2024-03-01 {end}"]]))
    assert one.windows == (rows,)


def test_a_time_that_comes_twice_ends_a_window_at_its_first_row(write):
    (one,) = read_nab(write([*ROWS, ROWS[-1]], [["2024-03-01 00:05:00", "2024-03-01 00:15:00"]]))
    assert one.windows == ((1, 3),)


def test_a_clock_that_is_put_back_is_no_disorder(write):
    rows = ["2024-10-27 02:55:00,1", "2024-10-27 02:00:00,2", "2024-10-27 02:05:00,2"]
    assert len(read_nab(write(rows))[0].values) == 3


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"header": "time,value"},
            r"one.csv has no column 'timestamp': did you mean 'time'\? Its columns are 'time', 'v",
        ),
        ({"header": "timestamp,x"}, "one.csv has no column 'value': Its columns are 'timestamp', 'x'"),
        (
            {"rows": [*ROWS, "2024-03-01 00:20:00,much"]},
            "one.csv, line 6: column 'value' holds 'much', which is no fin",
        ),
        ({"rows": [*ROWS, "2024-03-01 00:20:00,"]}, "one.csv, line 6: column 'value' holds '', .*correct or delete"),
        ({"rows": [*ROWS, "2024-03-01 00:20:00,inf"]}, "one.csv, line 6: column 'value' holds 'inf'"),
        ({"rows": [*ROWS, "March,1"]}, "one.csv, line 6: 'March' is no timestamp; write it like 2014-04-01 23:55:00"),
        ({"rows": [*ROWS, "2024-02-28 00:00:00,1"]}, "one.csv, line 6: the time goes back; sort the rows"),
        ({"text": ""}, "one.csv is empty"),
        ({"text": "timestamp,value\n"}, "one.csv has a header but no rows"),
        ({"text": b"timestamp,value\n\xff\xe4,1\n"}, "one.csv, line 2: byte 0xff is not UTF-8 text; save the file"),
        ({"labels": "{\n'one': []}"}, "combined_windows.json, line 2: this is no JSON"),
        ({"labels": b"{}\xff"}, "combined_windows.json, line 1: byte 0xff is not UTF-8 text"),
        ({"labels": "[]"}, "combined_windows.json, line 1: the file must hold"),
        ({"labels": '{"real/on.csv": []}'}, r"has no entry for .*one.csv; the nearest is 'real/on.csv': add one"),
        ({"labels": "{}"}, r"has no entry for .*one.csv: add one, with \[\] if the series has no anomaly"),
        (
            {"labels": '{\n"real/one.csv": 3}'},
            "windows.json, line 2: real/one.csv must be a list of windows, each a pair",
        ),
        ({"windows": [["2024-03-01", "x"]]}, "windows.json, line 2: real/one.csv: 'x' is no timestamp"),
        ({"windows": [["2024-03-01 00:05:00", "2024-03-01"]]}, "2024-03-01 ends before it begins; correct it"),
        ({"windows": [["2023-03-01", "2023-03-02"]]}, "no row of the series lies in the window from 2023-03-01"),
        ({"windows": [["2025-03-01", "2025-03-02"]]}, "no row of the series lies in the window from 2025-03-01"),
        (
            {"windows": [["2024-03-01 00:05:00", "2024-03-01 00:15:00"], ["2024-03-01", "2024-03-01 00:05:00"]]},
            "the window from 2024-03-01 00:05:00 overlaps with the one before; join the two",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence_with_its_place(write, settings, sentence):
    with pytest.raises(DataError, match=sentence) as error:
        read_nab(write(**settings))
    assert "\n" not in str(error.value)


def test_missing_files(write, tmp_path):
    folder = write()
    with pytest.raises(DataError, match=r"gone.json does not exist; check the path of the JSON file of windows"):
        read_nab(folder, folder / "gone.json")
    with pytest.raises(DataError, match=r"The windows of .*one.csv are not known; give the JSON file of windows, too"):
        read_nab(folder / "data" / "real" / "one.csv")
    with pytest.raises(
        DataError, match=r"gone does not exist; give a folder of series, or one CSV file and its windows"
    ):
        read_nab(folder / "gone")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"holds no file that ends in .csv"):
        read_nab(tmp_path / "empty")


def test_the_generated_series_have_their_anomalies_inside_of_the_windows():
    series = generated_nab()
    assert [len(one.windows) for one in series] == [0, 1, 1, 1]
    again = generated_nab()
    for one, other in zip(series, again, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
    wave = 50 + 10 * np.sin(2 * np.pi * np.arange(1500) / 96)
    assert np.abs(series[0].values - wave).max() < 5
    for number, kind in ((1, "flat"), (2, "shift"), (3, "spikes")):
        phase = 10 * np.sin(2 * np.pi * (np.arange(1500) / 96 + number / 7))
        away = np.abs(series[number].values - 50 - 20 * number - phase) > 5
        ((first, last),) = series[number].windows
        assert away[first : last + 1].any(), kind
        assert not away[:first].any() and not away[last + 1 :].any(), kind
