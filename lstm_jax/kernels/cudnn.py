"""The LSTM of NVIDIA's cuDNN, through `jax.experimental.rnn`: one call for a whole sequence, forward and backward.

Source: `jax.experimental.rnn`, and its kernels, jaxlib/gpu/rnn_kernels.cc. What it cannot do is told before the call
(`cudnn_limits`). Three things are found out only while JAX transforms the call: that it is mapped by `jax.vmap`, that
it is differentiated twice, that it runs on another device than the default one. There a scan takes its place.

cuDNN's weights are one vector: ``w_ih [4H, D]``, ``w_hh [4H, H]``, ``b_ih [4H]``, ``b_hh [4H]``, in this order, each
flat, gates in the order i, f, g, o. It is batch-first, and fails on rows of length 0 (jax-ml/jax issue 17966).
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jax.experimental import rnn

from lstm_jax.cell import Array, DenseParams
from lstm_jax.cells import LSTMState
from lstm_jax.kernels.cudnn_limits import give_way, precision_of_products

Scan = Callable[[DenseParams, Array, LSTMState, Array | None], tuple[Array, LSTMState]]
"""``scan(params, xs [T, B, D], state, keep [T, B] or None)``: outputs and last state, in the order of time."""


def unroll_cudnn(
    params: DenseParams,
    xs: Array,
    state: LSTMState,
    lengths: Array | None,
    scan: Scan,
    *,
    reverse: bool,
    required: bool,
) -> tuple[Array, LSTMState]:
    """Outputs ``[T, *batch, H]`` and each row's state after its own last step, of an LSTM that cuDNN `can_run`.

    ``xs [T, *batch, D]``, ``state`` ``[*batch, H]``; ``lengths``: whole numbers ``[*batch]`` in 0..T, or None;
    ``reverse`` as in `unroll`. ``scan`` takes cuDNN's place where JAX transforms the call in a way that cuDNN cannot
    follow, unless it is ``required``: then that is refused by ValueError.
    """
    steps, batch, features = xs.shape[0], xs.shape[1:-1], xs.shape[-1]
    rows, ragged = math.prod(batch), lengths is not None
    params, xs, merged = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), (params, xs, state))
    xs = xs.reshape(steps, rows, features)
    merged = jax.tree.map(lambda leaf: leaf.reshape(rows, -1), merged)
    lengths = jnp.full(rows, steps, jnp.int32) if lengths is None else lengths.reshape(rows).astype(jnp.int32)
    run = _lstm(features, merged.h.shape[-1], partial(_scan_packed, scan, ragged), required=required)

    time = jnp.arange(steps, dtype=jnp.int32)[:, None]
    keep, empty = (time < lengths[None]), (lengths == 0)[:, None]
    start = merged
    if ragged:
        # On both sides of the call, so that neither a value nor a cotangent of padding gets in: cuDNN need not write
        # the inputs' cotangents there. A row of length 0 runs for one step of zeros that nobody looks at.
        xs = jnp.where(keep[..., None], xs, 0)
        start = jax.tree.map(lambda leaf: jnp.where(empty, 0, leaf), merged)
    xs = _flipped(xs, lengths, ragged) if reverse else xs
    y, h, c = run(xs.swapaxes(0, 1), start.h[None], start.c[None], packed(params), jnp.maximum(lengths, 1))
    outputs, last = y.swapaxes(0, 1), LSTMState(h=h[0], c=c[0])
    if ragged:
        outputs = jnp.where(keep[..., None], outputs, 0)
        last = jax.tree.map(lambda given, new: jnp.where(empty, given, new), merged, last)
    outputs = _flipped(outputs, lengths, ragged) if reverse else outputs
    return outputs.reshape(steps, *batch, -1), jax.tree.map(lambda leaf: leaf.reshape(*batch, -1), last)


def packed(params: DenseParams) -> Array:
    """The weights as cuDNN wants them, ``[4H * (D + H + 2)]``; its second bias is zero."""
    return jnp.concatenate([params.w_x.T.ravel(), params.w_h.T.ravel(), params.b, jnp.zeros_like(params.b)])


def _scan_packed(
    scan: Scan, ragged: bool, x: Array, h_0: Array, c_0: Array, w: Array, lengths: Array
) -> tuple[Array, Array, Array]:
    """``scan`` with the arguments and results of cuDNN's LSTM."""
    w_ih, w_hh, b_ih, b_hh = (part[0] for part in rnn.unpack_lstm_weights(w, x.shape[-1], h_0.shape[-1], 1, False))
    keep = jnp.arange(x.shape[1], dtype=jnp.int32)[:, None] < lengths[None] if ragged else None
    params = DenseParams(w_x=w_ih.T, w_h=w_hh.T, b=b_ih + b_hh)
    outputs, last = scan(params, x.swapaxes(0, 1), LSTMState(h=h_0[0], c=c_0[0]), keep)
    return outputs.swapaxes(0, 1), last.h[None], last.c[None]


