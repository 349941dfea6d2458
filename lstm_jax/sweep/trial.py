"""What is known of a trial, for who looks at a study."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from lstm_jax.sweep.locks import is_held
from lstm_jax.train.run import progress_of

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

ENDED = ("done", "pruned", "failed")
"""The states that a trial stays in."""
_STATES = {"WAITING": "waiting", "RUNNING": "running", "COMPLETE": "done", "PRUNED": "pruned", "FAIL": "failed"}


@dataclass(frozen=True)
class TrialView:
    """What is known of a trial."""

    number: int
    state: str
    """waiting (to be begun, or tried again after a crash), running, stopped (to be gone on with), done, pruned or
    failed."""
    values: dict[str, Any]
    """Its settings by field; empty texts where they are not chosen yet."""
    value: float | None
    """The objective: final, or of the last validation while it runs."""
    scores: dict[str, float]
    """Test scores of a finished trial, means over its seeds. Nothing is chosen by them."""
    step: int
    steps: int
    rate: float | None
    """Steps a second."""
    seconds: float | None
    """From its first claim to its end."""
    reason: str
    """Why it was pruned or has failed, or waits to be tried again."""
    folder: Path

    @property
    def begun(self) -> bool:
        """Whether somebody has worked on it."""
        return self.state != "waiting" or bool(self.reason)

    @classmethod
    def of(cls, trial: "FrozenTrial", number: int, folder: Path, fields: Sequence[str], objective: str) -> Self:
        """What Optuna, the locks and the run folders say of a trial.

        Args:
            trial: Optuna's own view.
            number: its setting's.
            folder: where its runs are.
            fields: what is varied.
            objective: the score that is optimised.
        """
        attrs, state, reason = trial.user_attrs, _STATES[trial.state.name], trial.user_attrs.get("reason", "")
        begun, ended = trial.datetime_start, trial.datetime_complete
        known = trial.system_attrs.get("fixed_params", {}) | trial.params
        steps, of, last = progress_of(newest_run(folder)) if state == "running" else (0, 0, {})
        if state == "running" and not is_held(folder):
            crashes = attrs.get("crashes")
            state, reason = ("waiting", f"to be tried again: {crashes[-1]}") if crashes else ("stopped", reason)
        return cls(
            number=number,
            state=state,
            values={field: known.get(field) for field in fields},
            value=trial.value if state == "done" else last.get(objective),
            scores=attrs.get("scores", {}),
            step=steps,
            steps=of,
            rate=steps / last["seconds"] if last.get("seconds") else None,
            seconds=(ended - begun).total_seconds() if begun and ended else None,
            reason=reason,
            folder=folder,
        )


def shown(value: Any) -> str:
    """A value of a setting, briefly."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def newest_run(folder: Path) -> Path:
    """The run of a trial that is in work: that of the last seed that has begun."""
    runs = sorted(folder.glob("seed-*"), key=lambda path: int(path.name.partition("-")[2]))
    return runs[-1] if runs else folder / "seed-0"
