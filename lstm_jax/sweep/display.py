"""What a person sees of a sweep: a live table on a terminal, plain lines elsewhere. All of it goes to stderr."""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from lstm_jax.sweep.study import Study
from lstm_jax.sweep.trial import ENDED, TrialView, shown

if TYPE_CHECKING:
    from rich.table import Table

SECONDS_BETWEEN_LINES = 15.0
ROWS = 12
"""Rows of the live table: those in work, the best, then the latest."""


class Display:
    """Shows the trials of a study, again and again."""

    def __init__(self, study: Study, *, quiet: bool = False) -> None:
        self._study, self._quiet = study, quiet
        self._seen: dict[int, str] = {}
        self._told = self._begun = time.monotonic()
        self._at_first: int | None = None
        self._live: Any = None
        if not quiet and sys.stderr.isatty():
            try:
                from rich.console import Console
                from rich.live import Live

                self._live = Live(console=Console(stderr=True), auto_refresh=False, vertical_overflow="crop")
            except ImportError:  # an extra
                pass

    @property
    def live(self) -> bool:
        """Whether there is a terminal."""
        return self._live is not None

    def __enter__(self) -> Self:
        """Begin."""
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        if self._live is not None:
            self._live.stop()

    def say(self, line: str) -> None:
        """A line of its own."""
        if self._quiet:
            return
        if self._live is not None:
            self._live.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()

    def show(self, trials: Sequence[TrialView]) -> None:
        """Show how it stands."""
        first = self._at_first is None
        if first:
            self._at_first = sum(trial.state in ENDED for trial in trials)
        if self._quiet:
            return
        if self._live is not None:
            from rich.console import Group

            self._live.update(
                Group(table(self._study, chosen(self._study, trials)), self._summary(trials)), refresh=True
            )
            return
        for trial in trials:
            before, self._seen[trial.number] = self._seen.get(trial.number), trial.state
            if trial.state in ENDED and before != trial.state and not first:
                self.say(line(self._study, trial))
                self._told = 0.0 if self._told == self._begun else self._told
        if time.monotonic() - self._told > SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            self.say(self._summary(trials))

    def _summary(self, trials: Sequence[TrialView]) -> str:
        return summary(self._study, trials, self._eta(trials))

    def _eta(self, trials: Sequence[TrialView]) -> float | None:
        ended = sum(trial.state in ENDED for trial in trials) - (self._at_first or 0)
        expected = self._study.expected()
        if ended < 2 or expected is None:
            return None
        left = max(expected, len(trials)) - ended - (self._at_first or 0)
        return left * (time.monotonic() - self._begun) / ended


def summary(study: Study, trials: Sequence[TrialView], eta: float | None) -> str:
    """How many trials are in which state, the best objective, and how long the rest takes."""
    counts = Counter(trial.state for trial in trials)
    expected, ended = study.expected(), sum(counts[state] for state in ENDED)
    total = str(len(trials)) if expected is None else f"{ended}/{max(expected, len(trials))}"
    told = [
        f"{total} trial{'s' * (total != '1')}",
        *(f"{counts[state]} {state}" for state in ("running", "stopped", "waiting", *ENDED) if counts[state]),
    ]
    best = study.best_of(trials)
    if best is not None:
        told.append(f"best {study.objective} {best.value:.4g} (trial {best.number})")
    if eta:
        told.append(f"about {_duration(eta)} left")
    return ", ".join(told)


def line(study: Study, trial: TrialView) -> str:
    """A trial in one line."""
    told = [f"trial {trial.number} {trial.state}"]
    if trial.value is not None:
        told.append(f"{study.objective} {trial.value:.4g}")
    told.append(settings(trial))
    return "  ".join(told) + (f"  ({trial.reason})" if trial.reason else "")


def settings(trial: TrialView) -> str:
    """A trial's settings, briefly."""
    return " ".join(f"{field}={shown(value)}" for field, value in trial.values.items() if value is not None)


def chosen(study: Study, trials: Sequence[TrialView]) -> list[TrialView]:
    """The trials that fit into the live table: those in work, the best, then the latest to end."""
    ended = [trial for trial in trials if trial.state in ENDED]
    ranked = sorted(ended, key=study.rank)
    work = [trial for trial in trials if trial.begun and trial.state not in ENDED]
    picked = [*work[:ROWS], *ranked[: ROWS // 2]]
    picked += [trial for trial in reversed(ended) if trial not in picked]
    return picked[: max(ROWS, len(work[:ROWS]) + 3)]


def table(study: Study, trials: Sequence[TrialView]) -> "Table":
    """The trials as a table for a terminal."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, header_style="bold")
    made.add_column("trial", justify="right")
    for field in study.fields:
        made.add_column(field.rpartition(".")[2] if study.is_short(field) else field, justify="right", no_wrap=True)
    for column in ("step", study.objective, "steps/s"):
        made.add_column(column, justify="right", no_wrap=True)
    made.add_column("state", no_wrap=True, overflow="ellipsis")
    best = study.best_of(trials)
    for trial in trials:
        step = f"{trial.step}/{trial.steps}" if trial.steps else ""
        score = "" if trial.value is None else f"{trial.value:.4g}"
        rate = "" if trial.rate is None or trial.state != "running" else f"{trial.rate:.3g}"
        state = trial.state + (f": {trial.reason}" if trial.reason else "")
        style = "bold green" if best is not None and trial.number == best.number else None
        cells = [shown(trial.values[field]) if trial.values[field] is not None else "" for field in study.fields]
        made.add_row(str(trial.number), *cells, step, score, rate, state, style=style)
    return made


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{seconds:.0f} s" if seconds < 90 else f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
