"""lstm_jax as in a user's own script: ``jax.jit(jax.value_and_grad(loss))`` on one device with all threads."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import lstm_jax
from benchmarks.cases import Case, arrays
from benchmarks.cells import CELLS
from benchmarks.frameworks import Timed, by_jax
from lstm_jax.cell import DenseParams


def build(case: Case, everywhere: Any = None, by_row: Any = None) -> Timed:
    """``everywhere`` and ``by_row``: where parameters and inputs lie; None: on the one device."""
    xs, weights = arrays(case)
    cell = model(case)
    if case.cell == "lstm":
        params = nested(case, [DenseParams(**{k: jnp.asarray(v) for k, v in part.items()}) for part in weights])
    else:
        params = cell.init(jax.random.key(0), case.shape[2])
    params, xs = jax.device_put(params, everywhere), jax.device_put(jnp.asarray(xs), by_row)
    if case.mode == "stream":
        return stream(cell, params, xs)

    def ours(gradients: Any) -> list[dict[str, Any]]:
        parts = jax.tree.leaves(gradients, is_leaf=lambda node: hasattr(node, "w_h"))
        return [{name: getattr(part, name) for name in ("w_x", "w_h", "b")} for part in parts]

    return by_jax.timed(case, lambda params, xs: lstm_jax.unroll(cell, params, xs)[0], params, xs, ours)


def model(case: Case) -> Any:
    """The cell, or cells."""
    h = case.shape[3]
    cell = {"lstm": lstm_jax.LSTM, "gru": lstm_jax.GRU, "step_only": lstm_jax.ResetBeforeGRU, **CELLS}[case.cell](h)
    layer = lstm_jax.Bidirectional(cell, cell) if case.both else cell
    return layer if case.layers == 1 else lstm_jax.Stack((layer,) * case.layers)


def nested(case: Case, parts: list[DenseParams]) -> Any:
    """The recurrences' parameters as `model` holds them."""
    like = jax.eval_shape(lambda key: model(case).init(key, case.shape[2]), jax.random.key(0))
    treedef = jax.tree.structure(like, is_leaf=lambda node: hasattr(node, "w_h"))
    return treedef.unflatten(parts)


def stream(cell: Any, params: Any, xs: jax.Array) -> Timed:
    """One jitted step with a donated state, T times."""
    step = jax.jit(partial(lstm_jax.step, cell), donate_argnums=2)
    inputs = list(xs)
    first = cell.initial_state(params, xs.shape[1:2])

    def run() -> list[jax.Array]:
        state, ys = jax.tree.map(jnp.copy, first), []
        for x in inputs:
            y, state = step(params, x, state)
            ys.append(y)
        ys[-1].block_until_ready()
        return ys

    return Timed(run, lambda: {"outputs": np.stack(run())})
