"""The launcher: makes a study, starts workers, watches them, and shows what they do. Several may share a study."""

import dataclasses
import math
import os
import shlex
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from lstm_jax.options import one_of
from lstm_jax.sweep.display import Display
from lstm_jax.sweep.settings import MEASURES, Sweep
from lstm_jax.sweep.space import Space
from lstm_jax.sweep.study import WORKERS, Study
from lstm_jax.sweep.trial import TrialView
from lstm_jax.sweep.worker import measures_of
from lstm_jax.train.errors import Interrupted, RunError
from lstm_jax.train.find import find_experiment, short_name

STOP_SECONDS = 30.0
"""How long workers have to save what they do before they are killed."""
HASTE_SECONDS, HASTE_TIMES = 30.0, 3
"""A worker that fails sooner than this, so often in a row, will fail again."""


def sweep(
    question: Sweep,
    *,
    study: str | os.PathLike[str] = "",
    storage: str = "",
    workers: int = 1,
    hours: float | None = None,
    quiet: bool = False,
) -> Study:
    """Run a sweep, or go on with it: returns when every trial is done, pruned or failed, or when the time is up.

    Args:
        question: what is varied, and how.
        study: the folder; ``sweeps/`` and the experiment's name if empty.
        storage: the URL of a PostgreSQL database, without a password; SQLite in the folder if empty.
        workers: processes on this machine, each on a core of its own, or on its share of the GPUs; 0: none, they are
            started elsewhere.
        hours: how long this call may last; what is left goes on with the next one. It may take the place of a number
            of trials: then new ones are made until the time is up.
        quiet: show nothing on stderr.

    Raises:
        RunError: something of the question means nothing, or the study cannot be written or reached; before any run.
        Interrupted: Ctrl-C or SIGTERM, when all workers have saved and ended.
    """
    question.check()
    check(workers, hours, endless=question.endless)
    made = prepare(question, study=study, storage=storage)
    launch(made, workers=workers, hours=hours, quiet=quiet)
    return made


def prepare(question: Sweep, *, study: str | os.PathLike[str] = "", storage: str = "") -> Study:
    """Check a sweep, and make its study with all trials that are drawn up front; see `sweep`.

    Without a number of trials the study has no end but the time of those who work on it.
    """
    question.check()
    module = find_experiment(question.experiment)
    if question.experiment.endswith(".py"):  # workers may be started anywhere
        question = dataclasses.replace(question, experiment=str(Path(question.experiment).resolve()))
    space = Space.read(question.space, question.fixed, module.Config)
    if question.sampler == "grid":
        space.grid()
    try:
        experiments = [module.build(config) for config in space.check()]
        objective = one_of("objective", question.objective or experiments[0].metric, measures_of(experiments[0]))
    except ValueError as error:
        raise RunError(str(error)) from error
    except RunError:
        raise
    except Exception as error:  # of the experiment's own code
        raise RunError(
            f"{question.experiment} cannot be built with one of these settings: {type(error).__name__}: {error}; "
            "lstm-jax run shows where."
        ) from error
    if question.pruner != "none" and objective in MEASURES:
        raise RunError(f"Pruning goes by validations, which do not have {objective}: choose --pruner none.")
    goal = question.direction
    if goal == "auto":
        if objective != experiments[0].metric and objective not in MEASURES:
            raise RunError(f"Is a lower or a higher {objective} better? --direction min or max.")
        goal = experiments[0].goal if objective == experiments[0].metric else "min"
    folder = Path(study) if str(study) else Path("sweeps") / short_name(question.experiment)
    return Study.create(folder, question, space, storage, objective, goal)


def launch(study: Study, *, workers: int, hours: float | None = None, quiet: bool = False) -> None:
    """Start workers on a study and watch them until nothing is left to do; see `sweep`."""
    check(workers, hours, endless=study.expected() is None)
    _Launcher(study, workers, hours, quiet).run()


def check(workers: int, hours: float | None, *, endless: bool) -> None:
    """Refuse a number of workers, or a time, that means nothing, and a study that nothing would end.

    Raises:
        RunError: says which.
    """
    if workers < 0 or not (hours is None or hours > 0):
        raise RunError(f"workers must be at least 0, and hours above 0; got {workers} and {hours}.")
    if endless and hours is None:
        raise RunError("How many trials, or for how long? --trials 40 or --hours 2; only a grid has an end of its own.")


