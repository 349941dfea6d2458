"""Prices over time, of one or several symbols, read from a CSV file or generated."""

import dataclasses
import datetime as dt
import difflib
import math
from pathlib import Path

import numpy as np

from lstm_jax.data.table import MISSING, DataError, read_table

PRICES = ("price", "adjclose", "adj close", "adj_close", "close")
"""Columns that are taken for the price, the first that there is."""
_DATES = ("%b %d %Y", "%B %d %Y", "%d %b %Y", "%d %B %Y", "%Y/%m/%d", "%Y%m%d")


@dataclasses.dataclass(frozen=True, eq=False)
class Prices:
    """One price of each symbol at each date."""

    symbols: tuple[str, ...]
    dates: np.ndarray
    """datetime64[D] ``[T]``, rising."""
    values: np.ndarray
    """float64 ``[T, S]``, above 0; NaN where a symbol has no price."""

    @property
    def log_returns(self) -> np.ndarray:
        """``log(p[t] / p[t-1])``, ``[T - 1, S]``; NaN where one of the two is missing."""
        return np.diff(np.log(self.values), axis=0)


def read_prices(path: str | Path, column: str = "", symbol: str = "", time: str = "date") -> Prices:
    """Read a CSV file with a column of dates, one of prices and, of several symbols, the column ``symbol``.

    Dates are written like 2000-01-31, 2000/01/31, Jan 31 2000 or 31 Jan 2000. The rows of each symbol are in order of
    time, oldest first. Empty cells, NA, NaN, null and ? are missing prices.

    Args:
        path: the file.
        column: the column of prices; empty: the first of `PRICES` that there is, in any case of letters.
        symbol: the only symbol to read; empty: all of them.
        time: the column of dates, in any case of letters.

    Raises:
        DataError: the file cannot be read, is no regular CSV file, has no such column or symbol, a cell that is no date
            or no price above 0, dates that go back or come twice, or a symbol without two prices.
    """
    path = Path(path)
    header, lines, rows = read_table(path)
    lower = [name.lower() for name in header]
    price = _find(path, header, column) if column else next((lower.index(n) for n in PRICES if n in lower), None)
    if price is None:
        listed = ", ".join(map(repr, header))
        raise DataError(f"{path} has no column of prices; name it (--column): its columns are {listed}.")
    when = lower.index(time.lower()) if time.lower() in lower else _find(path, header, time)
    whose = lower.index("symbol") if "symbol" in lower else None
    if symbol and whose is None:
        raise DataError(f"{path} has no column 'symbol'; leave out --symbol {symbol}.")
    found: dict[str, dict[np.datetime64, float]] = {}
    for line, cells in zip(lines, rows, strict=True):
        place = f"{path}, line {line}"
        name, date = cells[whose] if whose is not None else header[price], _date(place, cells[when])
        series = found.setdefault(name, {})
        if series and date <= next(reversed(series)):
            how = "comes twice" if date in series else "goes back in time"
            raise DataError(f"{place}: {cells[when]} {how}; give each date of {name} once, the oldest first.")
        series[date] = _price(place, header[price], cells[price])
    if symbol:
        if symbol not in found:
            near = difflib.get_close_matches(symbol, found, n=1, cutoff=0.0)
            raise DataError(f"{path} has no symbol {symbol!r}; did you mean {near[0]!r}?")
        found = {symbol: found[symbol]}
    dates = np.array(sorted({date for series in found.values() for date in series}))
    values = np.array([[series.get(date, math.nan) for series in found.values()] for date in dates])
    for name, known in zip(found, (~np.isnan(values)).sum(axis=0), strict=True):
        if known < 2:
            raise DataError(f"{path}: {name} has {known} prices; it needs two or more for a return.")
    return Prices(tuple(found), dates, values)


def generated_prices(days: int = 900, symbols: int = 2, seed: int = 0) -> Prices:
    """Generate prices without any pattern, for when there is no file: geometric random walks.

    Log returns are independent, normal with the mean 0.0003 and the standard deviation 0.01: nothing but the drift can
    be forecast.
    """
    returns = np.random.default_rng(seed).normal(0.0003, 0.01, (days, symbols))
    dates = np.busday_offset("2020-01-01", np.arange(days), roll="forward")
    names = tuple(f"generated {number + 1}" for number in range(symbols))
    return Prices(names, dates, 100 * np.exp(np.cumsum(returns, axis=0)))


def _find(path: Path, header: list[str], column: str) -> int:
    if column in header:
        return header.index(column)
    near = difflib.get_close_matches(column, header, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise DataError(f"{path} has no column {column!r}: {hint}Its columns are {', '.join(map(repr, header))}.")


def _date(place: str, cell: str) -> np.datetime64:
    try:
        return np.datetime64(dt.datetime.fromisoformat(cell).date(), "D")
    except ValueError:
        pass
    for written in _DATES:
        try:
            return np.datetime64(dt.datetime.strptime(cell, written).date(), "D")
        except ValueError:
            continue
    raise DataError(f"{place}: {cell!r} is no date; write it like 2000-01-31.")


def _price(place: str, column: str, cell: str) -> float:
    if cell.lower() in MISSING:
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise DataError(f"{place}: column {column!r} holds {cell!r}, which is no price above 0; correct or empty it.")
    return value
