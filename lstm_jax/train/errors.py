"""What stops a run. Each message is one sentence or two for the person who started it: no traceback needed."""


class RunError(RuntimeError):
    """A run that cannot start or go on."""


class NonFiniteError(RunError):
    """The loss, its gradient or the parameters became infinite or not a number."""


class Interrupted(RunError):
    """Stopped from outside by a signal, after a checkpoint."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.signal_number = signal_number