class _Launcher:
    """Workers on this machine, by place: each place has its core."""

    def __init__(self, study: Study, workers: int, hours: float | None, quiet: bool) -> None:
        self._study, self._places, self._hours = study, workers, hours
        self._deadline = math.inf if hours is None else time.time() + 3600 * hours
        self._running: dict[int, tuple[subprocess.Popen[bytes], float]] = {}
        self._hasty: deque[str] = deque(maxlen=HASTE_TIMES)
        self._display = Display(study, quiet=quiet)

    def run(self) -> None:
        # Also where it was started in the background, where Ctrl-C is ignored.
        before = {n: signal.signal(n, signal.default_int_handler) for n in (signal.SIGINT, signal.SIGTERM)}
        try:
            with self._display:
                if not self._places:
                    self._display.say(f"Others join by {shlex.join(self._join())}")
                self._watch()
        except KeyboardInterrupt:
            self._stop()
            raise Interrupted(
                f"Stopped, everything saved in {self._study.folder}: the same command goes on.", signal.SIGINT
            ) from None
        except BaseException:
            self._stop()
            raise
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _watch(self) -> None:
        while True:
            trials = self._study.trials()
            self._display.show(trials)
            self._collect()
            left = self._left(trials)
            if time.time() >= self._deadline:
                left = 0
            for place in range(self._places):
                if place not in self._running and left > len(self._running):
                    self._running[place] = self._start(place), time.monotonic()
            if not self._running and (not left or not self._places) and not self._elsewhere(trials):
                break
            time.sleep(0.5 if self._display.live else 1.0)
        trials = self._study.trials()
        self._display.show(trials)
        if self._left(trials) and time.time() >= self._deadline:
            self._display.say(f"The time is up: everything is saved in {self._study.folder}, the same command goes on.")

    def _join(self) -> list[str]:
        """The command of who works on the study from elsewhere."""
        hours = [] if self._hours is None else ["--hours", f"{self._hours:g}"]
        return ["lstm-jax", "sweep", "--join", str(self._study.folder.resolve()), *hours]

    def _left(self, trials: Sequence[TrialView]) -> float:
        """How many trials are to be worked on, those that are being worked on included."""
        there = sum(trial.state in ("waiting", "stopped", "running") for trial in trials)
        return there + self._study.to_come(len(trials), timed=self._deadline < math.inf)

    def _elsewhere(self, trials: Sequence[TrialView]) -> bool:
        """Whether another launcher's workers are at it, or are waited for."""
        if time.time() >= self._deadline:
            return False
        return any(t.state == "running" for t in trials) or (not self._places and self._left(trials) > 0)

    def _start(self, place: int) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "lstm_jax", "sweep", "--join", str(self._study.folder), "--launched"]
        if self._deadline < math.inf:
            command += ["--until", repr(self._deadline)]
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        with (self._study.folder / WORKERS / f"{place}.log").open("a", encoding="utf-8") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | self._environment(place),
                start_new_session=True,  # Ctrl-C reaches it once, from here
            )
        if cores:  # before it has imported JAX, which looks at how many cores it may use
            os.sched_setaffinity(process.pid, {cores[place % len(cores)]})
        return process

    def _environment(self, place: int) -> dict[str, str]:
        """Threads, and a share of the accelerators, as far as nothing else is said."""
        chosen = {"OMP_NUM_THREADS": "1"}
        devices = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
        if devices:
            chosen["CUDA_VISIBLE_DEVICES"] = devices[place % len(devices)]
        sharing = math.ceil(self._places / max(1, len(devices)))
        if sharing > 1 and "XLA_PYTHON_CLIENT_MEM_FRACTION" not in os.environ:
            chosen["XLA_PYTHON_CLIENT_MEM_FRACTION"] = f"{0.9 / sharing:.3f}"
        return chosen

    def _collect(self) -> None:
        """Look at workers that have ended; those that fail at once, again and again, end the sweep."""
        for place, (process, begun) in list(self._running.items()):
            if process.poll() is None:
                continue
            del self._running[place]
            if process.returncode == 0:
                self._hasty.clear()
                continue
            log = (self._study.folder / WORKERS / f"{place}.log").read_text(encoding="utf-8", errors="replace")
            reason = ([line for line in log.splitlines() if line.strip()] or ["no output"])[-1]
            self._display.say(f"Worker {place} ended ({_ending(process.returncode)}): {reason}")
            if time.monotonic() - begun < HASTE_SECONDS:
                self._hasty.append(reason)
            if len(self._hasty) == HASTE_TIMES:
                raise RunError(f"{HASTE_TIMES} workers ended as soon as they had begun: {reason}")

    def _stop(self) -> None:
        """Let all workers save and end."""
        for process, _ in self._running.values():
            process.send_signal(signal.SIGTERM)
        until = time.monotonic() + STOP_SECONDS
        for process, _ in self._running.values():
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
