"""Who works on what: locks of files, which the system gives back when a process ends, however."""

import contextlib
import fcntl
import os
import threading
from collections.abc import Generator
from pathlib import Path

from lstm_jax.train.errors import RunError

_inside = threading.Lock()


@contextlib.contextmanager
def alone(folder: Path) -> Generator[None]:
    """One process at a time, on all machines that see the folder.

    Raises:
        RunError: the folder may only be read.
    """
    try:
        opened = (folder / "lock").open("a")
    except PermissionError as error:
        raise RunError(f"Cannot write the study's folder {folder}: {error.strerror}.") from error
    with _inside, opened as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def try_lock(folder: Path) -> int | None:
    """The lock of a trial's folder, None if somebody has it."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def is_held(folder: Path) -> bool:
    """Whether somebody works on the trial. Only looks: a shared lock is let go at once."""
    try:
        lock = os.open(folder / "lock", os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False
