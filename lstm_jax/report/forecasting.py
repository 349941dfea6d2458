"""Tables of forecasts: each one beside the truth, and how well they did at each time and at each distance."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lstm_jax.data.panel import Panel
from lstm_jax.data.series import Series
from lstm_jax.metrics.forecasting import rmse
from lstm_jax.report.figures import forecast_against_truth
from lstm_jax.report.rows import write_rows

MOST = 200_000
"""Rows of a table of forecasts; of more windows only every so many are written."""
PICTURES = 8
"""How many series and columns are drawn."""


def report_forecasts(
    folder: Path,
    series: Sequence[Series],
    targets: Sequence[str],
    panel: Panel,
    tables: Mapping[str, Mapping[str, np.ndarray]],
) -> None:
    """Write the tables of a run folder, and draw forecasts over their truth.

    Args:
        folder: gets ``predictions.csv``, ``future.csv``, ``backtest.csv`` and ``plots/forecast.png``, with more
            pictures of the first few series and columns.
        series: the series.
        targets: the names of the columns that are forecast.
        panel: their windows.
        tables: "predictions", of the test windows, and "future", of those of the rows to come, if there are any: each
            "truth", "forecast" and others by name, ``[W, H, C]`` in standard units.
    """
    horizon = tables["predictions"]["truth"].shape[1]
    labels = [[*one.times, *one.times_after(horizon)] for one in series]
    parts = {"predictions": panel.test, "future": panel.ahead}
    shown = {}
    for table, columns in tables.items():
        part = parts[table]
        assert part is not None
        shown[table] = {name: panel.invert(part, values) for name, values in columns.items()}
        times = [labels[number][row : row + horizon] for number, row in zip(part.series, part.rows, strict=True)]
        names = [series[number].name for number in part.series]
        write_forecasts(folder / f"{table}.csv", names, targets, times, shown[table])
    order = np.argsort(panel.test.rows, kind="stable")
    origins = [labels[panel.test.series[window]][panel.test.rows[window]] for window in order]
    columns = {name: values[order] for name, values in tables["predictions"].items() if not name.startswith("q")}
    write_backtest(folder / "backtest.csv", origins, columns)
    places = [(number, column) for number in np.unique(panel.test.series) for column in range(len(targets))]
    for place, (number, column) in enumerate(places[:PICTURES]):
        windows = np.flatnonzero(panel.test.series == number)
        columns = {name: values[windows, :, column] for name, values in shown["predictions"].items()}
        ahead = {}
        rows = panel.test.rows[windows[0]], panel.test.rows[windows[-1]] + horizon
        if panel.ahead is not None and rows[1] == len(series[number].times):  # else they are not the next ones
            window = np.flatnonzero(panel.ahead.series == number)[0]
            ahead = {said: values[window, :, column] for said, values in shown["future"].items() if said != "truth"}
        name = targets[column] if len(series) == 1 else f"{series[number].name} {targets[column]}"
        path = folder / "plots" / ("forecast.png" if place == 0 else f"forecast_{place + 1}.png")
        forecast_against_truth(path, labels[number][rows[0] :], columns, name, ahead)


def write_forecasts(
    path: Path,
    names: Sequence[str],
    targets: Sequence[str],
    times: Sequence[Sequence[str]],
    columns: Mapping[str, np.ndarray],
) -> None:
    """Write a row for each window, target and row ahead: when the forecast was for, and each column's value.

    Args:
        path: the CSV file.
        names: of each window's series, ``[W]``.
        targets: of the columns that are forecast, ``[C]``.
        times: for each window the labels of its rows to come, ``[W][H]``.
        columns: "truth", "forecast" and others by name, each ``[W, H, C]``; NaN is left empty.
    """
    windows, horizon, count = columns["forecast"].shape
    every = -(-windows * horizon * count // MOST)
    rows = []
    for window, target, ahead in itertools.product(range(0, windows, every), range(count), range(horizon)):
        values = [column[window, ahead, target] for column in columns.values()]
        numbers = ["" if np.isnan(value) else f"{value:.6g}" for value in values]
        rows.append([names[window], targets[target], times[window][ahead], ahead + 1, *numbers])
    write_rows(path, ["series", "column", "time", "rows_ahead", *columns], rows)


def write_backtest(path: Path, times: Sequence[str], columns: Mapping[str, np.ndarray], blocks: int = 10) -> None:
    """Write the root mean squared errors of forecasts from successive origins, in standard units.

    First over blocks of origins, from the first to the last, then over all of them at each distance.

    Args:
        path: the CSV file.
        times: for each window the label of its first row to come, ``[W]``.
        columns: "truth" and forecasts by name, each ``[W, H, C]``.
        blocks: into how many the windows are cut.
    """
    truth = columns["truth"]
    forecasts = {name: values for name, values in columns.items() if name != "truth"}
    windows, horizon = truth.shape[:2]
    edges = np.unique(np.linspace(0, windows, blocks + 1).astype(int))
    cuts = [(slice(start, stop), slice(None)) for start, stop in itertools.pairwise(edges)]
    cuts += [(slice(0, windows), slice(ahead, ahead + 1)) for ahead in range(horizon)]
    rows = []
    for number, (block, ahead) in enumerate(cuts):
        errors = [f"{rmse(values[block, ahead], truth[block, ahead]):.6g}" for values in forecasts.values()]
        far = "all" if number < len(edges) - 1 else ahead.start + 1
        rows.append([times[block.start], times[block.stop - 1], far, *errors])
    write_rows(
        path, ["first_origin", "last_origin", "rows_ahead", *(f"standard_rmse_{name}" for name in forecasts)], rows
    )
