"""Units that keep their state for a step, at random.

Krueger et al. 2016, "Zoneout: Regularizing RNNs by Randomly Preserving Hidden Activations", eqs. 6-8::

    c_t = d_c * c_{t-1} + (1 - d_c) * new c_t         d_c = 1 at rate z_c, drawn for every unit and step
    h_t = d_h * h_{t-1} + (1 - d_h) * new h_t

Without a key the rates themselves take the place of the draws: the expectation. Deviations: none.
"""

from dataclasses import dataclass, fields
from typing import Any

import jax.numpy as jnp

from lstm_jax.cell import Array, Cell, Key, Params, State, bernoulli, fold_in
from lstm_jax.driver.inexact import is_inexact
from lstm_jax.options import rate
from lstm_jax.wrappers.wrapper import Inside


@dataclass(frozen=True)
class Zoneout(Inside):
    """A gated cell with zoneout on its state."""

    cell: Cell
    h: float = 0.05
    """Rate at which a unit of ``state.h`` stands still."""
    c: float = 0.5
    """Rate for the state's other fields, such as ``state.c``."""

    def __post_init__(self) -> None:
        super().__post_init__()
        rate("h", self.h)
        rate("c", self.c)

    def project(self, params: Params, xs: Array, *, keys: Key | None = None) -> tuple[Any, dict[str, Array] | None]:
        zs = super().project(params, xs, keys=keys)
        if keys is None:
            return zs, None
        own = self.cell.initial_state(self.inner(params), ())
        still = {}
        for number, field in enumerate(fields(own)):
            if is_inexact(leaf := getattr(own, field.name)):
                still[field.name] = bernoulli(fold_in(keys, number + 1), self._rate(field.name), *leaf.shape)
        return zs, still

    def join(self, z: tuple[Any, Any], u: Any) -> tuple[Any, Any]:
        """The cell's, and the draws."""
        return super().join(z[0], u), z[1]

    def update(self, params: Params, a: tuple[Any, Any], state: State, candidate: Array | None = None) -> State:
        """The cell's, or the previous state."""
        new = super().update(params, a[0], state, candidate)
        zoned = {}
        for field in fields(new):
            after, before = getattr(new, field.name), getattr(state, field.name)
            if not is_inexact(after):
                zoned[field.name] = after
            elif a[1] is None:
                zoned[field.name] = after + (before - after) * self._rate(field.name)
            else:
                zoned[field.name] = jnp.where(a[1][field.name], before, after)
        return type(new)(**zoned)

    def output(self, params: Params, a: tuple[Any, Any], state: State) -> Any:
        """The cell's, from the state that stood still in part."""
        return super().output(params, a[0], state)

    def inspect(self, params: Params, z: tuple[Any, Any], state: State) -> dict[str, Any]:
        return super().inspect(params, z[0], state)

    def _rate(self, field: str) -> float:
        return self.h if field == "h" else self.c
