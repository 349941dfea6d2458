"""`unroll`: one function that runs any cell over a sequence."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from lstm_jax.cell import Array, Cell, Key, Params, State, batch_axes, row_keys
from lstm_jax.driver.checks import (
    check_cell,
    check_collect,
    check_inputs,
    check_key,
    check_lengths,
    check_state,
    check_step,
    check_steps,
    first_step,
)
from lstm_jax.driver.collect import Collecting
from lstm_jax.driver.devices import over_devices
from lstm_jax.driver.flow import Flow, select
from lstm_jax.driver.hoisted import unroll_hoisted
from lstm_jax.driver.pieces import auto_chunk
from lstm_jax.driver.plain import unroll_plain
from lstm_jax.driver.reverse_only import in_our_words, reverse_only
from lstm_jax.driver.watched import unroll_watched, watching
from lstm_jax.kernels.cudnn import unroll_cudnn
from lstm_jax.kernels.cudnn_limits import can_run
from lstm_jax.options import names, one_of, positive, yes_or_no

VJPS = ("hoisted", "autodiff")
WATCHED = "watched"
BACKENDS = ("auto", "scan", "cudnn")


class Run(Protocol):
    """Unrolls a part of a composite, with the whole's lengths, mask, resets, chunk and gradient path."""

    def __call__(
        self,
        part: Cell,
        params: Params,
        xs: Array,
        state: State,
        initial: State,
        keys: Key | None,
        *,
        flip: bool = False,
        resets: Array | None = None,
    ) -> tuple[Any, State]:
        """Outputs and last state of ``part`` on prepared ``params``.

        ``flip`` runs against the whole's direction; ``resets [T, *batch]`` come on top of the whole's.
        """
        ...


@runtime_checkable
class Composite(Protocol):
    """What wants to unroll itself, part by part, says so by this one method."""

    def compose(
        self, run: Run, params: Params, xs: Array, state: State, initial: State, keys: Key | None
    ) -> tuple[Any, State]:
        """Outputs and last state, by calls of ``run`` on the parts."""
        ...


@dataclass(frozen=True)
class Plan:
    """How to unroll: everything static."""

    reverse: bool
    chunk: int | None
    remat: bool
    vjp: str
    backend: str
    masked: bool
    """Whether a mask was given, so that the steps that count need not be the first ones of a row."""
    collect: tuple[str, ...]

    def flip(self) -> "Plan":
        """The same, against the direction."""
        return replace(self, reverse=not self.reverse)


