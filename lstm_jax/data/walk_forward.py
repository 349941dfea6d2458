"""Walk-forward: each stretch of a series is forecast by a model that knows the rows before it, and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Folds:
    """Which rows each of K + 1 models may see: the first one chooses settings, the others are tested."""

    returns: np.ndarray
    """``[N, S]``, NaN where missing; row i goes from date i to date i + 1."""
    known_until: np.ndarray
    """The row behind the last one that trains, of each model ``[K + 1]``."""
    tested_until: np.ndarray
    """The row behind the last one that it forecasts ``[K + 1]``; it begins at ``known_until``."""
    mean: np.ndarray
    """The training rows' mean return ``[K + 1, S]``."""
    std: np.ndarray
    """Their standard deviation."""
    up: np.ndarray
    """1 where most of them rise, else -1."""

    @classmethod
    def of(cls, returns: np.ndarray, folds: int, tested: float = 0.4, validated: float = 0.15) -> "Folds":
        """Cut the rows in order of time.

        Args:
            returns: ``[N, S]``.
            folds: K, how many stretches are tested, of about equally many rows.
            tested: the share of all rows that is tested.
            validated: of the rows before, the share that chooses settings.
        """
        first = len(returns) - round(len(returns) * tested)
        ends = np.linspace(first, len(returns), folds + 1).round().astype(int)
        starts = np.array([first - round(first * validated), *ends[:-1]])
        known = [returns[:stop] for stop in starts]
        # A symbol without a past has that of all the others.
        mean, std, up = (np.stack([_of_each(statistic, part) for part in known]) for statistic in (_mean, _std, _up))
        return cls(returns, starts, np.array([first, *ends[1:]]), mean, std, up)

    def by_row(self, values: np.ndarray) -> np.ndarray:
        """Of what each model says of all rows ``[K + 1, N, S]``, the tested rows of the models that are tested."""
        stretches = zip(values, self.known_until, self.tested_until, strict=True)
        return np.concatenate([its[start:stop] for its, start, stop in stretches][1:])


def _mean(known: np.ndarray) -> float:
    return float(known.mean())


def _std(known: np.ndarray) -> float:
    return float(known.std()) or 1.0


def _up(known: np.ndarray) -> float:
    return 1.0 if (known > 0).sum() >= (known < 0).sum() else -1.0


def _of_each(statistic: Callable[[np.ndarray], float], returns: np.ndarray) -> np.ndarray:
    """A statistic of each symbol's known returns; of one with less than two, that of all of them."""
    columns = [column[~np.isnan(column)] for column in returns.T]
    everything = np.concatenate(columns)
    return np.array([statistic(column if len(column) > 1 else everything) for column in columns])
