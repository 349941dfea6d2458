"""What a sweep is asked: from the command line, from a TOML file, from Python. It is kept in the study's folder."""

import dataclasses
import json
import re
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lstm_jax.options import one_of, positive
from lstm_jax.train.errors import RunError

MEASURES = ("steps", "seconds", "sequences")
"""What of a result can be minimised beside its validation scores."""


@dataclass(frozen=True)
class Search:
    """What is varied, and how it is searched."""

    space: tuple[str, ...] = ()
    """What is varied: FIELD=a,b,c or FIELD=low..high or FIELD=log:low..high."""
    trials: int | None = None
    """How many settings to try; None: all of a grid, or new ones until --hours are up."""
    sampler: Literal["tpe", "random", "grid"] = "tpe"
    """How settings are chosen: by Optuna's TPE from the trials before, at random, or every combination."""
    seed: int = 0
    """Of the sweep's own draws."""
    seeds: int = 1
    """Runs of each setting, with the seeds 0 to N - 1; the objective is their mean."""
    objective: str = ""
    """A validation score in result.json, at the best step, or steps, seconds, sequences; empty: the experiment's
    metric."""
    direction: Literal["auto", "min", "max"] = "auto"
    """Whether a lower or a higher objective is better; auto: as the experiment says."""
    pruner: Literal["none", "median", "halving"] = "none"
    """What ends a trial early, by the validations of its first seed: below the median, or successive halving."""
    population: int = 1
    """Trials of one shape that a worker trains together in one program; they differ in seeds and optimiser numbers."""
    retries: int = 3
    """How often a crashed trial is tried again, and one whose worker dies without getting any further."""
    checkpoint_every: float = 30.0
    """Seconds between two checkpoints of a run."""


@dataclass(frozen=True, kw_only=True)
class Sweep(Search):
    """A question to many runs of one experiment."""

    experiment: str = ""
    """A module, experiments.adding, or a file, path/to/mine.py."""
    fixed: tuple[str, ...] = ()
    """Flags of the experiment that are the same in every trial: what follows -- on the command line."""

    def check(self) -> None:
        """Refuse what means nothing.

        Raises:
            RunError: a setting has no sensible value.
        """
        try:
            one_of("sampler", self.sampler, ("tpe", "random", "grid"))
            one_of("direction", self.direction, ("auto", "min", "max"))
            one_of("pruner", self.pruner, ("none", "median", "halving"))
            for name in ("seeds", "population"):
                positive(name, getattr(self, name))
            if self.trials is not None:
                positive("trials", self.trials)
        except ValueError as error:
            raise RunError(str(error)) from error
        if not self.experiment:
            raise RunError("Which experiment? lstm-jax sweep experiments.adding --space ...")
        if not self.space:
            raise RunError("What is varied? --space 'optimizer.learning_rate=log:1e-4..1e-1' 'cell.hidden_size=32,64'")
        if self.retries < 0 or self.seed < 0:
            raise RunError("retries and seed must be at least 0.")
        if not self.checkpoint_every >= 0:
            raise RunError(f"checkpoint_every must be at least 0, got {self.checkpoint_every}.")

    @property
    def endless(self) -> bool:
        """Whether only the time ends it: a grid has an end of its own."""
        return self.trials is None and self.sampler != "grid"

    def question(self) -> dict[str, Any]:
        """What must not change while a study lasts: all but how much is tried, and how."""
        free = {"trials", "population", "retries", "checkpoint_every"}
        return {name: value for name, value in dataclasses.asdict(self).items() if name not in free}


def check_same(folder: Path, old: Sweep, new: Sweep, old_url: str, new_url: str) -> None:
    """Refuse to go on with another question, or in another database, than the study in ``folder`` has.

    Raises:
        RunError: names what differs.
    """
    before, now = old.question() | {"storage": old_url}, new.question() | {"storage": new_url}
    for name, value in now.items():
        # Through JSON once: what is compared is what was written.
        if json.loads(json.dumps(value)) != json.loads(json.dumps(before[name])):
            raise RunError(
                f"{folder} holds a study with another {name}: {_shown(before[name])} there, {_shown(value)} here. "
                "Choose another --study for another question."
            )


def _shown(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else repr(value)


def from_json(content: Mapping[str, Any]) -> Sweep:
    """The sweep that `dataclasses.asdict` and JSON made this of."""
    entries: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in content.items()}
    return Sweep(**entries)


def toml_flags(path: Path) -> list[str]:
    """The command line that a TOML file stands for, fixed flags behind ``--``.

    The file has the command line's names, ``experiment``, ``study``, ``trials`` ..., a table ``[space]`` by field, and
    ``fixed``, a text with the flags that follow ``--``.

    Raises:
        RunError: it cannot be read, or an entry is no number, text or list.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"Cannot read {path}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{path} is no TOML: {error}.") from error
    experiment = content.pop("experiment", None)
    space, fixed = content.pop("space", None), content.pop("fixed", "")
    if not isinstance(experiment, str) or not isinstance(space, dict) or not isinstance(fixed, str):
        raise RunError(
            f'{path} needs experiment = "experiments.adding", a table [space] with an entry for each field, and, if '
            'flags are fixed, fixed = "--length 100".'
        )
    flags = [experiment, "--space", *(f"{field}={_text(path, field, value)}" for field, value in _flat(space))]
    for name, value in content.items():
        if not re.fullmatch(r"[a-z_]+", name):
            raise RunError(f"{path}: {name!r} is no setting of a sweep.")
        flags += [f"--{name.replace('_', '-')}", _text(path, name, value)]
    return [*flags, "--", *shlex.split(fixed)]


def _flat(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Entries by dotted field: ``cell.hidden_size`` may be a quoted name or a table in a table."""
    found: list[tuple[str, Any]] = []
    for name, value in table.items():
        found += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(f"{prefix}{name}", value)]
    return found


def _text(path: Path, name: str, value: Any) -> str:
    if isinstance(value, list):
        return ",".join(_text(path, name, entry) for entry in value)
    if not isinstance(value, (str, int, float)):
        raise RunError(f"{path}: {name} must be a number, a text or a list of them, got {value!r}.")
    return str(value)
