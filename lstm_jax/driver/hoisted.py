"""The fast path of gated cells: a backward scan that carries only the state's cotangents.

Forward, one chunk of K steps at a time: ``project`` the chunk, then scan over its steps. Saved are the pre-activations
and the state of every step (with ``remat``, the state at every chunk boundary alone).

Backward, one chunk at a time: pull the outputs' cotangents through ``output``; scan back over the steps, recomputing
``update`` inside its own VJP, with the cotangent of the state as the only carry; then every gradient of a parameter
is one VJP batched over the chunk. So the weights' gradients are one large matrix product a chunk, not one a step.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from lstm_jax.cell import Array, GatedCell, Params, State, batch_axes
from lstm_jax.driver import inexact
from lstm_jax.driver.checks import holds_no_rows
from lstm_jax.driver.flow import Flow, select
from lstm_jax.driver.layout import merged, stood_up, transposed, unmerged
from lstm_jax.driver.local import local
from lstm_jax.driver.pieces import Pieces, cut, each, paste, scan_pieces


@struct.dataclass
class Steps:
    """What the steps of some chunks left behind ``[chunks, K, *batch, ...]``."""

    a: Any
    """Pre-activations."""
    states: State
    """The state after every step."""


@struct.dataclass
class Saved:
    """What the backward pass needs of the forward pass of some chunks."""

    start: State
    """The state before each chunk's first step (its last one, in reverse) ``[chunks, *batch, ...]``."""
    steps: Steps | None
    """None where they are recomputed."""


@struct.dataclass
class Cotangents:
    """Cotangents of the inexact leaves, carried from chunk to chunk backwards in processing order."""

    state: inexact.Leaves
    params: inexact.Leaves
    initial: inexact.Leaves


