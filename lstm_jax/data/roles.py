"""What the columns of a file are to a forecast."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from lstm_jax.data.series import Series, read_panel, read_series


@dataclasses.dataclass(frozen=True)
class Roles:
    """When the columns of a series are known."""

    targets: tuple[str, ...]
    """Forecast; known up to the last row before the rows to come."""
    covariates: tuple[str, ...] = ()
    """Inputs alone; known as long as the targets."""
    known: tuple[str, ...] = ()
    """Inputs alone; known in advance, for the rows to come too, as holidays and prices are."""
    calendar: bool = False
    """Whether hour, weekday and time of the year are inputs, known in advance."""

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, in the order in which the values of a series hold them."""
        return (*self.targets, *self.covariates, *self.known)


def read_with_roles(
    path: str | Path, roles: Roles, *, group: str = "", time: Sequence[str] = ()
) -> tuple[list[Series], Roles]:
    """Read the series of a CSV file, with a column for each of the roles, in this order, and the roles as they are.

    Args:
        path: the file.
        roles: what its columns are. No target: the only column of numbers; ``("all",)``: every column of numbers that
            has no other role.
        group: as of `read_panel`.
        time: as of `read_panel`.

    Raises:
        DataError: as `read_panel`.
        ValueError: a column is named twice, or is a number, and a time or group as well.
    """
    targets = roles.targets
    if not targets:
        targets = (read_series(path).name,)
    elif targets == ("all",):
        found = read_panel(path, group=group, time=time)[0].columns
        targets = tuple(name for name in found if name not in (*roles.covariates, *roles.known))
    roles = dataclasses.replace(roles, targets=targets)
    for name in roles.columns:
        if roles.columns.count(name) > 1:
            raise ValueError(f"Column {name!r} is named twice in --column, --covariates and --known; name it once.")
        if name in (group, *time):
            raise ValueError(f"Column {name!r} cannot be numbers and --{'group' if name == group else 'time'} as well.")
    return read_panel(path, roles.columns, group=group, time=time), roles
