"""Rows over devices: under a mesh with the axis "batch" each device unrolls its own share of the batch.

XLA could partition the scans by itself, but it would then sum the weights' gradients over the devices once a chunk.
Here every device keeps sums of its own, and they meet once, after the backward pass.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, PartitionSpec

from lstm_jax.cell import BATCH_AXIS, Array, BatchShape, Key, Params, State


def over_devices(
    run: Callable[..., tuple[Any, State, Any]],
    batch: BatchShape,
    params: Params,
    xs: Array,
    state: State,
    lengths: Array | None,
    mask: Array | None,
    resets: Array | None,
    key: Key | None,
) -> tuple[Any, State, Any]:
    """``run(params, xs, ..., key)`` with the first batch axis laid out over the mesh's axis "batch".

    Where there is no such axis it is just called. A batch that does not divide by the number of devices is filled up
    with rows of zeros, which are cut off again: rows do not see one another.
    """
    devices = _devices()
    if devices == 1 or not batch:
        return run(params, xs, state, lengths, mask, resets, key)
    rows = xs.shape[1]
    fill = -rows % devices
    per_row, per_step = PartitionSpec(BATCH_AXIS), PartitionSpec(None, BATCH_AXIS)
    outputs = jax.shard_map(
        run,
        in_specs=(PartitionSpec(), per_step, per_row, per_row, per_step, per_step, PartitionSpec()),
        out_specs=(per_step, per_row, per_step),
        axis_names={BATCH_AXIS},
        check_vma=False,
    )(params, *_filled(fill, xs, state, lengths, mask, resets), key)
    if fill == 0:
        return outputs
    ys, state, collected = outputs
    cut_steps = jax.tree.map(lambda leaf: leaf[:, :rows], (ys, collected))
    return cut_steps[0], jax.tree.map(lambda leaf: leaf[:rows], state), cut_steps[1]


def _devices() -> int:
    """How many shares the ambient mesh makes of a batch; 1 inside a `jax.shard_map` over its rows."""
    mesh = jax.sharding.get_abstract_mesh()
    types = dict(zip(mesh.axis_names, mesh.axis_types, strict=True))
    return mesh.shape[BATCH_AXIS] if types.get(BATCH_AXIS) == AxisType.Auto else 1


def _filled(count: int, xs: Array, state: State, *flow: Array | None) -> tuple:
    """Everything with ``count`` rows of zeros more: the first axis of the state and of lengths, else the second."""

    def fill(leaf: Array, axis: int) -> Array:
        widths = [(0, count if at == axis else 0) for at in range(leaf.ndim)]
        return leaf if count == 0 else jnp.pad(leaf, widths)

    lengths, mask, resets = flow
    return (
        fill(xs, 1),
        jax.tree.map(lambda leaf: fill(leaf, 0), state),
        None if lengths is None else fill(lengths, 0),
        None if mask is None else fill(mask, 1),
        None if resets is None else fill(resets, 1),
    )
