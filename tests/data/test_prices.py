"""Prices from CSV files: what is read, and what is refused."""

import os
from pathlib import Path

import numpy as np
import pytest

from lstm_jax.data import DataError
from lstm_jax.data.prices import generated_prices, read_prices


@pytest.fixture
def write(tmp_path):
    def written(text):
        path = tmp_path / "prices.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return written


def test_one_symbol_in_wide_form(write):
    prices = read_prices(write("date,open,close\n2000-01-03,1,10\n2000-01-04,2,20\n2000-01-05,2,\n"))
    assert prices.symbols == ("close",)
    np.testing.assert_array_equal(prices.dates, np.array(["2000-01-03", "2000-01-04", "2000-01-05"], "datetime64[D]"))
    np.testing.assert_array_equal(prices.values[:, 0], [10, 20, np.nan])
    np.testing.assert_allclose(prices.log_returns[:, 0], [np.log(2), np.nan])
    assert read_prices(write("Date;Open;Close\n2000-01-03;1;10\n2000-01-04;2;20\n"), "Open").values[1, 0] == 2


def test_several_symbols_are_put_side_by_side(write):
    path = write("symbol,date,price\nB,Jan 1 2000,1\nB,Mar 1 2000,3\nA,Feb 1 2000,20\nA,Mar 1 2000,30\n")
    prices = read_prices(path)
    assert prices.symbols == ("B", "A")
    assert [str(date) for date in prices.dates] == ["2000-01-01", "2000-02-01", "2000-03-01"]
    np.testing.assert_array_equal(prices.values, [[1, np.nan], [np.nan, 20], [3, 30]])
    one = read_prices(path, symbol="A")
    np.testing.assert_array_equal(one.values, [[20], [30]])


@pytest.mark.parametrize(
    "cell", ["2000-02-01", "Feb 1 2000", "February 1 2000", "1 Feb 2000", "2000/02/01", "20000201"]
)
def test_dates(write, cell):
    assert str(read_prices(write(f"date,price\n1999-12-31,1\n{cell},2\n")).dates[1]) == "2000-02-01"


def test_the_column_of_dates_is_named(write):
    prices = read_prices(write("Day,price\n2000-01-03,1\n2000-01-04,2\n"), time="day")
    assert [str(date) for date in prices.dates] == ["2000-01-03", "2000-01-04"]


@pytest.mark.parametrize(
    ("text", "arguments", "sentence"),
    [
        ("", {}, "prices.csv is empty"),
        ("date,price\n", {}, "has a header but no rows"),
        (b"date,price\n\xe9,1\n", {}, "line 2: byte 0xe9 is not UTF-8 text"),
        ("date,value\n2000-01-03,1\n", {}, "has no column of prices; name it .*'date', 'value'"),
        ("date,price\n2000-01-03,1\n", {"column": "prise"}, "has no column 'prise': did you mean 'price'"),
        ("day,price\n2000-01-03,1\n", {}, "has no column 'date': "),
        ("date,price\n2000-01-03,1\n2000-13-04,2\n", {}, "line 3: '2000-13-04' is no date; write it like 2000-01-31"),
        ("date,price\n2000-01-03,1\n2000-01-04,dear\n", {}, "line 3: column 'price' holds 'dear', which is no price"),
        ("date,price\n2000-01-03,1\n2000-01-04,0\n", {}, "line 3: column 'price' holds '0', which is no price above 0"),
        ("date,price\n2000-01-03,1\n2000-01-03,2\n", {}, "line 3: 2000-01-03 comes twice; give each date of price onc"),
        ("date,price\n2000-01-03,1\n2000-01-02,2\n", {}, "line 3: 2000-01-02 goes back in time"),
        ("date,price\n2000-01-03,1\n", {}, "price has 1 prices; it needs two or more"),
        ("date,price\n2000-01-03,1\n2000-01-04,2\n", {"symbol": "A"}, "has no column 'symbol'; leave out --symbol A"),
        ("symbol,date,price\nAB,2000-01-03,1\nAB,2000-01-04,1\n", {"symbol": "A"}, "no symbol 'A'; did you mean 'AB'"),
    ],
)
def test_what_is_wrong_is_one_sentence_with_its_place(write, text, arguments, sentence):
    path = write(text)
    with pytest.raises(DataError, match=sentence) as error:
        read_prices(path, **arguments)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@pytest.mark.skipif("LSTM_JAX_DATA" not in os.environ, reason="LSTM_JAX_DATA names no folder of public data sets")
def test_public_files():
    folder = Path(os.environ["LSTM_JAX_DATA"]) / "finance_vega_stocks"
    daily = read_prices(folder / "sp500-2000.csv", "close")
    assert (daily.values.shape, str(daily.dates[0]), daily.values[0, 0]) == ((5105, 1), "2000-01-03", 1455.219971)
    monthly = read_prices(folder / "stocks.csv")
    assert monthly.symbols == ("MSFT", "AMZN", "IBM", "GOOG", "AAPL")
    assert monthly.values.shape == (123, 5)
    assert np.isnan(monthly.values).sum(axis=0).tolist() == [0, 0, 0, 55, 0]


def test_generated_prices_have_independent_returns():
    prices = generated_prices(4000, 2)
    returns = prices.log_returns
    assert returns.mean() == pytest.approx(0.0003, abs=0.0005)
    assert returns.std() == pytest.approx(0.01, rel=0.05)
    assert np.abs(np.corrcoef(returns[1:].T, returns[:-1].T)[:2, 2:]).max() < 0.06
    assert (np.diff(prices.dates) > np.timedelta64(0, "D")).all()
