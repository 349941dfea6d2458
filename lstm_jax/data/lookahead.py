"""Look-ahead refused: inputs that change with what was not known yet, and columns that are copies of the future."""

from collections.abc import Callable, Sequence

import numpy as np

from lstm_jax.data.table import DataError
from lstm_jax.data.windows import fill_missing


def refuse_lookahead(
    inputs: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    values: np.ndarray,
    columns: Sequence[str],
    train: int,
    known: Sequence[str] = (),
) -> None:
    """Try whether any input of a forecast changes with values that were not known when it was made.

    All values from a row t on are replaced by others, where ``columns`` are not declared as known in advance: each
    forecast with t as its first row to come, or an earlier one, must be made of the very same inputs. Tried for t at
    the end of the training rows (so that scales are fitted on them alone), in the middle and at the end of the rest,
    and at ends of gaps.

    Args:
        inputs: ``inputs(values) -> (xs [T, W, ...], rows [W])``: everything that the forecasts are made of, and the
            first row to come of each.
        values: ``[N, columns]``, NaN where missing.
        columns: their names.
        train: how many of the first rows are training's.
        known: the names of those that are known in advance.

    Raises:
        DataError: an input looks ahead; names the column and a row.
    """
    xs, rows = inputs(values)
    gaps = np.flatnonzero(np.isnan(values[:-1]).any(axis=1) & ~np.isnan(values[1:]).any(axis=1)) + 1
    gaps = gaps[gaps >= train][:2]
    last = int(rows.max())
    for row in {train, (train + last) // 2, last, *gaps.tolist()}:
        earlier = rows <= row
        if not earlier.any():
            continue
        hidden = [number for number, name in enumerate(columns) if name not in known]
        if _same(inputs, values, hidden, row, xs[:, earlier]):
            continue
        guilty = next((one for one in hidden if not _same(inputs, values, [one], row, xs[:, earlier])), hidden[0])
        raise DataError(
            f"Column {columns[guilty]!r} looks ahead: inputs of forecasts made before row {row} change with what it "
            "holds from there on. Compute them from earlier rows alone, and scales from the training rows."
        )


def refuse_copies(
    values: np.ndarray, columns: Sequence[str], targets: Sequence[str], known: Sequence[str], horizon: int
) -> None:
    """Refuse an input column that holds a target of the rows to come, but for its unit.

    This is a rule of thumb: a correlation above 0.9999 with the target some rows later, where the target itself
    correlates less than 0.999 with its own value as many rows before. What is hidden better is not found.

    Args:
        values: ``[N, columns]``, the training rows, NaN where missing.
        columns: their names.
        targets: the names of those to forecast.
        known: the names of those that are said to be known in advance; of these the very row counts, too.
        horizon: how many rows later to look.

    Raises:
        DataError: names the column and what it is a copy of.
    """
    values = fill_missing(values)
    for number, name in enumerate(columns):
        if name in targets:
            continue
        for target in targets:
            truth = values[:, columns.index(target)]
            for later in range(0 if name in known else 1, min(horizon, len(values) - 3) + 1):
                stop = len(values) - later
                if _correlation(values[:stop, number], truth[later:]) <= 0.9999:
                    continue
                if later == 0 or _correlation(truth[:stop], truth[later:]) < 0.999:
                    at = f"{target!r} {later} rows later" if later else f"{target!r} of the same row"
                    raise DataError(
                        f"Column {name!r} looks ahead: it is a copy of {at}, which is what is to be forecast; leave "
                        "it out."
                    )


def _same(
    inputs: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    values: np.ndarray,
    hidden: Sequence[int],
    row: int,
    xs: np.ndarray,
) -> bool:
    """Whether the inputs of forecasts up to a row stay as they are with other values from it on."""
    other = values.copy()
    other[row:, hidden] = 1000 - 3 * np.nan_to_num(values[row:, hidden])
    changed, rows = inputs(other)
    earlier = changed[:, rows <= row]
    return earlier.shape == xs.shape and np.array_equal(earlier, xs)


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's, without its sign; 0 of a constant."""
    one, other = one - one.mean(), other - other.mean()
    size = float(np.sqrt((one @ one) * (other @ other)))
    return abs(float(one @ other)) / size if size > 0 else 0.0