@dataclass(frozen=True)
class Hoisted:
    """One cell's forward and backward pass."""

    cell: GatedCell
    chunk: int
    remat: bool
    reverse: bool
    merge: bool
    """Whether a chunk's steps may be worked on as so many more rows: no parameter is a row's own."""

    def forward(self, params: Params, xs: Array, state: State, initial: State, flow: Flow) -> tuple:
        """All chunks: outputs, the last state, and what the backward pass needs, cut into pieces."""

        def run(state: State, chunks: tuple[Array, Flow]) -> tuple[State, tuple[Any, Saved]]:
            count = chunks[0].shape[0]
            room = self._room(params, state, chunks, 1 if self.remat else count)

            def body(carry: tuple[State, Steps], numbered: tuple) -> tuple[tuple[State, Steps], tuple]:
                (state, room), (index, piece) = carry, numbered
                last, room = self._forward_chunk(params, initial, state, room, 0 if self.remat else index, piece)
                outputs = self._outputs(params, _first(room), piece[1]) if self.remat else None
                return (last, room), (state, outputs)

            (last, steps), (start, outputs) = jax.lax.scan(
                body, (state, room), (jnp.arange(count), chunks), reverse=self.reverse
            )
            if self.remat:
                return last, (outputs, Saved(start, steps=None))
            # Where the output is the state itself, both are the same memory.
            return last, (jax.vmap(partial(self._outputs, params))(steps, chunks[1]), Saved(start, steps))

        state, done = scan_pieces(run, state, cut((xs, flow), xs.shape[0], self.chunk), reverse=self.reverse)
        return paste(each(lambda piece: piece[0], done)), state, each(lambda piece: piece[1], done)

    def backward(
        self,
        params: Params,
        xs: Array,
        initial: State,
        flow: Flow,
        saved: Pieces,
        d_outputs: inexact.Leaves,
        d_state: inexact.Leaves,
    ) -> tuple[Cotangents, inexact.Leaves]:
        """All chunks, last first: the cotangents of parameters, state and initial state, and of the inputs."""
        none_yet = Cotangents(
            state=d_state,
            params=inexact.zeros_like(inexact.split(params)[0]),
            initial=inexact.zeros_like(inexact.split(initial)[0]),
        )
        cuts = cut((xs, flow, d_outputs), xs.shape[0], self.chunk)
        pieces = each(lambda piece, s: (*piece, s), cuts, saved)
        body = partial(self._backward_chunk, params, jax.tree.map(transposed, params), initial)
        run = partial(jax.lax.scan, body, reverse=not self.reverse)
        total, d_xs = scan_pieces(run, none_yet, pieces, reverse=not self.reverse)
        return total, paste(d_xs)

    def _room(self, params: Params, state: State, chunks: tuple[Array, Flow], count: int) -> Steps:
        """Room for what ``count`` chunks leave behind."""

        def one(params: Params, state: State, xs: Array, keys: Any) -> Steps:
            z = _first(self.cell.project(params, xs[0], keys=None if keys is None else keys[0]))
            a = self.cell.join(z, self.cell.mix(params, state))
            return Steps(a, self.cell.update(params, a, state))

        xs, flow = chunks
        shapes = jax.eval_shape(one, params, state, xs, flow.keys)
        return jax.tree.map(lambda leaf: jnp.zeros((count, xs.shape[1], *leaf.shape), leaf.dtype), shapes)

    def _forward_chunk(
        self, params: Params, initial: State, state: State, room: Steps, index: Array | int, piece: tuple[Array, Flow]
    ) -> tuple[State, Steps]:
        """One chunk of inputs: its last state, and ``room`` with what its steps leave behind at ``index``."""
        xs, flow = piece
        zs = self.cell.project(params, xs, keys=flow.keys)

        def one(carry: tuple[State, Steps], inputs: tuple[Array, Any, Flow]) -> tuple[tuple[State, Steps], None]:
            (previous, room), (k, z, at) = carry, inputs
            entered = at.enter(previous, initial)
            a = self.cell.join(z, self.cell.mix(params, entered))
            left = at.leave(self.cell.update(params, a, entered), previous)
            # Written where it stays: what a scan stacks would be filled with zeros, and copied, once more each chunk.
            return (left, _written(room, (jnp.asarray(index, k.dtype), k), Steps(a, left))), None

        return jax.lax.scan(one, (state, room), (jnp.arange(xs.shape[0]), zs, flow), reverse=self.reverse)[0]

    def _outputs(self, params: Params, steps: Steps, flow: Flow) -> Any:
        """What leaves the cell at every step of one chunk."""
        return flow.silence(jax.vmap(self.cell.output, in_axes=(None, 0, 0))(params, steps.a, steps.states))

    def _backward_chunk(
        self, params: Params, params_t: Params, initial: State, later: Cotangents, piece: tuple
    ) -> tuple[Cotangents, Any]:
        """Pull cotangents through one chunk: those of the inputs, and the sums so far of all others."""
        xs, flow, d_outputs, saved = piece
        cell, steps = self.cell, saved.steps
        if steps is None:
            room = self._room(params, saved.start, jax.tree.map(lambda leaf: leaf[None], (xs, flow)), 1)
            steps = _first(self._forward_chunk(params, initial, saved.start, room, 0, (xs, flow))[1])
        entered = select(flow.reset, _over_time(initial, flow.reset), self._before(saved.start, steps.states))

        # What leaves the chunk through its outputs, for all steps at once.
        if flow.keep is not None:
            d_outputs = select(flow.keep, d_outputs, inexact.zeros_like(d_outputs))
        output = jax.vmap(cell.output, in_axes=(None, 0, 0))
        d_params, d_a_out, d_states_out = inexact.vjp_of_used(output, params, steps.a, steps.states)(d_outputs)

        local_update = local(cell, params, _first(steps.a), _first(steps.states), by_row=self.merge)
        vectors = local_update.vectors(xs.shape[1])

        def one(later: tuple[inexact.Leaves, inexact.Leaves], inputs: tuple) -> tuple[tuple, tuple]:
            (d_state, d_vectors), (a, state, at, d_a, d_out) = later, inputs
            d_state = inexact.add(d_state, d_out)
            d_new = select(at.keep, d_state, inexact.zeros_like(d_state)) if at.keep is not None else d_state
            _, pull_update = inexact.vjp(local_update.update, vectors, a, state)
            d_vectors_update, d_a_update, d_entered = pull_update(d_new)
            d_a = inexact.add(d_a_update, d_a)
            # Linear in u, so that any z will do: its cotangent is d_a's own.
            _, pull_mix = inexact.vjp(lambda s: cell.join(z_like, cell.mix(stood_up(params_t), s)), state)
            d_entered = inexact.add(d_entered, pull_mix(d_a)[0])
            d_previous = select(at.reset, inexact.zeros_like(d_entered), d_entered)
            if at.keep is not None:
                d_previous = select(at.keep, d_previous, d_state)
            return (d_previous, inexact.add(d_vectors, d_vectors_update)), (d_a, d_new, d_entered)

        zs, pull_inputs = inexact.vjp(lambda xs: cell.project(params, xs, keys=flow.keys), xs)
        z_like = _first(zs)
        inputs = (steps.a, entered, flow, d_a_out, d_states_out)
        none_yet = (later.state, inexact.zeros_like(vectors))
        (d_state, d_vectors), (d_a, d_new, d_entered) = jax.lax.scan(one, none_yet, inputs, reverse=not self.reverse)

        # Every weight's gradient, one product over all steps of the chunk.
        joined, project = self._over_steps(entered, xs, flow)
        _, pull_joined = inexact.vjp(joined, params, zs)
        d_params_mix, d_zs = pull_joined(d_a)
        d_params_update = local_update.gradient(d_vectors, steps.a, entered, d_new)
        _, pull_project = inexact.vjp(project, params)
        d_xs = pull_inputs(d_zs)[0]
        total = later.params
        for part in (d_params_mix, d_params_update, pull_project(d_zs)[0], d_params):
            total = inexact.add(total, part)
        d_initial = later.initial
        if flow.reset is not None:
            at_resets = select(flow.reset, d_entered, inexact.zeros_like(d_entered))
            d_initial = inexact.add(d_initial, [d.sum(axis=0) for d in at_resets])
        return Cotangents(state=d_state, params=total, initial=d_initial), d_xs

    def _over_steps(self, entered: State, xs: Array, flow: Flow) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """``join`` of ``mix``, and ``project``, of all steps of a chunk at once, for their parameters' gradients."""
        cell = self.cell
        if not self.merge:
            joined = jax.vmap(lambda p, z, s: cell.join(z, cell.mix(p, s)), in_axes=(None, 0, 0))
            return lambda p, zs: joined(p, zs, entered), lambda p: cell.project(p, xs, keys=flow.keys)
        # A product over one long axis of rows in place of two axes is one that nothing is copied for, and these
        # arrays lie transposed, as it reads them.
        rows, inputs = stood_up(jax.tree.map(transposed, merged((entered, xs))))
        shape, keys = xs.shape[:2], merged(flow.keys)
        return (
            lambda p, zs: unmerged(cell.join(merged(zs), cell.mix(p, rows)), shape),
            lambda p: unmerged(cell.project(p, inputs, keys=keys), shape),
        )

    def _before(self, start: State, states: State) -> State:
        """The state before every step ``[K, *batch, ...]``."""

        def shift(start: Array, states: Array) -> Array:
            parts = [states[1:], start[None]] if self.reverse else [start[None], states[:-1]]
            return jnp.concatenate(parts)

        return jax.tree.map(shift, start, states)


