"""Waiting for a database that is away, or a disk that is full, instead of losing a sweep to it."""

import errno
import math
import os
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from lstm_jax.train.errors import RunError

T = TypeVar("T")
PATIENCE = "LSTM_JAX_PATIENCE"
"""The environment variable with the seconds to wait for a database or a disk that refuses; 300 if it is not set."""
FIRST, LONGEST = 1.0, 30.0
"""Seconds between two attempts: at first, and at most; each pause is twice the one before."""
_TRANSIENT = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.EROFS}


def default_patience() -> float:
    """Seconds to wait for a database or a disk.

    Raises:
        RunError: the environment says something else than a number.
    """
    said = os.environ.get(PATIENCE, "300")
    try:
        seconds = float(said)
    except ValueError:
        seconds = math.nan
    if not seconds >= 0:
        raise RunError(f"{PATIENCE} is a number of seconds, at least 0, such as 300; got {said!r}.")
    return seconds


def patiently(action: Callable[[], T], seconds: float, kept: str) -> T:
    """What ``action()`` gives, tried again with growing pauses while a database or a disk refuses.

    Args:
        action: may be done more than once.
        seconds: how long to go on trying.
        kept: what the person is to know of what is saved, behind the reason.

    Raises:
        RunError: it went on refusing.
    """
    begun, pause, told = time.monotonic(), FIRST, False
    while True:
        try:
            return action()
        except Exception as error:
            reason = trouble(error)
            if reason is None:
                raise
            waited = time.monotonic() - begun
            if waited + pause > seconds:
                tried = f", for {waited:.0f} seconds" if told else ""
                raise RunError(f"{reason}{tried}. {kept}") from error
            if not told:
                sys.stderr.write(f"{reason}: trying again for {seconds:.0f} seconds.\n")
                told = True
            time.sleep(pause)
            pause = min(2 * pause, LONGEST)


def trouble(error: BaseException | None) -> str | None:
    """What of database or disk an error, or one that led to it, is about; None if it is about neither."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import DBAPIError, OperationalError

    while error is not None:
        if isinstance(error, OSError) and error.errno in _TRANSIENT:
            return f"The disk refuses ({error.strerror})"
        if isinstance(error, (StorageInternalError, OperationalError, DBAPIError)):
            said = str(getattr(error, "orig", None) or error.__cause__ or error).strip().splitlines()
            if isinstance(error, StorageInternalError) and isinstance(error.__cause__, DBAPIError):
                said = str(error.__cause__.orig).strip().splitlines()
            return f"The study's database refuses ({(said or ['no reason given'])[0][:150]})"
        error = error.__cause__ or error.__context__
    return None
