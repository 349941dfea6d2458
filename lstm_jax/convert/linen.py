"""Parameters from and to the cells of flax linen, which keeps the weights of each gate apart.

Source: flax 0.12, ``flax.linen.recurrent``. Input kernels are called i + gate, recurrent ones h + gate:

    =======  ==========================================================
    ours     linen's
    =======  ==========================================================
    LSTM     LSTMCell and OptimizedLSTMCell; biases at the recurrent ones
    GRU      GRUCell; biases at the input ones, and at hn
    Elman    SimpleCell; bias at i
    =======  ==========================================================

A tree is what lies under ``variables["params"]``, or under its ``["cell"]`` where ``nn.RNN`` runs the cell. Activations
are no parameters and must agree. linen's carry is ``(c, h)``.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax.cell import Cell, DenseParams, Params
from lstm_jax.cells.elman import IRNN, Elman
from lstm_jax.cells.gru import GRU, GRUParams
from lstm_jax.cells.lstm import LSTM
from lstm_jax.convert.entries import check_entries, check_params, levels_above, named, own, require_cell, shape

# The gates in our order, as linen calls them, and which of its layers have a bias.
GATES: dict[type, str] = {LSTM: "ifgo", GRU: "rzn"}
BIASES: dict[type, tuple[str, ...]] = {
    LSTM: ("hi", "hf", "hg", "ho"),
    GRU: ("ir", "iz", "in", "hn"),
    Elman: ("i",),
    IRNN: ("i",),
}


def from_linen(cell: Cell, tree: Mapping[str, Any]) -> Params:
    """The parameters of ``cell``, an LSTM, GRU or Elman, from those of linen's cell.

    Raises:
      ValueError: an entry is missing, not expected or of another shape, or linen has no such cell.
      TypeError: ``tree`` is no dict, as a module itself.
    """
    inputs, states = _layers(cell)
    if not isinstance(tree, Mapping):
        raise TypeError(f'tree must be a dict, got {type(tree).__name__}: pass variables["params"] of linen\'s cell.')
    arrays = named(tree)
    first = arrays.get(f"{inputs[0]}.kernel")
    if first is None or np.ndim(first) != 2:
        deeper = levels_above(f"{inputs[0]}.kernel", arrays)
        hint = f": pass {' or '.join(f'tree{keys}' for keys in deeper)}" if deeper else ""
        raise ValueError(f"tree has no {inputs[0]}.kernel [D, H]; it has {', '.join(arrays) or 'no entries'}{hint}.")
    check_entries("tree", cell, arrays, _entries(cell, first.shape[0]))
    w_x, w_h = (np.concatenate([arrays[f"{name}.kernel"] for name in names], axis=1) for names in (inputs, states))
    b = np.concatenate([arrays[f"{name}.bias"] for name in BIASES[type(cell)]])
    if isinstance(cell, GRU):
        b, b_hn = np.split(b, [3 * cell.hidden_size])
        return GRUParams(w_x=own(cell, w_x), w_h=own(cell, w_h), b=own(cell, b), b_hn=own(cell, b_hn))
    return DenseParams(w_x=own(cell, w_x), w_h=own(cell, w_h), b=own(cell, b))


def to_linen(cell: Cell, params: Params) -> dict[str, dict[str, jax.Array]]:
    """The tree of linen's cell: ``linen_cell.apply({"params": tree}, carry, x)``.

    Raises:
      ValueError: the parameters are not the cell's, or linen has no such cell.
    """
    inputs, states = _layers(cell)
    check_params(cell, params)
    tree: dict[str, dict[str, jax.Array]] = {}
    for names, weights in ((inputs, params.w_x), (states, params.w_h)):
        blocks = jnp.split(jnp.asarray(weights), len(names), axis=1)
        tree |= {name: {"kernel": block} for name, block in zip(names, blocks, strict=True)}
    b = jnp.concatenate([params.b, params.b_hn]) if isinstance(cell, GRU) else jnp.asarray(params.b)
    with_bias = BIASES[type(cell)]
    for name, block in zip(with_bias, jnp.split(b, len(with_bias)), strict=True):
        tree[name]["bias"] = block
    return tree


def _layers(cell: Cell) -> tuple[list[str], list[str]]:
    """The names of linen's layers on the inputs and on the state, in the order of our gates."""
    require_cell(cell)
    if type(cell) not in BIASES:
        raise ValueError(
            f"flax linen has no {type(cell).__name__} whose parameters can be converted: it has LSTM, GRU and Elman; "
            "convert the layers of a Stack or Bidirectional one by one."
        )
    gates = GATES.get(type(cell))
    return ([f"i{g}" for g in gates], [f"h{g}" for g in gates]) if gates else (["i"], ["h"])


def _entries(cell: Cell, input_size: int) -> dict[str, jax.ShapeDtypeStruct]:
    inputs, states = _layers(cell)
    entries = {f"{name}.kernel": shape(input_size, cell.hidden_size) for name in inputs}
    entries |= {f"{name}.kernel": shape(cell.hidden_size, cell.hidden_size) for name in states}
    return entries | {f"{name}.bias": shape(cell.hidden_size) for name in BIASES[type(cell)]}
