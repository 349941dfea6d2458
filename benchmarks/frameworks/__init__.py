"""One framework a file: ``build(case) -> Timed``. Each runs in a process of its own (benchmarks/worker.py)."""

import dataclasses
from collections.abc import Callable

import numpy as np


@dataclasses.dataclass
class Timed:
    """Something to time, and what it computes."""

    call: Callable[[], object]
    """Does the work once, and waits for it."""
    result: Callable[[], dict[str, np.ndarray]]
    """Outputs ``[T, B, F]``, and for train each recurrence's gradients in lstm_jax's layout: ``w_h.0`` and so on."""
