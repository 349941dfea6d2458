"""A run folder, read back."""

import contextlib
import dataclasses
import importlib
import importlib.util
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np

from lstm_jax.train.errors import RunError
from lstm_jax.train.experiment import Experiment
from lstm_jax.train.folder import CHECKPOINTS, CONFIG, METRICS, RESULT, identity, read_json
from lstm_jax.train.saved import Best, Saved, describe
from lstm_jax.train.settings import from_json
from lstm_jax.train.state import devices_mesh, programs
from lstm_jax.train.writers import Record, read


@dataclasses.dataclass(frozen=True)
class Run:
    """What `load_run` found."""

    config: Any
    """The experiment's settings."""
    experiment: Experiment
    """Built from the settings: ``run.experiment.evaluate(run.params, key)`` scores fresh data."""
    params: Any = dataclasses.field(repr=False)
    """The parameters with the best validation score so far."""
    metrics: tuple[Record, ...] = dataclasses.field(repr=False)
    """The records of ``metrics.jsonl``: ``step``, ``split``, and numbers by name."""
    result: dict[str, Any] | None = dataclasses.field(repr=False)
    """The content of ``result.json``; None while the run is not finished."""


def load_run(path: str | os.PathLike[str], experiment: Experiment | None = None) -> Run:
    """Read a run folder: settings, experiment, best parameters, metrics. Nothing in it is changed.

    A run that still goes on can be read as well, as of its last checkpoint.

    Args:
        path: the run folder.
        experiment: what was trained, if it was not built by a module's ``build(config)`` (in a notebook, say).

    Raises:
        RunError: the folder holds no run or no readable checkpoint, or its experiment cannot be built again.
    """
    folder = Path(path)
    if folder.is_file():
        raise RunError(f"{folder} is a file: give the folder of the run.")
    about = read_json(folder / CONFIG)
    if about is None:
        raise RunError(f"{folder} holds no run: it has no {CONFIG}.")
    if experiment is None:
        experiment = _built(folder, about)
    else:
        ours, theirs = identity(describe(experiment, about["seed"])), identity(about)
        differing = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
        if differing:
            raise RunError(f"{folder} is of another experiment than the one given: {', '.join(differing)} differ.")
    from lstm_jax.train.checkpoint import Checkpoints  # orbax takes a second to import

    if not (folder / CHECKPOINTS).is_dir():
        raise RunError(f"{folder} has no checkpoint yet.")
    with jax.set_mesh(devices_mesh()):
        functions = programs(experiment)
        state = functions.init(functions.keys(np.int32(0)))
        with Checkpoints(folder / CHECKPOINTS, read_only=True) as checkpoints:
            restored = checkpoints.restore(Saved(state, Best.none_yet(state.scored)))
    if restored is None:
        raise RunError(f"{folder} has no checkpoint yet.")
    # Plain arrays, for use outside of the mesh.
    params = jax.tree.map(_local, restored.saved.best.params)
    return Run(experiment.config, experiment, params, tuple(read(folder)), read_json(folder / RESULT))


_EXPERIMENTS: set[str] = set()
"""The modules that are experiments' files: of two with one name the last is meant."""


def module_at(path: str | os.PathLike[str]) -> ModuleType:
    """The module of an experiment's file, imported under the file's name.

    Raises:
        RunError: there is no such file, or it has the name of another module.
    """
    file = Path(path).resolve()
    if not file.is_file():
        raise RunError(f"There is no file {path}.")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise RunError(f"{path} is no Python file.")
    other = None if file.stem in _EXPERIMENTS else importlib.util.find_spec(file.stem)
    # The name of another module would be taken from whoever imports that one.
    if other is not None and Path(other.origin or "").resolve() != file:
        raise RunError(f"{path} has the name of the Python module {file.stem}: give the file another name.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    _EXPERIMENTS.add(file.stem)
    # It may import what lies beside it.
    sys.path.insert(0, str(file.parent))
    spec.loader.exec_module(module)
    return module


def _built(folder: Path, about: dict[str, Any]) -> Experiment:
    name = about.get("module")
    if name is None:
        raise RunError(
            f"{folder} does not say which module its experiment comes from: pass load_run(path, experiment), built as "
            "it was for training."
        )
    try:
        module = module_at(name) if name.endswith(".py") else importlib.import_module(name)
    except ImportError as error:
        raise RunError(f"{folder} is of the experiment {name}, which cannot be imported here: {error}.") from error
    try:
        config = from_json(about["config"], module.Config)
        if about["steps"] != getattr(config, "steps", about["steps"]):
            config = dataclasses.replace(config, steps=about["steps"])
        # Paths in the settings are relative to where the run was started.
        there = Path(about["started_in"])
        with contextlib.chdir(there) if there.is_dir() else contextlib.nullcontext():
            experiment = module.build(config)
        return experiment if experiment.config is not None else dataclasses.replace(experiment, config=config)
    except (ValueError, TypeError) as error:
        raise RunError(f"{name} cannot be built again from the settings in {folder}: {error}") from error


def _local(leaf: jax.Array) -> jax.Array:
    is_key = jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return leaf if is_key else jax.numpy.asarray(np.asarray(leaf))


def progress_of(path: Path) -> tuple[int, int, Record]:
    """Steps taken, steps at most, and the last validation's record of a run, which may be going on.

    Reads the end of ``metrics.jsonl`` alone, however long it is.
    """
    try:
        about = read_json(path / CONFIG)
        with (path / METRICS).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            lines = file.read().decode(errors="replace").split("\n")[:-1]
    except (RunError, OSError):  # it has hardly begun
        return 0, 0, {}
    records = []
    for line in lines:
        with contextlib.suppress(ValueError):  # the first one may be cut
            records.append(json.loads(line))
    last = next((record for record in reversed(records) if record["split"] == "validation"), {})
    return (records[-1]["step"] if records else 0), (about or {}).get("steps", 0), last


_TAIL = 1 << 16
