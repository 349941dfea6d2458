"""One run in several processes (`jax.distributed`): all compute the same, the first one writes."""

import jax
import numpy as np


def is_first() -> bool:
    """Whether this process writes the run's files and shows its progress."""
    return jax.process_index() == 0


def agreed(number: int) -> int:
    """The first process's ``number``, in every process; each must call it at the same point."""
    if jax.process_count() == 1:
        return number
    from jax.experimental import multihost_utils

    return int(multihost_utils.broadcast_one_to_all(np.int32(number)))


def any_of(number: int) -> int:
    """The largest of all processes' numbers, in every process; each must call it at the same point."""
    if jax.process_count() == 1:
        return number
    from jax.experimental import multihost_utils

    return int(np.max(multihost_utils.process_allgather(np.int32(number))))
