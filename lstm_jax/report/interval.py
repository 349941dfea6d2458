"""How sure the mean over a few seeds is."""

import math
import statistics
from collections.abc import Sequence


def half_interval(values: Sequence[float]) -> float:
    """Half of the mean's 95% confidence interval by Student's t; NaN for fewer than two values."""
    from scipy.special import stdtrit  # what jax brings along

    if len(values) < 2:
        return math.nan
    return float(stdtrit(len(values) - 1, 0.975)) * statistics.stdev(values) / math.sqrt(len(values))
