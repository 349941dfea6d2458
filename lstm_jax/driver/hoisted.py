"""The fast path: a backward scan that carries only the state's cotangents.

Forward, one chunk of K steps at a time: ``project`` the chunk, scan over its steps, ``output`` the chunk. Saved are
the pre-activations and the state of every step (with ``remat``, the state at every chunk boundary alone).

Backward, one chunk at a time: pull the outputs' cotangents through ``output``; scan back over the steps, recomputing
``update`` inside its own VJP, with the cotangent of the state as the only carry; then every gradient of a parameter
is one VJP batched over the chunk. So the weights' gradients are one large matrix product a chunk, not one a step.

A cell that has only a ``step`` runs through the same code: it has no ``mix``, and its step takes ``update``'s place.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from lstm_jax.cell import Array, Cell, Params, State
from lstm_jax.driver import inexact
from lstm_jax.driver.flow import Flow, select
from lstm_jax.driver.pieces import Pieces, cut, each, paste, scan_pieces


@dataclass(frozen=True)
class Split:
    """A cell seen as the four functions that the two scans need."""

    cell: Any
    """A `Cell`; whether it is a gated one, it says itself."""

    @property
    def gated(self) -> bool:
        """Whether the cell has a mix and an update, or only a step."""
        return self.cell.gated

    def mix(self, params: Params, state: State) -> Any:
        """The matrix work of a gated cell; nothing for a cell with only a step."""
        return self.cell.mix(params, state) if self.gated else ()

    def join(self, z: Any, u: Any) -> Any:
        """Linear in z and u."""
        return self.cell.join(z, u) if self.gated else z

    def local(self, params: Params, a: Any, state: State) -> tuple[State, Any]:
        """The new state, and what is only known inside the step."""
        if self.gated:
            return self.cell.update(params, a, state), ()
        return self.cell.step(params, state, a)

    def readout(self, params: Params, a: Any, new: State, y: Any) -> Any:
        """The output, from what `local` returned."""
        return self.cell.output(params, a, new) if self.gated else y


@struct.dataclass
class Saved:
    """What the backward pass of one chunk needs of the forward pass."""

    start: State
    """The state before the chunk's first step (its last one, in reverse)."""
    a: Any
    """Pre-activations ``[K, *batch, ...]``; None where they are recomputed."""
    states: State | None
    """The state after every step ``[K, *batch, ...]``; None where they are recomputed."""


@struct.dataclass
class Cotangents:
    """Cotangents of the inexact leaves, carried from chunk to chunk backwards in processing order."""

    state: inexact.Leaves
    params: inexact.Leaves
    initial: inexact.Leaves


