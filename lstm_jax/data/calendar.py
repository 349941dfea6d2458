"""Dates of rows, and what a calendar says of them: known in advance, for rows to come as well."""

import re
from collections.abc import Sequence
from datetime import datetime

import numpy as np

_ISO = re.compile(r"\d{4}-\d\d(-\d\d([ T]\d\d:\d\d(:\d\d)?)?)?")
# None of them can be read in two ways, as 01/02/2024 can.
_FORMATS = ("%Y/%m/%d", "%Y/%m/%d %H:%M", "%d.%m.%Y", "%b %d %Y", "%b %d, %Y", "%d %b %Y", "%B %d, %Y", "%d %B %Y")
_DAY, _YEAR = 86_400, 365.2425 * 86_400


def dates_of(times: Sequence[str]) -> np.ndarray | None:
    """What labels of rows say as dates, datetime64 ``[N]``; None where one of them is no date.

    Read are ISO 8601 (2024-05, 2024-05-31, 2024-05-31 08:00) and a few more without two meanings, such as 31.05.2024
    and May 31 2024. Of months, written as their first days or not, the unit is the month: they are equally far apart.
    """
    if not len(times):
        return None
    try:
        if all(map(_ISO.fullmatch, times)):
            dates = np.array(times, "datetime64")
        else:
            form = next(form for form in _FORMATS if _fits(times[0], form))
            dates = np.array([datetime.strptime(time, form) for time in times], "datetime64[s]")
    except (ValueError, StopIteration):  # the 31st of June, words
        return None
    days = dates.astype("datetime64[D]")
    if np.array_equal(days.astype(dates.dtype), dates):
        months = days.astype("datetime64[M]")
        monthly = len(np.unique(months)) == len(dates) > 1 and (months.astype("datetime64[D]") == days).all()
        return months if monthly else days if dates.dtype != months.dtype else dates
    return dates


def seconds(dates: np.ndarray) -> np.ndarray:
    """Dates as seconds since 1970, int64 ``[N]``."""
    return dates.astype("datetime64[s]").astype(np.int64)


def calendar_features(dates: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Hour of the day, day of the week and time of the year, each as a sine and a cosine.

    The hour is left out where rows are a day or more apart, the day of the week where they are a week or more.

    Args:
        dates: datetime64 ``[N]``.

    Returns:
        The features' names, and float64 ``[N, features]``.
    """
    at = seconds(dates)
    usual = float(np.median(np.diff(at))) if len(at) > 1 else float(_DAY)
    day = at // _DAY
    months = dates.astype("datetime64[M]")
    year = dates.astype("datetime64[Y]")
    # Of months the number counts: their lengths differ, which would tell them apart from year to year.
    monthly = dates.dtype == np.dtype("datetime64[M]")
    of_year = (months - year.astype(months.dtype)).astype(int) / 12 if monthly else (at - seconds(year)) / _YEAR
    cycles = {"hour": (usual < _DAY, at % _DAY / _DAY), "weekday": (usual < 7 * _DAY, (day + 3) % 7 / 7)}
    cycles["year"] = (usual < 300 * _DAY, of_year)
    chosen = {name: turn for name, (fits, turn) in cycles.items() if fits}
    names = tuple(f"{name}_{part}" for name in chosen for part in ("sin", "cos"))
    columns = [part(2 * np.pi * turn) for turn in chosen.values() for part in (np.sin, np.cos)]
    return names, np.stack(columns, axis=-1) if columns else np.zeros((len(at), 0))


def _fits(time: str, form: str) -> bool:
    try:
        datetime.strptime(time, form)
    except ValueError:
        return False
    return True
