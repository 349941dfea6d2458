"""Where a step went wrong: it is taken once more, with a look at every value."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType

from lstm_jax.data.buckets import Buckets
from lstm_jax.data.host_batches import HostBatches
from lstm_jax.driver import watch
from lstm_jax.train.experiment import Experiment
from lstm_jax.train.state import TrainState, data_key, loss_and_gradient


def find_non_finite(experiment: Experiment, state: TrainState) -> str:
    """The end of a sentence on the first value that is not finite in the step after ``state``, and advice."""
    state = _on_the_host(state)
    data, draw = drawn(experiment, state)
    if (found := _first(data)) is not None:
        return f"already {_in_batch(*found)} is {_said(found[1])}."
    # Without the mesh: one device takes the whole batch.
    alone = jax.make_mesh((1,), ("replay",), axis_types=(AxisType.Auto,), devices=jax.local_devices()[:1])
    with jax.set_mesh(alone):
        result, findings = watch(lambda: loss_and_gradient(experiment.loss, draw, state))
        (loss, _), grads = jax.device_get(result)
    if findings:
        where = f"the first value that is not finite is {findings[0]}"
    elif not np.isfinite(loss):
        where = "the recurrent layers' values are finite, so it arises after them"
    elif (found := _first(grads)) is not None:
        where = f"the first gradient that is not finite is that of {found[0]}"
    else:
        sizes = ((float(np.max(np.abs(leaf))), name) for name, leaf in _named(grads))
        where = "every gradient is finite, the largest is {:.3g} in {}".format(*max(sizes))
    return (
        f"{where}. A smaller learning rate or stronger gradient clipping may help (with --fresh or another --workdir)."
    )


def drawn(experiment: Experiment, state: TrainState) -> tuple[Any, Any]:
    """The batch of the step after ``state``, and the function that draws it."""
    batch, key = experiment.batch, data_key(state)
    draw = batch.batches[int(batch.index(key, state.step))] if isinstance(batch, Buckets) else batch
    data = draw(key, state.step)
    # What the host reads, it does not read inside of a compiled function.
    return data, (lambda key, step: data) if isinstance(batch, HostBatches) else draw


def _on_the_host(state: TrainState) -> TrainState:
    """The state without its place on the mesh."""
    bits = jax.random.key_data(state.key)
    arrays, bits = jax.device_get((dataclasses.replace(state, key=None), bits))
    return dataclasses.replace(arrays, key=jax.random.wrap_key_data(bits))


def _named(tree: Any) -> list[tuple[str, Any]]:
    pairs = jax.tree_util.tree_flatten_with_path(tree)[0]
    return [
        (jax.tree_util.keystr(path, simple=True, separator=".") or "the value", leaf)
        for path, leaf in pairs
        if jnp.issubdtype(leaf.dtype, jnp.inexact) and leaf.size
    ]


def _first(tree: Any) -> tuple[str, np.ndarray] | None:
    return next(((name, np.asarray(leaf)) for name, leaf in _named(tree) if not np.isfinite(leaf).all()), None)


def _in_batch(name: str, leaf: np.ndarray) -> str:
    index = [int(axis[0]) for axis in np.nonzero(~np.isfinite(leaf))]
    if leaf.ndim < 2:
        return f"the batch's entry {name}" + (f", row {index[0]}," if index else "")
    return f"the batch's entry {name} at time index {index[0]}, row {index[1]},"


def _said(leaf: np.ndarray) -> str:
    return str(leaf[~np.isfinite(leaf)].flat[0])
