"""What a checkpoint holds, and what ``config.json`` says of a run."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from flax import struct

from lstm_jax.train.errors import RunError
from lstm_jax.train.experiment import Experiment
from lstm_jax.train.settings import to_json
from lstm_jax.train.state import TrainState


@struct.dataclass
class Best:
    """The parameters with the best validation score so far."""

    step: Any
    """When they had it, int32; -1 before the first validation."""
    score: Any
    """The experiment's metric, float32."""
    params: Any

    @classmethod
    def none_yet(cls, params: Any) -> "Best":
        """Before the first validation."""
        return cls.at(-1, np.nan, params)

    @classmethod
    def at(cls, step: int, score: float, params: Any) -> "Best":
        """What was best at this step."""
        # Arrays: orbax restores no NumPy scalars.
        return cls(np.asarray(step, np.int32), np.asarray(score, np.float32), params)


@struct.dataclass
class Saved:
    """The content of a checkpoint."""

    state: TrainState
    best: Best


def describe(experiment: Experiment, seed: int) -> dict[str, Any]:
    """The content of ``config.json``: what identifies the run, how to build it again, and what its pictures need."""
    return {
        "experiment": experiment.name,
        "module": module_of(experiment.config),
        "started_in": str(Path.cwd()),
        "seed": seed,
        "config": to_json(experiment.config),
        "fingerprint": experiment.fingerprint,
        "steps_count": experiment.optimizer.depends_on_steps,
        "steps": experiment.steps,
        "metric": experiment.metric,
        "goal": experiment.goal,
        "baseline": experiment.baseline,
        "target": experiment.target,
    }


def module_of(config: Any) -> str | None:
    """Where the experiment's ``Config`` and ``build`` are: a module's name or a file's path; None if in neither."""
    name = type(config).__module__
    module = sys.modules.get(name)
    if module is None or not hasattr(module, "build"):
        return None
    spec = getattr(module, "__spec__", None)
    if spec is not None and spec.name != name:  # python -m experiments.adding
        return spec.name
    if name == "__main__" or (spec is not None and spec.loader is not None and "." not in name):
        file = getattr(module, "__file__", None)
        return str(Path(file).resolve()) if file else None
    return name


def check_reached(reached: int, steps: int, path: Path) -> None:
    """Refuse to take back steps that a run has already taken."""
    if reached > steps:
        raise RunError(
            f"{path} holds a run that has already taken {reached} steps, and at most {steps} are asked for: ask for "
            "more, choose another --workdir, or start over with --fresh, which moves the old run aside."
        )
