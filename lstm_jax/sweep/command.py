"""``lstm-jax sweep``: its flags, and what each way to call it does."""

import contextlib
import ctypes
import dataclasses
import math
import os
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from lstm_jax.cores import use_cpu_cores
from lstm_jax.flags import FlagError, parse
from lstm_jax.sweep.display import line, summary
from lstm_jax.sweep.launcher import check, prepare, sweep
from lstm_jax.sweep.settings import Search, Sweep, toml_flags
from lstm_jax.sweep.slurm import submit
from lstm_jax.sweep.study import Study
from lstm_jax.sweep.worker import work
from lstm_jax.train.errors import RunError

COMMAND = "lstm-jax sweep"
HELP = """Try settings of EXPERIMENT, a module such as experiments.adding or a file such as mine.py, or what FILE.toml
in its place says: lstm-jax sweep experiments.adding --space 'cell.hidden_size=32,64'
'optimizer.learning_rate=log:1e-4..1e-1' --trials 40 --workers 2 -- --length 100. What follows -- is the same in every
trial. The same command goes on with what is left."""
_PR_SET_PDEATHSIG = 1  # of prctl(2)


@dataclasses.dataclass(frozen=True)
class SweepOptions:
    """Where and how a sweep takes place."""

    study: str = ""
    """The folder that keeps it; empty: sweeps/NAME. A study that is there goes on."""
    storage: str = ""
    """postgresql://USER@HOST/DATABASE, without a password; empty: SQLite in the folder."""
    workers: int = 1
    """Processes on this machine, each on its own core; 0: none, others join."""
    hours: float | None = None
    """How long this command may last; without --trials new ones are made until then. The same command goes on."""
    slurm: bool = False
    """Start the workers as an array of SLURM jobs instead, by an sbatch script."""
    slurm_options: tuple[str, ...] = ()
    """Further #SBATCH lines, such as --slurm-options=--time=4:00:00."""
    status: str = ""
    """Only show how this study stands."""
    retry: Literal["", "failed"] = ""
    """Let the study's failed trials begin again; the command that began it runs them."""
    join: str = ""
    """Work on this study, by its folder or its database's URL, until nothing is left to take or --hours are up."""


@dataclasses.dataclass(frozen=True)
class Launched:
    """What a launcher says to the workers that it starts; nobody else needs it, and the help text has none of it."""

    launched: bool = False
    """End, saved, when the launcher is gone."""
    until: float = math.inf
    """The time, in seconds since the epoch, to stop at."""


def sweep_command(words: Sequence[str]) -> str:
    """Do what the words behind ``lstm-jax sweep`` say; what is to be printed at the end.

    Raises:
        RunError: they mean nothing, or the sweep cannot go on.
        Interrupted: Ctrl-C or SIGTERM; everything is saved.
    """
    words = list(words)
    if words and words[0].endswith(".toml"):
        made, rest = toml_flags(Path(words[0])), words[1:]
        cut, ours = made.index("--"), rest.index("--") if "--" in rest else len(rest)
        words = [*made[:cut], *rest[:ours], *made[cut:], *rest[ours + 1 :]]
    cut = words.index("--") if "--" in words else len(words)
    flags, fixed = words[:cut], words[cut + 1 :]
    experiment = flags.pop(0) if flags and not flags[0].startswith("-") else ""
    try:
        kinds = (Search, SweepOptions, *[Launched] * ("--launched" in flags))
        search, options, *launched = parse(*kinds, flags=flags, command=f"{COMMAND} EXPERIMENT", description=HELP)
    except FlagError as error:
        raise RunError(f"{error} All flags: {COMMAND} --help") from error
    if options.status:
        return status(Study.find(options.status))
    if options.join:
        return _join(options, *launched)
    if options.retry:
        return _retry(options)
    if "--seed" in fixed:
        raise RunError(
            "The seeds of the runs are the sweep's: --seeds N, before the --, runs each setting with N of them."
        )
    made = {field.name: getattr(search, field.name) for field in dataclasses.fields(search)}
    question = Sweep(experiment=experiment, fixed=tuple(fixed), **made)
    place = {"study": options.study, "storage": options.storage}
    if options.slurm:
        if options.workers < 1:
            raise RunError("An array of jobs has at least one: --workers 32.")
        if question.endless:
            raise RunError("How many trials? --trials 200: what SLURM starts goes on until all of them are done.")
        study = prepare(question, **place)
        return f"{submit(study, options.workers, options.slurm_options)}\n{_how_it_stands(study)}"
    return outcome(sweep(question, **place, workers=options.workers, hours=options.hours))


def _join(options: SweepOptions, launched: Launched = Launched()) -> str:
    """Be a worker."""
    deadline = launched.until if options.hours is None else time.time() + 3600 * options.hours
    study = Study.find(options.join, options.study)
    if not launched.launched:
        check(options.workers, options.hours, endless=study.expected() is None)
    elif sys.platform == "linux":
        # A launcher that is killed leaves no workers behind that nobody knows of.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() == 1:
            return ""
    with contextlib.suppress(RuntimeError):  # XLA_FLAGS say how many devices there are
        use_cpu_cores()
    work(study.folder, deadline=deadline)
    trials = study.trials()
    return "" if launched.launched else f"{study.folder}: {summary(study, trials, study.eta(trials))}\n"


def _retry(options: "SweepOptions") -> str:
    if not options.study:
        raise RunError("Of which study? --retry failed --study STUDY")
    study = Study.find(options.study)
    count = study.retry_failed()
    which = "No trial has failed" if not count else f"{count} failed trial{'s' * (count > 1)} will be tried again"
    return f"{which}; the command that began the study runs them. {_how_it_stands(study)}"


def status(study: Study) -> str:
    """How a study stands, a trial a line."""
    trials = study.trials()
    told = [line(study, trial) for trial in trials if trial.begun]
    return "\n".join([*told, summary(study, trials, study.eta(trials))]) + "\n"


def outcome(study: Study) -> str:
    """What came out: counts, failures, the best trial, and the command that runs it."""
    trials = study.trials()
    told = [line(study, trial) for trial in trials if trial.state == "failed"]
    told.append(f"{study.folder}: {summary(study, trials, None)}")
    best = study.best_of(trials)
    if best is not None:
        scores = ", ".join(f"{name} {value:.4g}" for name, value in best.scores.items())
        told += [f"Best: {line(study, best)}; on test data {scores}", f"  {shlex.join(study.command(best.values))}"]
    told.append(f"The page: lstm-jax report {study.folder}")
    return "\n".join(told) + "\n"


def _how_it_stands(study: Study) -> str:
    return f"How it stands: {COMMAND} --status {study.folder}\n"
