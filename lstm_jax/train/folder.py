"""The run folder: which run it holds, who is writing in it, and its files that are written whole or not at all."""

import fcntl
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from lstm_jax.train.errors import RunError

CONFIG, METRICS, RESULT, CHECKPOINTS = "config.json", "metrics.jsonl", "result.json", "checkpoints"
_LOCK = "lock"
_ELSEWHERE = "Choose another workdir, or start over (--fresh, fresh=True), which moves the old run aside."


class Folder:
    """The folder of one run, locked for this process until it is closed."""

    def __init__(self, path: Path, description: Mapping[str, Any], *, fresh: bool = False) -> None:
        """Make ``path`` the folder of the run so described, or find that it already is.

        Args:
            path: the folder, made if it does not exist.
            description: the content of ``config.json``. ``experiment``, ``seed`` and ``config`` identify the run, all
                but the ``steps`` of the configuration unless ``steps_count`` is True: more steps continue a run.
            fresh: begin anew; a run that is there is moved to a folder beside it.

        Raises:
            RunError: another process writes in it, it holds another run, or it cannot be written.
        """
        self.path = path
        self.moved: Path | None = None
        """Where the run that was there is now, if it was moved."""
        self._lock: int | None = None
        if path.exists() and not path.is_dir():
            raise RunError(f"{path} is a file: choose another --workdir, a folder.")
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(path)
            if fresh and _holds_a_run(path):
                self._set_aside()
            _check_identity(path, description)
            write_json(path / CONFIG, description)
        except OSError as error:
            self.close()
            raise RunError(f"Cannot write the run folder {path}: {error.strerror}.") from error
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Use as a context, which gives the lock back."""
        return self

    def __exit__(self, *error: object) -> None:
        """Give the lock back."""
        self.close()

    def close(self) -> None:
        """Give the lock back; the file stays, because removing it would race with the next process."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _set_aside(self) -> None:
        numbers = range(1, 10**6)
        self.moved = next(
            aside for n in numbers if not (aside := self.path.with_name(f"{self.path.name}.old{n}")).exists()
        )
        self.path.rename(self.moved)
        self.path.mkdir()
        self.close()
        self._lock = _locked(self.path)


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file so that a reader sees the old content or the new, whatever interrupts the writer."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Replace the file's content in one step."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any] | None:
    """The content of one of the folder's JSON files, None if there is no such file.

    Raises:
        RunError: it cannot be read, or holds no JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunError(f"Cannot read {path}: {error.strerror}.") from error
    except ValueError as error:
        raise RunError(f"{path} is damaged, it is no JSON ({error}). {_ELSEWHERE}") from error
    if not isinstance(content, dict):
        raise RunError(f"{path} is damaged, it holds no JSON object. {_ELSEWHERE}")
    return content


def _locked(path: Path) -> int:
    """The descriptor of the folder's lock file; the system gives the lock back when the process ends, however."""
    file = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(file, 200).decode(errors="replace").strip() or "another process"
        os.close(file)
        raise RunError(
            f"{path} is in use by {holder}: wait until that run ends, or choose another --workdir."
        ) from error
    os.truncate(file, 0)
    os.write(file, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
    return file


def _holds_a_run(path: Path) -> bool:
    return any((path / name).exists() for name in (CONFIG, METRICS, RESULT, CHECKPOINTS))


def _check_identity(path: Path, description: Mapping[str, Any]) -> None:
    there = read_json(path / CONFIG)
    if there is None:
        if _holds_a_run(path):
            raise RunError(f"{path} holds a run whose {CONFIG} is missing. {_ELSEWHERE}")
        return
    new, old = identity(description), identity(there)
    if old.get("experiment") != new["experiment"]:
        raise RunError(f"{path} holds a run of {old.get('experiment')}, not of {new['experiment']}. {_ELSEWHERE}")
    differing = [name for name in sorted(old | new) if old.get(name) != new.get(name)]
    if differing:
        values = {name: f" ({old.get(name)!r} there, {new.get(name)!r} here)" for name in differing}
        told = ", ".join(name + ("" if name == "the data" else values[name]) for name in differing)
        raise RunError(f"{path} holds a run with other settings: {told}. {_ELSEWHERE}")


def identity(description: Mapping[str, Any]) -> dict[str, Any]:
    """What tells one run from another: its settings by dotted name, the configuration's own by their bare names."""
    config = description.get("config")
    # Through JSON once, so that what is compared is what was written.
    config = json.loads(json.dumps(config))
    settings = _flat(config) if isinstance(config, dict) else {"config": config}
    if not description.get("steps_count", False):
        settings.pop("steps", None)
    told = {"experiment": "experiment", "seed": "seed", "fingerprint": "the data"}
    return {name: description.get(field) for field, name in told.items()} | settings


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
