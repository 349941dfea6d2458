"""What a person sees of a running training: a bar on a terminal, plain lines elsewhere. All of it goes to stderr."""

import sys
import time
from types import TracebackType
from typing import Protocol, Self

SECONDS_BETWEEN_LINES = 10.0


class Progress(Protocol):
    """Shows how far a run has come."""

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> bool | None:
        """End."""
        ...

    def say(self, line: str) -> None:
        """Show a line of its own."""
        ...

    def update(self, step: int, loss: float, validation: str = "") -> None:
        """Show the state after ``step`` steps; ``validation`` is told anew whenever there is a new one."""
        ...


def progress(name: str, start: int, total: int) -> Progress:
    """A progress display for the steps from ``start`` to ``total``: rich's on a terminal where it is installed."""
    if sys.stderr.isatty():
        try:
            return _Bar(name, start, total)
        except ImportError:  # an extra
            pass
    return _Lines(name, start, total)


class Silent:
    """Shows nothing."""

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *error: object) -> None:
        """End."""

    def say(self, line: str) -> None:
        """Nothing."""

    def update(self, step: int, loss: float, validation: str = "") -> None:
        """Nothing."""


class _Lines:
    """A line at each validation, though not more often than every few seconds."""

    def __init__(self, name: str, start: int, total: int) -> None:
        self._name, self._start, self._total = name, start, total
        self._begun = self._told = time.monotonic()

    def __enter__(self) -> Self:
        self._begun = self._told = time.monotonic()
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def say(self, line: str) -> None:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    def update(self, step: int, loss: float, validation: str = "") -> None:
        now = time.monotonic()
        if now - self._told < SECONDS_BETWEEN_LINES:
            return
        self._told = now
        rate = (step - self._start) / (now - self._begun)
        told = [f"{self._name}  step {step}/{self._total}", f"loss {loss:.4g}", *([validation] if validation else [])]
        self.say("  ".join([*told, f"{rate:.3g} steps/s", f"at most {_duration((self._total - step) / rate)} left"]))


class _Bar:
    """Rich's progress bar."""

    def __init__(self, name: str, start: int, total: int) -> None:
        from rich import progress as bars
        from rich.console import Console

        self._bar = bars.Progress(
            # It has to fit into 80 columns.
            bars.TextColumn("{task.description}"),
            bars.BarColumn(bar_width=10),
            bars.MofNCompleteColumn(),
            bars.TextColumn("{task.fields[rate]} {task.fields[loss]} {task.fields[validation]}"),
            bars.TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task(name, total=total, completed=start, rate="", loss="compiling", validation="")
        self._start, self._begun = start, time.monotonic()

    def __enter__(self) -> Self:
        self._begun = time.monotonic()
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def say(self, line: str) -> None:
        self._bar.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def update(self, step: int, loss: float, validation: str = "") -> None:
        rate = (step - self._start) / (time.monotonic() - self._begun)
        fields = {"rate": f"{rate:.3g} steps/s", "loss": f"loss {loss:.4g}"}
        if validation:
            fields["validation"] = validation.removeprefix("validation ")
        self._bar.update(self._task, completed=step, **fields)  # pyright: ignore[reportArgumentType]


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"