def _lstm(input_size: int, hidden_size: int, scan: Callable[..., Any], *, required: bool) -> Callable[..., Any]:
    """The LSTM of cuDNN: ``x [B, T, D], h_0 [1, B, H], c_0 [1, B, H], w, lengths [B]`` to ``y [B, T, H], h_n, c_n``.

    Lengths are at least 1. ``scan`` takes the same arguments and gives the same results.
    """
    # Told here, because the backward pass may be traced outside of the context that sets the precision.
    precision = precision_of_products()
    sizes = (input_size, hidden_size, 1, 0.0, False, precision)

    def run_forward(x: Array, h_0: Array, c_0: Array, w: Array, lengths: Array) -> tuple[Array, ...]:
        results, residuals = rnn.lstm_fwd(x, h_0, c_0, w, lengths, *sizes)
        return (*results, residuals[-1])

    def run_backward(*args: Array) -> tuple[Array, ...]:
        residuals, cotangents = args[:7], args[7:]
        own, cotangents = _own_copy(residuals[-1], cotangents)
        return rnn.lstm_bwd(*sizes, (*residuals[:-1], own), cotangents)[:4]

    def scan_forward(*args: Array) -> tuple[Array, ...]:
        reserve = jax.eval_shape(run_forward, *args)[-1]
        # Through vjp, because a scan with its own VJP gives the tangents of its forward pass only then.
        return (*jax.vjp(scan, *args)[0], jnp.zeros(reserve.shape, reserve.dtype))

    def scan_backward(*args: Array) -> tuple[Array, ...]:
        (*diff, lengths), cotangents = args[:5], args[7:]
        return jax.vjp(lambda *diff: scan(*diff, lengths), *diff)[1](cotangents)

    forward = _with_scan(run_forward, scan_forward, out_axes=(0, 0, 0, None), required=required)
    backward = _with_scan(run_backward, scan_backward, out_axes=(0, 0, 0, 0), required=required)

    @jax.custom_vjp
    def lstm(*args: Array) -> tuple[Array, ...]:
        return forward(*args)[:3]

    def lstm_forward(*args: Array) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        y, h_n, c_n, reserve = forward(*args)
        return (y, h_n, c_n), (*args, y, reserve)

    def lstm_backward(residuals: tuple[Array, ...], cotangents: tuple[Array, ...]) -> tuple[Array | None, ...]:
        return (*backward(*residuals, *cotangents), None)

    lstm.defvjp(lstm_forward, lstm_backward)
    return lstm


def _with_scan(
    run: Callable[..., Any], scan: Callable[..., Any], *, out_axes: tuple[int | None, ...], required: bool
) -> Callable[..., Any]:
    """``run``, or ``scan``, its equal, where JAX maps or differentiates it, or computes on another device."""
    one_device = run if required else partial(jax.lax.platform_dependent, cuda=run, default=scan)
    mappable = custom_vmap(one_device)

    @mappable.def_vmap
    def _(size: int, batched: list[bool], *args: Array) -> tuple[tuple[Array, ...], tuple[bool, ...]]:
        give_way("it cannot be mapped by jax.vmap", required=required)
        in_axes = [0 if axis else None for axis in batched]
        results = jax.vmap(scan, in_axes=in_axes, out_axes=out_axes, axis_size=size)(*args)
        return results, tuple(axis is not None for axis in out_axes)

    differentiable = jax.custom_jvp(mappable)

    @differentiable.defjvp
    def _(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Any, Any]:
        give_way("it can be differentiated only once", required=required)
        return differentiable(*primals), jax.jvp(scan, primals, tangents)[1]

    return differentiable


def _own_copy(reserve: Array, cotangents: tuple[Array, ...]) -> tuple[Array, tuple[Array, ...]]:
    """A copy of what the forward pass left to this backward pass.

    cuDNN writes over it, which XLA does not know: a function of `jax.vjp` that is called twice would be wrong the
    second time. XLA removes a plain copy, so this is a choice that it cannot foresee; and two calls with different
    cotangents cannot share the result.
    """
    reserve, cotangents = jax.lax.optimization_barrier((reserve, cotangents))
    always = (jax.lax.bitcast_convert_type(reserve[0], jnp.int32) | 1) != 0
    return jnp.where(always, reserve, jnp.zeros_like(reserve)), cotangents


def _flipped(steps: Array, lengths: Array, ragged: bool) -> Array:
    """``steps [T, B, ...]`` in the opposite order of time within the lengths ``[B]``; its own inverse."""
    if not ragged:
        return steps[::-1]
    time = jnp.arange(steps.shape[0], dtype=jnp.int32)[:, None]
    order = jnp.where(time < lengths[None], lengths[None] - 1 - time, time)
    # Each step is taken once, which spares the gradient a sum.
    at = steps.at[order, jnp.arange(steps.shape[1], dtype=jnp.int32)[None]]
    return at.get(unique_indices=True, mode="promise_in_bounds")