def unroll(
    cell: Cell,
    params: Params,
    xs: Array,
    state: State | None = None,
    *,
    lengths: Array | None = None,
    mask: Array | None = None,
    resets: Array | None = None,
    reverse: bool = False,
    key: Key | None = None,
    chunk: int | str = "auto",
    remat: bool = False,
    vjp: str = "hoisted",
    backend: str = "auto",
    collect: tuple[str, ...] = (),
) -> Any:
    """Run ``cell`` over the sequence ``xs [T, *batch, D]``.

    Args:
      cell: a `Cell`, a `Stack` or a `Bidirectional`.
      params: what ``cell.init(key, D)`` made.
      xs: inputs, time first, any number of batch axes.
      state: the state before the first step, such as an earlier call returned; default: the cell's initial state.
      lengths: whole numbers ``[*batch]`` in 0..T. Past its length a row's state stands still, its outputs are zero,
        and what its padding holds (NaN too) changes neither outputs nor gradients; a row of length 0 returns ``state``.
        Values outside 0..T are refused where they are concrete and clamped under `jax.jit`.
      mask: booleans ``[T, *batch]``; the result equals deleting the steps where it is False. A reset on a deleted step
        is deleted with it.
      resets: booleans ``[T, *batch]``; where True the state is set to the cell's initial state *before* ``x_t``.
      reverse: run from each row's last step to its first; outputs keep the original order of time.
      key: for dropout and its like; None is evaluation. Draws depend on the key, the step's number in this call and
        the row's number, not on ``chunk`` or the layout over devices: give each call of a streamed sequence its own.
      chunk: steps worked on at a time; "auto" chooses from the shapes. It changes speed and memory, never the result,
        as long as the cell's ``project`` looks at each step alone.
      remat: keep only the state at the chunks' boundaries for the backward pass, and compute the rest again.
      vjp: "hoisted" carries only the state's cotangents backwards and forms each weight's gradient once a chunk;
        "autodiff" is a plain scan differentiated by JAX: slower, the one for forward mode (`jax.jvp`, `jax.jacfwd`).
        A cell with only a ``step`` runs as a plain scan either way.
      backend: "scan"; "cudnn", NVIDIA's own LSTM, for what it can run: `LSTM` in float32, with lengths but no mask or
        resets; or "auto": cuDNN where it can run the call, else the scan (why, an LSTM on a GPU says to the logger
        "lstm_jax"). In a `Stack` or `Bidirectional` each cell for itself.
      collect: names of inner values of every step: fields of the state ("h", "c") and what the cell's ``inspect``
        offers ("gates"). A third result then holds ``{name: [T, *batch, ...]}`` (nested as the cell is: a tuple with
        an entry a layer or direction); values on padding are zero.

    Outside of `jax.jit` the call is compiled once for each cell, option and shape, and found again by the cell's
    settings: like any jitted function it does not see a global variable or a method that is changed afterwards.

    Returns:
      ``(outputs [T, *batch, features], state)``, with the state after each row's last step; with ``collect``,
      ``(outputs, state, collected)``.

    Raises:
      ValueError: shapes or options do not fit, or ``backend="cudnn"`` cannot run the call; the sentence says why.
      TypeError: ``cell`` is not a cell.
    """
    check_cell(cell)
    one_of("vjp", vjp, VJPS)
    one_of("backend", backend, BACKENDS)
    if not isinstance(chunk, str) or chunk != "auto":
        positive('chunk, if not "auto",', chunk)
    yes_or_no("reverse", reverse)
    yes_or_no("remat", remat)
    key = None if key is None else check_key(key)
    xs = jnp.asarray(xs)
    batch = check_inputs(cell, params, xs)
    initial = cell.initial_state(params, batch)
    state = initial if state is None else check_state(cell, state, initial)
    lengths = None if lengths is None else check_lengths(lengths, xs, batch)
    mask = None if mask is None else check_steps("mask", mask, xs, batch)
    resets = None if resets is None else check_steps("resets", resets, xs, batch)
    collect = (collect,) if isinstance(collect, str) else names("collect", collect, "gates")
    if watching():
        vjp = WATCHED
    if vjp == "hoisted":
        params, xs, state = reverse_only((params, xs, state))
    plan = Plan(
        reverse=reverse,
        chunk=None if isinstance(chunk, str) else int(chunk),
        remat=remat,
        vjp=vjp,
        backend=backend,
        masked=mask is not None,
        collect=collect,
    )
    # Watched it is not jitted on its own: a second call of the same shapes would go by the name of the first.
    run = _unroll_rows if watching() else _unroll
    with in_our_words():
        outputs, state, collected = run(cell, plan, params, xs, state, lengths, mask, resets, key)
    return (outputs, state, collected) if collect else (outputs, state)


def step(cell: Cell, params: Params, x: Array, state: State | None = None) -> tuple[Any, State]:
    """One step of a stream, in evaluation: input ``x [*batch, D]`` and state in, output and state out.

    Jit it with the state donated: ``jax.jit(partial(lstm_jax.step, cell), donate_argnums=2)``.
    """
    check_cell(cell)
    x = jnp.asarray(x)
    if x.ndim < cell.feature_axes:
        raise ValueError(f"x must be one step, [*batch, features] without a time axis, but has shape {list(x.shape)}.")
    batch = check_inputs(cell, params, x[None])
    initial = cell.initial_state(params, batch)
    state = initial if state is None else check_state(cell, state, initial)
    z = jax.tree.map(lambda leaf: leaf[0], cell.project(params, x[None]))
    state, y = cell.step(params, state, z)
    return y, state


# Jitted here so that a call outside of jit compiles once for each cell and shape, not once a call.
@partial(jax.jit, static_argnums=(0, 1))
def _unroll(
    cell: Cell,
    plan: Plan,
    params: Params,
    xs: Array,
    state: State,
    lengths: Array | None,
    mask: Array | None,
    resets: Array | None,
    key: Key | None,
) -> tuple[Any, State, Any]:
    run, batch = partial(_unroll_rows, cell, plan), batch_axes(cell, xs)
    return over_devices(run, batch, params, xs, state, lengths, mask, resets, key)


