"""A trial in the hands of one process, and what it tells the study's database of it."""

import contextlib
import os
import socket
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lstm_jax.sweep.space import Value
from lstm_jax.train.errors import RunError
from lstm_jax.train.folder import write_text

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from lstm_jax.sweep.study import Study


def number_of(trial: "FrozenTrial") -> int:
    """The number of a trial's setting: one that is tried again keeps it.

    Raises:
        RunError: it is no number, which a folder could not be named by.
    """
    number = trial.user_attrs.get("number", trial.number)
    if not isinstance(number, int) or number < 0:
        raise RunError(f"The database names a trial {number!r}, which is no number: it is damaged.")
    return number


class Claim:
    """A trial that this process works on, until it is done, pruned, failed or released."""

    def __init__(self, study: "Study", trial: "FrozenTrial", lock: int) -> None:
        from optuna.trial import Trial

        self.study, self.number = study, number_of(trial)
        self.folder = study.trial_folder(self.number)
        self._trial = Trial(study.optuna, trial._trial_id)
        self._reported = set(trial.intermediate_values)
        self._attrs = dict(trial.user_attrs)
        self._lock: int | None = lock

    def begin(self, reached: int) -> None:
        """Choose the values that are not chosen yet, and write down who begins, from where."""

        def suggest() -> dict[str, Value]:
            return {d.field: d.suggest(self._trial) for d in self.study.space.dimensions}

        self.values = self.study.patiently(suggest)
        self._attempt = {"host": socket.gethostname(), "pid": os.getpid(), "reached": reached, "time": time.time()}
        self.note("attempt", self._attempt)

    def reached(self) -> int:
        """How far its runs are: grows with every checkpoint."""
        total = 0
        for seed in range(self.study.sweep.seeds):
            run = self.folder / f"seed-{seed}"
            steps = [int(p.name) for p in (run / "checkpoints").glob("*") if p.name.isdigit()]
            total += max(steps, default=0) + (run / "result.json").exists()
        return total

    def note(self, name: str, value: Any) -> None:
        """Keep something with the trial."""
        self._attrs[name] = value
        self.study.patiently(lambda: self._trial.set_user_attr(name, value))

    def report(self, step: int, score: float) -> bool:
        """Tell an intermediate objective; whether the pruner ends the trial."""
        if step not in self._reported:
            self._reported.add(step)
            self.study.patiently(lambda: self._trial.report(score, step))
        return self.study.patiently(self._trial.should_prune)

    def done(self, value: float, scores: Mapping[str, float]) -> None:
        """It is finished, with this objective."""
        self.note("scores", dict(scores))
        self._tell("COMPLETE", value)

    def prune(self, reason: str) -> None:
        """It has been ended early."""
        self.note("reason", reason)
        self._tell("PRUNED")

    def fail(self, reason: str) -> None:
        """It will not be tried again."""
        self.note("reason", reason)
        self._tell("FAIL")

    def crashed(self, sentence: str, text: str) -> None:
        """Keep the traceback; it is tried again later, or has failed if that has been done often enough."""
        crashes = [*self._attrs.get("crashes", []), sentence]
        with contextlib.suppress(OSError):
            write_text(self.folder / f"crash-{len(crashes)}.txt", text)
        self.note("crashes", crashes)
        if len(crashes) > self.study.sweep.retries:
            self.fail(f"{sentence} (tried {len(crashes)} times)")
        else:
            self.release()

    def release(self) -> None:
        """Leave it to the next worker."""
        if self._lock is not None:
            self.note("attempt", self._attempt | {"released": True})
            self.unlock()

    def _tell(self, state: str, value: float | None = None) -> None:
        from optuna.trial import TrialState

        number = self._trial.number

        def tell() -> None:
            study = self.study.optuna
            # Tried again after a connection broke off: it may have arrived.
            if study.get_trials(deepcopy=False)[number].state == TrialState.RUNNING:
                study.tell(number, value, state=TrialState[state])

        self.study.patiently(tell)
        self.unlock()

    def unlock(self) -> None:
        """Let go of it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
