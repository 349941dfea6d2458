"""The run folder: which run it holds, and its files that are written whole or not at all."""

import json
import os
from pathlib import Path
from typing import Any

from lstm_jax.train.errors import RunError

CONFIG, METRICS, RESULT = "config.json", "metrics.jsonl", "result.json"
_IDENTITY = ("experiment", "seed", "config")


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file so that a reader sees the old content or the new, whatever interrupts the writer."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Replace the file's content in one step."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def claim(workdir: Path, description: dict[str, Any]) -> None:
    """Make ``workdir`` the folder of the run so described, or find that it already is.

    ``description`` holds ``experiment``, ``seed`` and ``config``, which identify the run, and what else a reader of the
    folder needs.

    Raises:
        RunError: the folder holds another run, or cannot be written.
    """
    path = workdir / CONFIG
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        if not path.exists() and ((workdir / RESULT).exists() or (workdir / "checkpoints").exists()):
            raise RunError(f"{workdir} holds a run whose {CONFIG} is missing: choose another --workdir.")
        if path.exists():
            _refuse_other(workdir, json.loads(path.read_text(encoding="utf-8")), description)
        write_json(path, description)
    except OSError as error:
        raise RunError(f"Cannot write the run folder {workdir}: {error.strerror}.") from error
    except ValueError as error:
        raise RunError(f"{path} is not readable as JSON ({error}): choose another --workdir.") from error


def read_result(workdir: Path) -> dict[str, Any] | None:
    """The finished run's result, or None while there is none."""
    path = workdir / RESULT
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _refuse_other(workdir: Path, there: dict[str, Any], here: dict[str, Any]) -> None:
    # Through JSON once, so that what is compared is what was written.
    new = _flat({name: json.loads(json.dumps(here[name])) for name in _IDENTITY})
    old = _flat({name: there.get(name) for name in _IDENTITY})
    differing = [name for name in sorted(old | new) if old.get(name) != new.get(name)]
    if differing:
        told = ", ".join(f"{name} ({old.get(name)!r} there, {new.get(name)!r} here)" for name in differing)
        raise RunError(f"{workdir} holds a run with other settings: {told}. Choose another --workdir.")


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        # The configuration's own fields are known by their bare names, as on the command line.
        path = prefix + name if name != "config" or prefix else ""
        if isinstance(value, dict):
            flat |= _flat(value, f"{path}." if path else "")
        else:
            flat[path or name] = value
    return flat
