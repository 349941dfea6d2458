"""From one series or many to windows: what a forecast may see of a column is declared once, and it can see no more."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from lstm_jax.data.baselines import simple_forecasts
from lstm_jax.data.calendar import calendar_features
from lstm_jax.data.examples import Examples
from lstm_jax.data.lookahead import refuse_copies, refuse_lookahead
from lstm_jax.data.roles import Roles
from lstm_jax.data.series import Series
from lstm_jax.data.split import Parts
from lstm_jax.data.table import DataError
from lstm_jax.data.windows import Standardizer, fill_missing, windows
from lstm_jax.metrics.forecasting import naive_error

PARTS: tuple[str, ...] = ("training", "validation", "test")
TRIED = 8
"""How many series are tried for look-ahead: all are treated alike."""


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
    """The windows of one part of the time, of all series, in each series' own standard units."""

    examples: Examples
    """``xs [T + H, W, D]``: T known rows and H to come, in which all but the columns known in advance are 0. The
    columns are the targets, the covariates, a mark of what was missing for each of those with gaps in training, and
    what is known in advance. ``targets [W, H, C]``, NaN where missing."""
    series: np.ndarray
    """int ``[W]``: the number of the window's series."""
    rows: np.ndarray
    """int ``[W]``: the row of the window's first target in its series."""

    def of_one_row(self, context: int) -> Examples:
        """The same windows with one row to come: what is fed back learns to forecast the next row."""
        lengths = np.full_like(self.examples.lengths, context + 1)
        return Examples(self.examples.xs[: context + 1], lengths, self.examples.targets[:, :1])


@dataclasses.dataclass(frozen=True, eq=False)
class Panel:
    """The windows of training, validation and test, and one for the rows to come of each series."""

    train: Part
    validation: Part
    test: Part
    ahead: Part | None
    """None where columns are known in advance, but not for the rows behind the last one."""
    scales: tuple[Standardizer, ...]
    """Each series' scale of its targets, fitted on its training rows."""
    known: int
    """K: the last K columns of ``xs`` are known in advance."""

    def invert(self, part: Part, values: np.ndarray) -> np.ndarray:
        """Values ``[W, H, C, ...]`` of a part's windows back in the units of their series, float64."""
        mean, std = (np.stack([getattr(s, name) for s in self.scales])[part.series] for name in ("mean", "std"))
        shape = (*mean.shape[:1], 1, *mean.shape[1:], *(1,) * (values.ndim - 3))
        return np.asarray(values, np.float64) * std.reshape(shape) + mean.reshape(shape)

    def simple_forecasts(self, part: Part, season: int) -> dict[str, np.ndarray]:
        """What needs no network, of a part's windows: ``[W, H, C]`` by name, in standard units.

        Args:
            part: the windows.
            season: rows.

        Raises:
            DataError: no training window has all its targets.
            ValueError: the context is shorter than ``season`` rows.
        """
        targets = self.train.examples.targets
        horizon, count = targets.shape[1:]
        contexts = [one.examples.xs[:-horizon, :, :count] for one in (self.train, part)]
        return simple_forecasts(contexts[0], targets, contexts[1], season)

    def naive_errors(self, series: Sequence[Series], parts: Sequence[Parts], season: int) -> np.ndarray:
        """`naive_error` of the training rows of each test window's series, ``[W, 1, C]``, in standard units."""
        count = self.test.examples.targets.shape[-1]
        errors = [naive_error(one.values[part[0], :count], season) for one, part in zip(series, parts, strict=True)]
        scales = np.stack([error / scale.std for error, scale in zip(errors, self.scales, strict=True)])
        return scales[self.test.series, None]

    def notes(self, series: Sequence[Series]) -> tuple[str, ...]:
        """What of its series a person should know: gaps, times left out, what is not forecast."""
        notes = []
        for one in series:
            for column, missing in zip(one.columns, np.isnan(one.values).sum(axis=0), strict=True):
                if missing:
                    gaps = f"{missing} of its {len(one.values)} values are missing"
                    notes.append(f"{column}: {gaps}: filled with the value before, and marked.")
            if one.skipped:
                notes.append(f"{one.name}: {one.skipped} times are left out between the rows, which are taken as even.")
        short = [one.name for number, one in enumerate(series) if number not in self.test.series]
        if short:
            notes.append(f"Too short for a test: {', '.join(short[:10])}{' and others' if len(short) > 10 else ''}.")
        if self.ahead is None:
            notes.append("Rows to come are not forecast: the columns of --known would have to be known for them.")
        return tuple(notes)


