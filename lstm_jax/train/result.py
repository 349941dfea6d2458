"""What a run comes to."""

import dataclasses
import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

PACKAGES = ("lstm-jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """The outcome of a finished run; all but ``params``, ``history`` and ``workdir`` is in ``result.json``."""

    experiment: str
    seed: int
    config: Any
    metrics: dict[str, float]
    """Scores on the test data, which are drawn once, after training."""
    validation: dict[str, float]
    """Scores on the validation data at ``best_step``: what a choice between runs may look at."""
    metric: str
    """The entry of ``metrics`` that ``baseline`` speaks of."""
    baseline: float | None
    """What a trivial model scores; None: that is not known."""
    solved: bool | None
    """Whether the test metrics solve the task; None where the experiment has no rule for it."""
    stopped: bool
    """Whether a validation ended the training, and not the number of steps."""
    steps: int
    """Optimiser steps taken."""
    best_step: int
    """The step with the best validation score: its parameters were tested."""
    sequences: int
    """Training sequences seen."""
    seconds: float
    """Wall time of training with its validations and compilations, over all sessions of the run."""
    compile_seconds: float
    """The part of ``seconds`` spent compiling."""
    command: str
    """What was typed."""
    git_revision: str | None
    """The commit of the working folder, with ``-dirty`` if tracked files differ from it; None outside a repository."""
    versions: dict[str, str]
    device: str
    params: Any = dataclasses.field(repr=False)
    """The parameters with the best validation score."""
    history: tuple[dict[str, Any], ...] = dataclasses.field(repr=False)
    """The records of ``metrics.jsonl``."""
    workdir: Path | None = None
    """The run folder, if there is one."""

    def to_json(self) -> dict[str, Any]:
        """The content of ``result.json``."""
        names = [field.name for field in dataclasses.fields(self) if field.name not in {"params", "history", "workdir"}]
        return {name: getattr(self, name) for name in names}

    def __str__(self) -> str:
        """The result in one line."""
        scores = ", ".join(f"{name} {value:.4g}" for name, value in self.metrics.items())
        outcome = {True: "solved", False: "not solved", None: "finished"}[self.solved]
        return (
            f"{self.experiment}: {outcome} after {self.steps} steps "
            f"({self.sequences} sequences, {self.seconds:.0f} s); on test data {scores}"
            + ("" if self.baseline is None else f" (trivial {self.metric} {self.baseline:.4g})")
        )


def provenance() -> Mapping[str, Any]:
    """Where a result comes from: ``command``, ``git_revision``, ``versions`` and ``device``."""
    return {
        "command": shlex.join(sys.orig_argv),
        "git_revision": _git_revision(),
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "device": f"{jax.device_count()} x {jax.devices()[0].device_kind}, host with {os.cpu_count()} cores",
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _git_revision() -> str | None:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
