"""Running one row over time with lengths, mask, resets and reverse, by their definitions."""

from collections.abc import Callable

import numpy as np


def run_row(
    step: Callable,
    xs: np.ndarray,
    state: dict,
    *,
    length: int | None = None,
    mask=None,
    resets=None,
    reverse: bool = False,
) -> tuple[np.ndarray, dict]:
    """Outputs ``[T, *h]`` (zero where a step was deleted) and the last state; a reset returns to zeros."""
    times = [t for t in range(len(xs)) if (length is None or t < length) and (mask is None or mask[t])]
    outputs = {}
    for t in reversed(times) if reverse else times:
        if resets is not None and resets[t]:
            state = {name: np.zeros_like(value) for name, value in state.items()}
        state = step(xs[t], state)
        outputs[t] = state["h"]
    silent = np.zeros_like(state["h"])
    return np.array([outputs.get(t, silent) for t in range(len(xs))]), state
