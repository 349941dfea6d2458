"""Looking for the first value that is not finite, inside of every `unroll` that a function calls.

While `watch` runs a function, each `unroll` in it takes the path of this module: the plain scan, with a look at what
goes into every step, at its new state and output, and at the state's cotangent on the way back.
"""

import contextlib
import itertools
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax.cell import Array, Cell, Params, State
from lstm_jax.driver.collect import Collecting, state_fields
from lstm_jax.driver.flow import Flow

_PLACES = ("z", "state", "output")


@dataclass(frozen=True)
class Finding:
    """A value that is infinite or not a number."""

    backward: bool
    """Whether it is the cotangent of the named value."""
    call: int
    """The number of the `unroll`, in the order of the calls."""
    cell: str
    name: str
    """``z`` (the projected inputs), ``state.h`` and the like, or ``output``."""
    time: int
    row: tuple[int, ...]
    """Index along the batch axes of one that is concerned."""
    reverse: bool = False
    """Whether the layer runs from the last step to the first."""

    def __str__(self) -> str:
        """Names tensor, time index and row."""
        row = "" if not self.row else f", row {', '.join(map(str, self.row))}"
        value = f"the gradient of {self.name}" if self.backward else self.name
        return f"{value} of recurrent layer {self.call + 1}, a {self.cell}, at time index {self.time}{row}"

    def order(self) -> tuple[Any, ...]:
        """When it arose: forwards in calls, steps and what a step does, then backwards in all three."""
        sign = -1 if self.backward else 1
        step = -self.time if self.reverse else self.time
        place = _PLACES.index(self.name.partition(".")[0])
        return self.backward, sign * self.call, sign * step, sign * place


class _Watch:
    """What one `watch` has seen."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.calls = itertools.count()


_active: list[_Watch] = []


def watching() -> bool:
    """Whether `watch` is at work: `unroll` then takes this module's path."""
    return bool(_active)


def watch(function: Callable[[], Any]) -> tuple[Any, list[Finding]]:
    """Call ``function`` and return its result and every non-finite value found, in the order in which they arose."""
    seen = _Watch()
    with _watching(seen):
        result = jax.block_until_ready(jax.jit(function)())
        jax.effects_barrier()
    return result, sorted(seen.findings, key=Finding.order)


@contextlib.contextmanager
def _watching(seen: _Watch) -> Generator[None]:
    # A function that was jitted and traced before would come back without the looks; and one traced here keeps them.
    jax.clear_caches()
    _active.append(seen)
    try:
        yield
    finally:
        _active.remove(seen)
        jax.clear_caches()


def unroll_watched(
    cell: Cell,
    params: Params,
    xs: Array,
    state: State,
    initial: State,
    flow: Flow,
    *,
    chunk: int,
    remat: bool,
    reverse: bool,
) -> tuple[Any, State]:
    """The plain scan with looks at every step; ``chunk`` and ``remat`` do nothing."""
    del chunk, remat
    seen = _active[-1]
    call, batch = next(seen.calls), xs.ndim - 1 - cell.feature_axes
    kind = type(cell.cell if isinstance(cell, Collecting) else cell).__name__

    def look(name: str, time: Array, tree: Any) -> Any:
        """``tree``, whose leaves ``[*batch, ...]`` and their cotangents are looked at."""
        return jax.tree.map(lambda leaf: _look(partial(note, name), batch, leaf, time), tree)

    def note(name: str, backward: bool, time: Any, where: Any) -> None:
        row = tuple(int(index[0]) for index in np.nonzero(where)) if batch else ()
        seen.findings.append(Finding(backward, call, kind, name, int(time), row, reverse))

    def one(previous: State, inputs: tuple[Any, Flow, Array]) -> tuple[State, Any]:
        z, at, time = inputs
        entered = at.enter(previous, initial)
        new, y = cell.step(params, entered, look("z", time, z))
        fields = {name: look(f"state.{name}", time, value) for name, value in state_fields(new).items()}
        return at.leave(type(new)(**fields), previous), at.silence(look("output", time, y))

    zs = cell.project(params, xs, keys=flow.keys)
    last, ys = jax.lax.scan(one, state, (zs, flow, jnp.arange(xs.shape[0])), reverse=reverse)
    return ys, last


def _look(note: Callable[[bool, Any, Any], None], batch: int, leaf: Array, time: Array) -> Array:
    if not jnp.issubdtype(leaf.dtype, jnp.inexact):
        return leaf

    def report(backward: bool, value: Array, time: Array) -> None:
        bad = ~jnp.isfinite(value)
        rows = bad.reshape(*value.shape[:batch], -1).any(axis=-1)
        told = partial(jax.debug.callback, partial(note, backward))
        jax.lax.cond(bad.any(), told, lambda time, rows: None, time, rows)

    @jax.custom_vjp
    def identity(value: Array, time: Array) -> Array:
        report(False, value, time)
        return value

    def forward(value: Array, time: Array) -> tuple[Array, Array]:
        report(False, value, time)
        return value, time

    def backward(time: Array, cotangent: Array) -> tuple[Array, None]:
        report(True, cotangent, time)
        return cotangent, None

    identity.defvjp(forward, backward)
    return identity(leaf, time)