def make_panel(series: Sequence[Series], roles: Roles, parts: Sequence[Parts], context: int, horizon: int) -> Panel:
    """Scale, fill and mark the series, and cut their windows.

    Only here rows become inputs. Of targets and covariates a window gets the ``context`` rows before its first target;
    a gap is filled with the value before it; scales, and which columns have marks, come from the training rows. That
    nothing of it looks ahead is tried on the first few series: see `lstm_jax.data.lookahead`.

    Args:
        series: values ``[N, columns]`` in the order of ``roles.columns``. One that is too short for a window of some
            part has none there.
        roles: when the columns are known.
        parts: of each series, from `lstm_jax.data.split.split_panel`.
        context: T, rows that a forecast sees.
        horizon: H, rows that it forecasts.

    Raises:
        DataError: an input looks ahead, a part has no window at all, a column has no value in the training rows of its
            series, or calendar features are asked for of labels that are no dates.
    """
    panel = _cut(series, roles, parts, context, horizon)
    for number in np.unique(panel.train.series)[:TRIED]:
        one, part = series[number], parts[number]

        def inputs(values: np.ndarray, one: Series = one, part: Parts = part) -> tuple[np.ndarray, np.ndarray]:
            other = dataclasses.replace(one, values=values)
            # Of one row to come: how many there are changes no input that is known by then.
            columns, _ = _scaled(other, roles, part[0], _gaps([other], roles, [part]), 1)
            rows = slice(context, part[2].stop)
            return _windows(columns, context, 1, rows).xs, np.arange(rows.start, rows.stop)

        train = part[0].stop
        refuse_copies(one.values[:train], roles.columns, roles.targets, roles.known, horizon)
        refuse_lookahead(inputs, one.values, roles.columns, train, roles.known)
    return panel


def _cut(series: Sequence[Series], roles: Roles, parts: Sequence[Parts], context: int, horizon: int) -> Panel:
    gaps = _gaps(series, roles, parts)
    found: dict[str, list[tuple[Examples, int, np.ndarray]]] = {name: [] for name in (*PARTS, "ahead")}
    scales, in_advance = [], 0
    for number, one in enumerate(series):
        if not parts[number][0].stop:  # nothing to scale it by
            scales.append(Standardizer(np.zeros(len(roles.targets)), np.ones(len(roles.targets))))
            continue
        columns, scale = _scaled(one, roles, parts[number][0], gaps, horizon)
        scales.append(scale)
        in_advance = columns[1].shape[-1]
        rows = len(one.values)
        spans: dict[str, slice] = dict(zip(PARTS, parts[number], strict=True))
        if not roles.known:
            spans["ahead"] = slice(rows, rows + horizon)
        for name, span in spans.items():
            first = max(span.start, context)
            if span.stop - first >= horizon:
                cut = _windows(columns, context, horizon, span)
                found[name].append((cut, number, np.arange(first, span.stop - horizon + 1)))
    for part, name in enumerate(PARTS):
        if not found[name]:
            most = max(one[part].stop - one[part].start for one in parts)
            needed = context + horizon if name == "training" else horizon
            raise DataError(
                f"{series[0].name if len(series) == 1 else 'Each series'} has {most} {name} rows or fewer, but a "
                f"context of {context} and a horizon of {horizon} need at least {needed} there: give more rows, "
                "another --split, or a smaller --context or --horizon."
            )
    train, validation, test = (_pooled(found[name]) for name in PARTS)
    ahead = _pooled(found["ahead"]) if found["ahead"] else None
    return Panel(train, validation, test, ahead, tuple(scales), in_advance)


