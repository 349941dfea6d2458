"""Series: what is read from a file, how a wrong file is refused, gaps, parts, scaling, windows."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from lstm_jax import data


@pytest.fixture
def write(tmp_path):
    pytest.importorskip("pandas", reason="the extra 'forecasting' is not installed")

    def write(content: str | bytes) -> Path:
        path = tmp_path / "sales.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_reads_values_times_and_gaps(write):
    path = write('"Day","Sold, in kg"\n2020-01-01, 1.5\n2020-01-02,NA\n2020-01-03,?\n2020-01-04,-2e3\n2020-01-05,\n')
    series = data.read_series(path)
    assert series.name == "Sold, in kg"
    assert series.values.dtype == np.float64
    np.testing.assert_array_equal(series.values, [1.5, np.nan, np.nan, -2000, np.nan])
    assert series.missing == 3
    assert series.times == [f"2020-01-0{day}" for day in range(1, 6)]


@pytest.mark.parametrize("missing", ["", "NA", "NaN", "nan", "null", "NULL", "?"])
def test_missing_values(write, missing):
    series = data.read_series(write(f"t,x\na1,1\na2,{missing}\na3,3\n"))
    np.testing.assert_array_equal(series.values, [1, np.nan, 3])


@pytest.mark.parametrize(
    "content",
    [
        "day;price, net\n1 Jan;1.5\n2 Jan;2\n",
        "day\tprice, net\n1 Jan\t1.5\n2 Jan\t2\n",
        'day,"price, net"\r\n1 Jan,1.5\r\n2 Jan,"2"\r\n',
        '\ufeffday,"price, net"\n\n1 Jan,1.5\n\n2 Jan,2\n\n',
        'day,"price, net"\r1 Jan,1.5\r2 Jan,2',
    ],
    ids=["semicolon", "tab", "carriage-return", "byte-order-mark", "old-mac"],
)
def test_ways_to_write_the_same(write, content):
    series = data.read_series(write(content), "price, net")
    np.testing.assert_array_equal(series.values, [1.5, 2])
    assert series.times == ["1 Jan", "2 Jan"]


def test_rows_without_a_label_are_numbered(write):
    # Words without a digit, such as directions of wind, are no labels of rows.
    series = data.read_series(write("wind,x\nNW,1\nSE,2\n"))
    assert series.times == ["0", "1"]


def test_in_a_single_column_a_blank_line_is_a_gap(write):
    series = data.read_series(write("x\n1\n\n3\n\n\n"))
    np.testing.assert_array_equal(series.values, [1, np.nan, 3])


@pytest.mark.parametrize(
    ("content", "column", "sentence"),
    [
        ("", None, "is empty; it must hold a header"),
        ("\n \n\n", None, "is empty; it must hold a header"),
        (b"\xef\xbb\xbf", None, "is empty; it must hold a header"),
        ("t,x\n", None, "has a header but no rows"),
        (b"t,x\n1,\x00\n", None, "line 2: byte 0x00 shows a binary file"),
        (b"t,x\na1,2\nn\xe4chst,3\n", None, "line 3: byte 0xe4 is not UTF-8 text; save the file as UTF-8"),
        ("t,x\n1,2\n".encode("utf-16"), None, "byte 0xff begins a text in UTF-16; save the file as UTF-8"),
        ("t,x\na1,2\n\na3,4,5\n", None, r"line 4: the row has 3 cells separated by ',', but the header has 2"),
        ("t,x\na1,2\na3\na4,5\n", None, r"line 3: the row has 1 cells separated by ',', but the header has 2"),
        ('t,x\na1,2\na2,"3\na3,4\na4,5\n', None, "line 3: unexpected end of data; check the quotation marks"),
        ("t,x,x\na1,2,3\n", None, "line 1: 2 columns are called 'x'; rename them"),
        ("1,2.5\n2,3\n", None, "line 1: '1,2.5' is no header; add a first line with the columns' names"),
        ("2020-01-01;2.5\n2020-01-02;3\n", None, "line 1: '2020-01-01;2.5' is no header"),
        ("t,price\na1,2\n", "prise", "has no column 'prise': did you mean 'price'[?] choose one of 't', 'price'"),
        ("t,x,y\na1,2,3\n", None, "several columns of numbers; choose one of 'x', 'y'"),
        ("t,x\na,b\n", None, "has no column of numbers; its columns are 't', 'x'"),
        ("t,x,y\na1,NA,1\na2,?,2\n", "x", "every cell of column 'x' is missing"),
        (
            "t,x\na1,2\na2,3\na3,?0.2\na4,oops\na5,4\n",
            None,
            "line 4: column 'x' holds '[?]0.2', which is no number; correct",
        ),
        ("t,x\na1,2\n\na2,3\n\na3,b\n", None, "line 6: column 'x' holds 'b'"),
        ('t,x\n"a\n1",2\n"a\n2",3\na3,b\n', None, "line 6: column 'x' holds 'b'"),
        ('t,x\na1,2\na2,"1,234"\na3,4\n', None, "line 3: column 'x' holds '1,234', .* without thousands separators"),
        ("t;x\na1;2,5\na2;3\na3;3\n", None, "line 2: column 'x' holds '2,5', .* with a decimal point"),
        ("t,x\na1,2\na2,-inf\n", None, "line 3: column 'x' holds '-inf', which is not finite"),
        ("t,x\na1,2\na2,1e999\n", None, "line 3: column 'x' holds '1e999', which is not finite"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(write, content, column, sentence):
    path = write(content)
    with pytest.raises(data.DataError, match=sentence) as caught:
        data.read_series(path, column)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message


def test_a_file_that_is_not_there(write, tmp_path):
    with pytest.raises(data.DataError, match=r"gone.csv does not exist; check the path"):
        data.read_series(tmp_path / "gone.csv")
    with pytest.raises(data.DataError, match=r"is a folder; give the path of a CSV file"):
        data.read_series(tmp_path)


def test_without_pandas(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"needs pandas: pip install 'lstm-jax\[forecasting\]'"):
        data.read_series(write("x\n1\n"))


@pytest.mark.skipif("LSTM_JAX_DATA" not in os.environ, reason="LSTM_JAX_DATA names no folder of public data sets")
@pytest.mark.parametrize(
    ("name", "column", "rows", "missing", "first", "last"),
    [
        ("forecast_classic/airline-passengers.csv", None, 144, 0, ("1949-01", 112), ("1960-12", 432)),
        ("forecast_classic/daily-min-temperatures.csv", "Temp", 3650, 0, ("1981-01-01", 20.7), ("1990-12-31", 13.0)),
        ("forecast_beijing_pm25_missing/pollution.csv", "pm2.5", 43824, 2067, ("0", np.nan), ("43823", 12)),
        ("forecast_etth1/ETTh1.csv", "OT", 17420, 0, ("2016-07-01 00:00:00", 30.5310001373291), None),
        ("finance_vega_stocks/sp500-2000.csv", "close", 5105, 0, ("2000-01-03", 1455.219971), None),
    ],
)
def test_public_files(name, column, rows, missing, first, last):
    pytest.importorskip("pandas", reason="the extra 'forecasting' is not installed")
    series = data.read_series(Path(os.environ["LSTM_JAX_DATA"]) / name, column)
    assert (len(series.values), len(series.times), series.missing) == (rows, rows, missing)
    np.testing.assert_equal((series.times[0], series.values[0]), first)
    if last is not None:
        np.testing.assert_equal((series.times[-1], series.values[-1]), last)
    assert np.isfinite(data.fill_missing(series.values)).all()


def test_the_generated_series_follows_its_formula():
    series = data.generated_series(30_000, seed=3)
    days = np.arange(30_000)
    week = np.array([4, 0, -3, 2, 10, 6, -19])[days % 7]
    noise = series.values - 100 - 0.02 * days - 15 * np.sin(2 * np.pi * days / 365.25) - week
    # Standard errors, with 30,000 correlated draws: about 0.06 of the mean, 0.005 of the correlation.
    assert noise.mean() == pytest.approx(0, abs=0.3)
    assert noise.std() == pytest.approx(5, abs=0.15)
    assert np.corrcoef(noise[1:], noise[:-1])[0, 1] == pytest.approx(0.6, abs=0.025)
    assert (series.season, series.missing, series.times[:2]) == (7, 0, ["2020-01-01", "2020-01-02"])
    assert week.sum() == pytest.approx(0, abs=20)
    np.testing.assert_array_equal(data.generated_series(50, seed=3).values, series.values[:50])
    assert not np.array_equal(data.generated_series(50, seed=4).values, series.values[:50])
    assert len(data.generated_series().values) == 1500


def test_gaps_take_the_value_before_them():
    gaps = np.array([np.nan, np.nan, 1, np.nan, np.nan, 2, np.nan])
    np.testing.assert_array_equal(data.fill_missing(gaps), [1, 1, 1, 1, 1, 2, 2])
    assert np.isnan(gaps[0])
    with pytest.raises(data.DataError, match="All 2 values are missing"):
        data.fill_missing(np.array([np.nan, np.nan]))


def test_a_filled_value_does_not_know_later_ones():
    rng = np.random.default_rng(0)
    values = np.where(rng.random(60) < 0.4, np.nan, rng.random(60))
    values[0] = 1
    for stop in range(1, 60):
        np.testing.assert_array_equal(data.fill_missing(values[:stop]), data.fill_missing(values)[:stop])


def test_standardizer():
    values = np.random.default_rng(0).normal(3, 2, 500)
    scale = data.Standardizer.fit(values[:300])
    assert (scale.mean, scale.std) == (pytest.approx(values[:300].mean()), pytest.approx(values[:300].std()))
    assert scale.apply(values[:300]).std() == pytest.approx(1)
    np.testing.assert_allclose(scale.invert(scale.apply(values)), values, rtol=1e-12)
    columns = values.reshape(-1, 2) * [1, 100]
    each = data.Standardizer.fit(columns, axis=0)
    np.testing.assert_allclose(each.apply(columns).std(axis=0), [1, 1])
    np.testing.assert_allclose(each.invert(each.apply(columns)), columns)
    constant = np.full(7, 0.1)
    assert data.Standardizer.fit(constant) == data.Standardizer(0.1, 1.0)
    # So is what differs by float32's rounding alone; in float64 the same differences count.
    rounded = np.full((100, 1), 37.0, np.float32)
    rounded[3] = np.nextafter(np.float32(37), np.float32(38))
    assert data.Standardizer.fit(rounded, axis=0).std == 1.0
    assert data.Standardizer.fit(rounded.astype(np.float64), axis=0).std < 1e-5
    with pytest.raises(data.DataError, match="needs finite values"):
        data.Standardizer.fit(np.array([1, np.nan]))


@pytest.mark.parametrize(("start", "stop"), [(0, 20), (4, 20), (6, 20), (10, 15), (13, 15), (18, 20)])
def test_windows_are_all_those_whose_targets_lie_in_the_part(start, stop):
    context, horizon = 4, 2
    inputs, targets = data.windows(np.arange(20.0), context, horizon, start, stop)
    expected = [first for first in range(context, 20) if start <= first and first + horizon <= stop]
    assert inputs.shape == (context, len(expected), 1)
    assert targets.shape == (len(expected), horizon)
    for window, first in enumerate(expected):
        np.testing.assert_array_equal(inputs[:, window, 0], np.arange(first - context, first))
        np.testing.assert_array_equal(targets[window], np.arange(first, first + horizon))


def test_windows_and_gaps_of_several_columns_are_those_of_each():
    values = np.arange(40.0).reshape(20, 2)
    values[[0, 5, 6], [1, 0, 0]] = np.nan
    inputs, targets = data.windows(values, 4, 2, 3, 18)
    filled = data.fill_missing(values)
    for column in range(2):
        one = data.windows(values[:, column], 4, 2, 3, 18)
        np.testing.assert_array_equal(inputs[..., column], one[0][..., 0])
        np.testing.assert_array_equal(targets[..., column], one[1])
        np.testing.assert_array_equal(filled[:, column], data.fill_missing(values[:, column]))


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ((10, 5, 0, 14), "Rows 0 to 14 are 14, but a window of context 10 and horizon 5 needs at least 15 there"),
        ((10, 5, 16, 20), "Rows 16 to 20 are 4, but a window of context 10 and horizon 5 needs at least 5 there"),
        ((10, 5, 4, 14), "Rows 4 to 14 are 10, but a window of context 10 and horizon 5 needs at least 11 there"),
        ((10, 5, 0, 21), "Rows 0 to 21 do not lie in a series of 20 rows"),
        ((0, 5, 0, 20), "context must be a whole number"),
        ((10, 0, 0, 20), "horizon must be a whole number"),
    ],
)
def test_no_window(sizes, sentence):
    with pytest.raises(ValueError, match=sentence):
        data.windows(np.arange(20.0), *sizes)
    if "needs" in sentence:  # one row more is enough
        context, horizon, start, stop = sizes
        assert data.windows(np.arange(21.0), context, horizon, start, stop + 1)[1].shape == (1, horizon)


def test_dates_that_go_back_are_refused(tmp_path):
    path = tmp_path / "newest_first.csv"
    path.write_text("day,sold\n2024-05-03,1\n2024-05-02,2\n")
    with pytest.raises(
        data.DataError, match="line 3: 2024-05-02 comes after 2024-05-03; sort the rows, the oldest first"
    ):
        data.read_series(path)


@pytest.mark.parametrize(
    ("times", "skipped", "after"),
    [
        (["2024-02-27", "2024-02-28", "2024-02-29"], 0, ["2024-03-01", "2024-03-02"]),
        (["2024-01", "2024-02", "2024-03"], 0, ["2024-04", "2024-05"]),
        (["2024-05-01 22:00", "2024-05-01 23:00", "2024-05-02 00:00"], 0, ["2024-05-02T01:00", "2024-05-02T02:00"]),
        (["2024-05-01", "2024-05-02", "2024-05-03", "2024-05-07", "2024-05-08"], 3, ["+1", "+2"]),
        (["2024-06-30", "2024-06-31"], 0, ["+1", "+2"]),
        (["1", "2"], 0, ["+1", "+2"]),
    ],
)
def test_labels_tell_what_is_left_out_and_what_comes(times, skipped, after):
    series = data.Series("sold", np.arange(float(len(times))), times)
    assert series.skipped == skipped
    assert series.times_after(2) == after


LONG = "shop,day,sold,price\nA,Jan 1 2024,1,9\nB,Jan 1 2024,5,8\nA,Jan 2 2024,NA,7\nB,Jan 3 2024,6,8\n"


def test_many_series_below_each_other(write):
    one, other = data.read_panel(write(LONG), ("price", "sold"), group="shop")
    assert (one.name, other.name, one.columns) == ("A", "B", ("price", "sold"))
    np.testing.assert_array_equal(one.values, [[9, 1], [7, np.nan]])
    np.testing.assert_array_equal(other.values, [[8, 5], [8, 6]])
    assert other.times == ["Jan 1 2024", "Jan 3 2024"]
    assert other.dates is not None
    assert str(other.dates[1]) == "2024-01-03"


def test_all_columns_of_numbers_and_dates_in_several_columns(write):
    path = write("year,month,day,hour,wind,x,y\n2024,2,28,23,N,1,4\n2024,2,29,0,S,2,5\n")
    [series] = data.read_panel(path, time=("year", "month", "day", "hour"))
    assert (series.name, series.columns) == ("sales", ("x", "y"))
    assert series.times == ["2024-02-28 23:00", "2024-02-29 00:00"]
    np.testing.assert_array_equal(series.values, [[1, 4], [2, 5]])
    assert series.times_after(1) == ["2024-02-29T01:00"]


@pytest.mark.parametrize(
    ("content", "settings", "sentence"),
    [
        (LONG, {"columns": ("sold", "prise")}, "has no column 'prise': did you mean 'price'"),
        (LONG, {"group": "shops"}, "has no column 'shops': did you mean 'shop'"),
        (LONG, {"columns": ("shop",)}, "line 2: column 'shop' holds 'A', which is no number"),
        (LONG.replace("\nB,Jan 3", "\n,Jan 3"), {"group": "shop"}, "line 5: the cell of 'shop' is empty; it must name"),
        (
            LONG.replace("Jan 3", "Dec 3").replace("Dec 3 2024", "Dec 3 2023"),
            {"group": "shop"},
            "line 5: Dec 3 2023 comes",
        ),
        ("a,b\nx,y\n", {}, "has no column of numbers; its columns are 'a', 'b'"),
    ],
)
def test_a_wrong_panel_is_refused(write, content, settings, sentence):
    with pytest.raises(data.DataError, match=sentence):
        data.read_panel(write(content), **settings)