def _unroll_rows(
    cell: Cell,
    plan: Plan,
    params: Params,
    xs: Array,
    state: State,
    lengths: Array | None,
    mask: Array | None,
    resets: Array | None,
    key: Key | None,
) -> tuple[Any, State, Any]:
    """All of `unroll`'s work, on the rows that one device holds."""
    steps, batch = xs.shape[0], batch_axes(cell, xs)
    keep = mask
    if lengths is not None:
        time = jnp.arange(steps, dtype=lengths.dtype).reshape(-1, *(1 for _ in batch))
        inside = time < jnp.broadcast_to(lengths, (1, *batch))
        keep = inside if keep is None else keep & inside
    if keep is not None:
        # NaN in padding must not meet a zero cotangent in the backward pass: 0 * NaN is NaN.
        xs = select(keep, xs, jnp.zeros_like(xs))
        resets = None if resets is None else resets & keep
    keys = None
    initial = cell.initial_state(params, batch)
    if key is None:
        params = cell.prepare(params, batch)
    else:
        key_sequence, key_steps = jax.random.split(key)
        params = cell.prepare(params, batch, key=key_sequence)
        rows = row_keys(key_steps, batch).reshape(-1)
        at_time = jax.vmap(jax.vmap(jax.random.fold_in, in_axes=(0, None)), in_axes=(None, 0))
        keys = at_time(rows, jnp.arange(steps)).reshape(steps, *batch)
    return _run(cell, plan, params, xs, state, initial, Flow(keys=keys, keep=keep, reset=resets))


def _run(
    cell: Cell, plan: Plan, params: Params, xs: Array, state: State, initial: State, flow: Flow
) -> tuple[Any, State, Any]:
    if isinstance(cell, Composite):
        return _run_parts(cell, plan, params, xs, state, initial, flow)
    z = first_step(cell, params, xs, flow.keys)
    check_step(cell, params, z, state)
    if plan.collect:
        check_collect(cell, plan.collect, params, z, state)
    leaf = Collecting(cell, plan.collect) if plan.collect else cell
    chunk = min(plan.chunk or _auto_chunk(plan, params, xs.shape[0], z), max(xs.shape[0], 1))
    if _on_cudnn(cell, plan, params, xs, flow):
        return *_unroll_cudnn(cell, plan, params, xs, state, flow, chunk), None
    path: Any = unroll_watched if plan.vjp == WATCHED else unroll_plain
    # Without a step there is nothing to cut into chunks; without a `mix` there is nothing to hoist.
    if plan.vjp == "hoisted" and leaf.gated and xs.shape[0]:
        path = unroll_hoisted
    outputs, state = path(leaf, params, xs, state, initial, flow, chunk=chunk, remat=plan.remat, reverse=plan.reverse)
    return (outputs[0], state, outputs[1]) if plan.collect else (outputs, state, None)


def _on_cudnn(cell: Cell, plan: Plan, params: Params, xs: Array, flow: Flow) -> bool:
    return (
        plan.backend != "scan"
        and plan.vjp != WATCHED
        and can_run(
            cell,
            params,
            xs,
            required=plan.backend == "cudnn",
            mask=plan.masked,
            resets=flow.reset is not None,
            collect=bool(plan.collect),
            remat=plan.remat,
            autodiff=plan.vjp != "hoisted",
        )
    )


def _unroll_cudnn(
    cell: Any, plan: Plan, params: Params, xs: Array, state: State, flow: Flow, chunk: int
) -> tuple[Any, State]:
    def scan(params: Params, xs: Array, state: State, keep: Array | None) -> tuple[Any, State]:
        return unroll_hoisted(cell, params, xs, state, state, Flow(keep=keep), chunk=chunk, remat=False, reverse=False)

    # Without a mask the steps that count are the first ones of each row.
    lengths = None if flow.keep is None else flow.keep.sum(axis=0, dtype=jnp.int32)
    required = plan.backend == "cudnn"
    return unroll_cudnn(params, xs, state, lengths, scan, reverse=plan.reverse, required=required)


def _run_parts(
    cell: Composite, plan: Plan, params: Params, xs: Array, state: State, initial: State, flow: Flow
) -> tuple[Any, State, Any]:
    collected = []

    def run(
        part: Cell,
        params: Params,
        xs: Array,
        state: State,
        initial: State,
        keys: Key | None,
        *,
        flip: bool = False,
        resets: Array | None = None,
    ) -> tuple[Any, State]:
        part_plan, part_flow = plan.flip() if flip else plan, replace(flow, keys=keys)
        if resets is not None:
            part_flow = part_flow.resetting(resets)
        outputs, state, values = _run(part, part_plan, params, xs, state, initial, part_flow)
        collected.append(values)
        return outputs, state

    outputs, state = cell.compose(run, params, xs, state, initial, flow.keys)
    return flow.silence(outputs), state, tuple(collected) if plan.collect else None


def _auto_chunk(plan: Plan, params: Params, steps: int, z: Any) -> int:
    step_bytes = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(z))
    w_h = getattr(params, "w_h", None)
    weight_bytes = 0 if w_h is None else w_h.size * w_h.dtype.itemsize
    return auto_chunk(steps, step_bytes, weight_bytes, plan.remat, jax.default_backend())