def _gaps(series: Sequence[Series], roles: Roles, parts: Sequence[Parts]) -> np.ndarray:
    """Which targets and covariates have gaps in training rows, bool ``[columns]``."""
    past = len(roles.targets) + len(roles.covariates)
    gaps = np.zeros(past, bool)
    for one, part in zip(series, parts, strict=True):
        there = ~np.isnan(one.values[part[0]])
        if not len(there):
            continue
        for column in np.flatnonzero(~there.any(axis=0))[:1]:
            name = roles.columns[column]
            raise DataError(f"{one.name}: column {name!r} is missing in all {len(there)} training rows; leave it out.")
        gaps |= ~there[:, :past].all(axis=0)
    return gaps


def _scaled(
    series: Series, roles: Roles, train: slice, gaps: np.ndarray, horizon: int
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], Standardizer]:
    """Float32 columns by when they are known, ``[N + H, ...]``: up to a row, in advance, to forecast."""
    count, past = len(roles.targets), len(gaps)
    filled = fill_missing(series.values)
    scale = Standardizer.fit(filled[train], axis=0)
    scaled, missing = scale.apply(filled), np.isnan(series.values[:, :past])
    seen = np.concatenate([scaled[:, :past], missing[:, gaps]], axis=-1)
    targets = np.where(missing[:, :count], np.nan, scaled[:, :count])
    known = np.concatenate([scaled[:, past:], np.zeros((horizon, len(roles.known)))])
    if roles.calendar:
        known = np.concatenate([known, _calendar(series, horizon)], axis=-1)
    blank = np.zeros((horizon, seen.shape[-1])), np.full((horizon, count), np.nan)
    columns = np.concatenate([seen, blank[0]]), known, np.concatenate([targets, blank[1]])
    seen, known, targets = (column.astype(np.float32) for column in columns)
    return (seen, known, targets), Standardizer(scale.mean[:count], scale.std[:count])


def _calendar(series: Series, horizon: int) -> np.ndarray:
    """Calendar features ``[N + H, features]``; rows to come are taken to be as far apart as rows mostly are."""
    dates = series.dates
    if dates is None:
        raise DataError(
            f"{series.name}: the rows are called {series.times[0]!r} and so on, which are no dates such as 2024-05-31 "
            "08:00: name their columns by --time, or leave --calendar out."
        )
    gap = np.median(np.diff(dates).astype(np.int64)).astype(np.int64) if len(dates) > 1 else 1
    return calendar_features(np.concatenate([dates, dates[-1] + gap * np.arange(1, horizon + 1)]))[1]


def _windows(columns: tuple[np.ndarray, np.ndarray, np.ndarray], context: int, horizon: int, part: slice) -> Examples:
    """The windows whose targets lie in the rows of a part."""
    seen, known, to_forecast = columns
    span = context, horizon, part.start, part.stop
    past, _ = windows(seen, *span)
    before, ahead = windows(known, *span)
    _, targets = windows(to_forecast, *span)
    xs = np.zeros((context + horizon, len(targets), past.shape[-1] + before.shape[-1]), np.float32)
    xs[:context, :, : past.shape[-1]] = past
    xs[:context, :, past.shape[-1] :] = before
    xs[context:, :, past.shape[-1] :] = np.swapaxes(ahead, 0, 1)
    return Examples(xs, np.full(len(targets), context + horizon, np.int32), targets)


def _pooled(found: list[tuple[Examples, int, np.ndarray]]) -> Part:
    """The windows of all series, one series after the other."""
    examples = Examples(
        np.concatenate([one.xs for one, _, _ in found], axis=1),
        np.concatenate([one.lengths for one, _, _ in found]),
        np.concatenate([one.targets for one, _, _ in found]),
    )
    series = np.concatenate([np.full(len(rows), number) for _, number, rows in found])
    return Part(examples, series, np.concatenate([rows for _, _, rows in found]))