@dataclass(frozen=True)
class Hoisted:
    """One cell's forward and backward pass."""

    split: Split
    chunk: int
    remat: bool
    reverse: bool

    def forward_chunk(
        self, params: Params, initial: State, state: State, piece: tuple
    ) -> tuple[State, tuple[Any, Saved]]:
        """One chunk of inputs: its last state, its outputs, and what its backward pass needs."""
        xs, flow = piece
        cell, split = self.split.cell, self.split
        zs = cell.project(params, xs, keys=flow.keys)

        def one(previous: State, inputs: tuple) -> tuple[State, tuple]:
            z, at = inputs
            entered = at.enter(previous, initial)
            a = split.join(z, split.mix(params, entered))
            new, y = split.local(params, a, entered)
            left = at.leave(new, previous)
            return left, (a if split.gated else (), left, y)

        last, (a, states, ys) = jax.lax.scan(one, state, (zs, flow), reverse=self.reverse)
        outputs = flow.silence(jax.vmap(split.readout, in_axes=(None, 0, 0, 0))(params, a, states, ys))
        return last, (outputs, Saved(start=state, a=a, states=states))

    def backward_chunk(self, params: Params, initial: State, later: Cotangents, piece: tuple) -> tuple[Cotangents, Any]:
        """Pull cotangents through one chunk: those of the inputs, and the sums so far of all others."""
        xs, flow, d_outputs, saved = piece
        cell, split = self.split.cell, self.split
        if self.remat:
            _, (_, saved) = self.forward_chunk(params, initial, saved.start, (xs, flow))
        zs, pull_project = inexact.vjp(partial(cell.project, keys=flow.keys), params, xs)
        a = saved.a if split.gated else zs
        entered = select(flow.reset, _over_time(initial, flow.reset), self._before(saved))

        # What leaves the chunk through its outputs, for all steps at once.
        d_outputs = [select(flow.keep, d, jnp.zeros_like(d)) if flow.keep is not None else d for d in d_outputs]
        if split.gated:
            readout = jax.vmap(partial(split.readout, y=()), in_axes=(None, 0, 0))
            _, pull_readout = inexact.vjp(readout, params, a, saved.states)
            d_params, d_a_out, d_states_out = pull_readout(d_outputs)
            d_ys = []
        else:
            d_params, d_ys = inexact.zeros_like(inexact.split(params)[0]), d_outputs
            d_a_out, d_states_out = (inexact.zeros_like(inexact.split(v)[0]) for v in (a, saved.states))

        def one(d_state: inexact.Leaves, inputs: tuple) -> tuple[inexact.Leaves, tuple]:
            z, a_t, state, at, d_a_t, d_out, d_y = inputs
            d_state = inexact.add(d_state, d_out)
            d_new = select(at.keep, d_state, inexact.zeros_like(d_state)) if at.keep is not None else d_state
            _, pull_local = inexact.vjp(partial(split.local, params), a_t, state)
            d_a_local, d_entered = pull_local([*d_new, *d_y])
            d_a_t = inexact.add(d_a_t, d_a_local)
            _, pull_mix = inexact.vjp(lambda s: split.join(z, split.mix(params, s)), state)
            d_entered = inexact.add(d_entered, pull_mix(d_a_t)[0])
            d_previous = select(at.reset, inexact.zeros_like(d_entered), d_entered)
            if at.keep is not None:
                d_previous = select(at.keep, d_previous, d_state)
            return d_previous, (d_a_t, d_new, d_entered)

        inputs = (zs, a, entered, flow, d_a_out, d_states_out, d_ys)
        d_state, (d_a, d_new, d_entered) = jax.lax.scan(one, later.state, inputs, reverse=not self.reverse)

        # Every parameter's gradient, one product over all steps of the chunk.
        def joined(p: Params, z: Any) -> Any:
            return jax.vmap(lambda z_t, s: split.join(z_t, split.mix(p, s)))(z, entered)

        _, pull_joined = inexact.vjp(joined, params, zs)
        d_params_mix, d_zs = pull_joined(d_a)
        _, pull_local = inexact.vjp(lambda p: jax.vmap(partial(split.local, p))(a, entered), params)
        (d_params_local,) = pull_local([*d_new, *d_ys])
        d_params_project, d_xs = pull_project(d_zs)
        for part in (d_params_mix, d_params_local, d_params_project, later.params):
            d_params = inexact.add(d_params, part)
        d_initial = later.initial
        if flow.reset is not None:
            at_resets = select(flow.reset, d_entered, inexact.zeros_like(d_entered))
            d_initial = inexact.add(d_initial, [d.sum(axis=0) for d in at_resets])
        return Cotangents(state=d_state, params=d_params, initial=d_initial), d_xs

    def _before(self, saved: Saved) -> State:
        """The state before every step ``[K, *batch, ...]``."""

        def shift(start: Array, states: Array) -> Array:
            parts = [states[1:], start[None]] if self.reverse else [start[None], states[:-1]]
            return jnp.concatenate(parts)

        return jax.tree.map(shift, saved.start, saved.states)

    def forward(self, params: Params, xs: Array, state: State, initial: State, flow: Flow) -> tuple:
        """All chunks: outputs, the last state, and what the backward pass needs, cut into pieces."""

        def body(state: State, piece: tuple) -> tuple[State, tuple[Any, Saved]]:
            last, (outputs, saved) = self.forward_chunk(params, initial, state, piece)
            return last, (outputs, Saved(start=state, a=None, states=None) if self.remat else saved)

        state, done = scan_pieces(body, state, cut((xs, flow), xs.shape[0], self.chunk), reverse=self.reverse)
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
        """All chunks, last first."""
        none_yet = Cotangents(
            state=d_state,
            params=inexact.zeros_like(inexact.split(params)[0]),
            initial=inexact.zeros_like(inexact.split(initial)[0]),
        )
        cuts = cut((xs, flow, d_outputs), xs.shape[0], self.chunk)
        pieces = each(lambda piece, s: (*piece, s), cuts, saved)
        body = partial(self.backward_chunk, params, initial)
        total, d_xs = scan_pieces(body, none_yet, pieces, reverse=not self.reverse)
        return total, paste(d_xs)


def unroll_hoisted(
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
    """Outputs ``[T, *batch, ...]`` and the last state. ``initial`` is the state that a reset returns to."""
    engine = Hoisted(Split(cell), chunk, remat, reverse)
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


def _over_time(state: State, where: Array | None) -> State:
    """``state`` at every step, to be chosen where ``where`` is true."""
    if where is None:
        return state
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (where.shape[0], *leaf.shape)), state)