def unroll_hoisted(
    cell: GatedCell,
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
    """Outputs ``[T, *batch, ...]`` and the last state. ``initial`` is the state that a reset returns to."""
    engine = Hoisted(cell, chunk, remat, reverse, merge=bool(batch_axes(cell, xs)) and holds_no_rows(cell, params, xs))
    diff, exact, join = inexact.split((params, xs, state, initial))

    # A custom VJP may not close over traced values: everything traced is an argument.
    @jax.custom_vjp
    def run(diff: inexact.Leaves, exact: inexact.Leaves, flow: Flow) -> tuple[Any, State]:
        params, xs, state, initial = join(diff, exact)
        outputs, last, _ = engine.forward(params, xs, state, initial, flow)
        return outputs, last

    def forward(diff: inexact.Leaves, exact: inexact.Leaves, flow: Flow) -> tuple:
        params, xs, state, initial = join(diff, exact)
        outputs, last, saved = engine.forward(params, xs, state, initial, flow)
        return (outputs, last), (diff, exact, flow, saved)

    def backward(residuals: tuple, cotangents: tuple[Any, State]) -> tuple:
        diff, exact, flow, saved = residuals
        params, xs, _, initial = join(diff, exact)
        d_outputs, d_last = (_inexact_only(d) for d in cotangents)
        total, d_xs = engine.backward(params, xs, initial, flow, saved, d_outputs, d_last)
        return [*total.params, *d_xs, *total.state, *total.initial], None, None

    run.defvjp(forward, backward)
    return run(diff, exact, flow)


def _inexact_only(cotangents: Any) -> inexact.Leaves:
    # The cotangent of an integer, boolean or key is a float0 array.
    return [leaf for leaf in jax.tree.leaves(cotangents) if leaf.dtype != jax.dtypes.float0]


def _first(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf[0], tree)


def _written(room: Steps, at: tuple[Array, Array], new: Steps) -> Steps:
    """``room`` with ``new`` at chunk and step ``at``."""

    def leaf(room: Array, value: Array) -> Array:
        return jax.lax.dynamic_update_slice(room, value[None, None], (*at, *(at[1] * 0 for _ in range(value.ndim))))

    return jax.tree.map(leaf, room, new)


def _over_time(state: State, where: Array | None) -> State:
    """``state`` at every step, to be chosen where ``where`` is true."""
    if where is None:
        return state
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (where.shape[0], *leaf.shape)), state)
