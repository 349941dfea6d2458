"""What a function's value depends on."""

from collections.abc import Callable
from typing import Any

import jax


def looked_at(function: Callable[..., Any], *args: Any) -> list[bool]:
    """For each leaf of ``args``, whether ``function`` uses it at all; it is traced, not run."""
    jaxpr = jax.make_jaxpr(function)(*args).jaxpr
    used = {id(variable) for equation in jaxpr.eqns for variable in equation.invars}
    used |= {id(variable) for variable in jaxpr.outvars}
    return [id(variable) in used for variable in jaxpr.invars]
