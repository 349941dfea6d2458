"""Ctrl-C and SIGTERM as a question that the loop asks between two calls, instead of an exception anywhere."""

import os
import signal
import threading
from types import FrameType
from typing import Any, Self

CAUGHT = (signal.SIGINT, signal.SIGTERM)


class Signals:
    """Within this context the first signal is noted in ``received``; a second Ctrl-C or SIGTERM acts as it used to."""

    def __init__(self, *, quiet: bool = True) -> None:
        self.received: int = 0
        self._quiet = quiet
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        """Begin to note signals; outside the main thread, where Python allows no handlers, nothing is noted."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in CAUGHT}
        return self

    def __exit__(self, *error: object) -> None:
        """Hand the signals back."""
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.received = number
        self.__exit__()
        if not self._quiet:
            # Not through sys.stderr: the main thread may be in the middle of a write to it.
            os.write(
                2, f"\n{signal_name(number)}: saving after this call of steps. Once more stops at once.\n".encode()
            )


def signal_name(number: int) -> str:
    """What a person calls the signal."""
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
