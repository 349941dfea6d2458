"""Parameters from and to the cells of flax nnx, whose gates lie side by side as ours do.

Source: flax 0.12, ``flax.nnx.nn.recurrent``. ``OptimizedLSTMCell`` has other entries than ``LSTMCell``:

    =======  ============================================================================
    ours     nnx's
    =======  ============================================================================
    LSTM     OptimizedLSTMCell; from_nnx also reads LSTMCell, which keeps its gates apart
    GRU      GRUCell, which has no bias inside the reset: our b_hn is zero
    Elman    SimpleCell
    =======  ============================================================================

Activations are no parameters and must agree. nnx's carry is ``(c, h)``.
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
from lstm_jax.convert.entries import (
    check_entries,
    check_params,
    levels_above,
    named,
    own,
    refuse_bias,
    require_cell,
    shape,
)
from lstm_jax.convert.linen import from_linen

# How many gates, and which of the two layers has the bias.
CELLS: dict[type, tuple[int, str]] = {
    LSTM: (4, "dense_h"),
    GRU: (3, "dense_i"),
    Elman: (1, "dense_i"),
    IRNN: (1, "dense_i"),
}
PURE = "nnx.to_pure_dict(nnx.state(nnx_cell, nnx.Param))"


def from_nnx(cell: Cell, tree: Mapping[str, Any]) -> Params:
    """The parameters of ``cell``, an LSTM, GRU or Elman, from ``nnx.to_pure_dict(nnx.state(nnx_cell, nnx.Param))``.

    Raises:
      ValueError: an entry is missing, not expected or of another shape, or nnx has no such cell.
      TypeError: ``tree`` is no dict, as a module itself.
    """
    _check_cell(cell)
    if not isinstance(tree, Mapping):
        raise TypeError(f"tree must be a dict, got {type(tree).__name__}: pass {PURE}.")
    arrays = named(tree)
    if any(name.endswith(".value") for name in arrays):
        raise ValueError(f"tree holds nnx's variables, not their arrays: pass {PURE}.")
    if isinstance(cell, LSTM) and "ii" in tree:
        return from_linen(cell, {name.rstrip("_"): entry for name, entry in tree.items()})
    first = arrays.get("dense_i.kernel")
    if first is None or np.ndim(first) != 2:
        deeper = levels_above("dense_i.kernel", arrays) + levels_above("ii.kernel", arrays)
        hint = f": pass {' or '.join(f'tree{keys}' for keys in deeper)}" if deeper else ""
        raise ValueError(f"tree has no dense_i.kernel [D, G*H]; it has {', '.join(arrays) or 'no entries'}{hint}.")
    gates, biased = CELLS[type(cell)]
    columns = gates * cell.hidden_size
    needed = {"dense_i.kernel": shape(first.shape[0], columns), "dense_h.kernel": shape(cell.hidden_size, columns)}
    check_entries("tree", cell, arrays, needed | {f"{biased}.bias": shape(columns)})
    w_x, w_h, b = (own(cell, arrays[name]) for name in ("dense_i.kernel", "dense_h.kernel", f"{biased}.bias"))
    if isinstance(cell, GRU):
        return GRUParams(w_x=w_x, w_h=w_h, b=b, b_hn=jnp.zeros(cell.hidden_size, cell.param_dtype))
    return DenseParams(w_x=w_x, w_h=w_h, b=b)


def to_nnx(cell: Cell, params: Params) -> dict[str, dict[str, jax.Array]]:
    """The tree for ``nnx.update(nnx_cell, tree)``: of OptimizedLSTMCell, GRUCell or SimpleCell.

    Raises:
      ValueError: the parameters are not the cell's, nnx has no such cell, or the GRU's ``b_hn`` is not zero.
    """
    _check_cell(cell)
    check_params(cell, params)
    if isinstance(cell, GRU):
        refuse_bias("b_hn", params.b_hn, "nnx's GRUCell")
    tree = {"dense_i": {"kernel": jnp.asarray(params.w_x)}, "dense_h": {"kernel": jnp.asarray(params.w_h)}}
    tree[CELLS[type(cell)][1]]["bias"] = jnp.asarray(params.b)
    return tree


def _check_cell(cell: Cell) -> None:
    require_cell(cell)
    if type(cell) not in CELLS:
        raise ValueError(
            f"flax nnx has no {type(cell).__name__} whose parameters can be converted: it has LSTM, GRU and Elman; "
            "convert the layers of a Stack or Bidirectional one by one."
        )
