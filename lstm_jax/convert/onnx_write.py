"""Cells as an ONNX model of its native operators LSTM, GRU and RNN, one a layer.

The inverse of `lstm_jax.convert.onnx_read`, whose table it shares. Opset 17, which ONNX Runtime reads since 1.12.
"""

from collections.abc import Callable
from itertools import zip_longest
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax.cell import Cell, Params
from lstm_jax.cells import CIFG, GRU, IRNN, LSTM, NIAF, NOAF, NP, Elman, PeepholeLSTM, ResetBeforeGRU
from lstm_jax.convert.entries import brief, check_params, input_size_of, require_cell
from lstm_jax.convert.onnx_names import OPERATORS, onnx_activations, onnx_package, reorder
from lstm_jax.wrappers import Bidirectional, Stack

OPSET, IR_VERSION = 17, 8
_KNOWN = "LSTM, PeepholeLSTM, GRU, ResetBeforeGRU, Elman, a Bidirectional that concatenates, and a Stack of these"


def write_onnx(cell: Cell, params: Params, *, lengths: bool = False, initial_state: bool = False) -> Any:
    """The cell and its parameters as an `onnx.ModelProto`; `onnx.save` writes it to a file.

    The model computes what ``unroll(cell, params, xs, state, lengths=...)`` does without a key, in the parameters' own
    dtype, for any T and B. Its inputs are ``xs [T, B, D]``; with ``lengths`` also ``lengths [B]`` (int32; rows of
    length 0 end in zeros in ONNX Runtime, whatever the state was); with ``initial_state`` also ``initial_h.0``,
    ``initial_c.0`` and so on, one a field and layer. Its outputs are ``ys [T, B, features]`` and the last states
    ``h.0``, ``c.0`` and so on. States have ONNX's shape ``[directions, B, H]``, the forward direction first.

    Raises:
      ValueError: ONNX has no operator for the cell, or ``params`` are not the cell's; the sentence says why.
      ImportError: the package onnx is not installed.
    """
    onnx = onnx_package()
    require_cell(cell)
    cells = cell.cells if isinstance(cell, Stack) else (cell,)
    layers = [_layer(one) for one in cells]
    check_params(cell, params)
    size, leaves = input_size_of(params), jax.tree.leaves(params)
    dtypes = {jnp.dtype(leaf.dtype).name for leaf in leaves}
    dtypes |= {jnp.dtype(one.dtype).name for directions in layers for one in directions if one.dtype is not None}
    if len(dtypes) != 1 or not dtypes <= {"float32", "float64"}:
        raise ValueError(
            "An ONNX model computes in one dtype, float32 or float64, but the dtypes of parameters and cells are "
            f"{sorted(dtypes)}: cast the parameters, and leave the cells' dtype at None."
        )
    graph = _Graph(onnx, onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtypes.pop())), lengths, initial_state)
    value = graph.input("xs", ["T", "B", size])
    given = params.layers if isinstance(cell, Stack) else (params,)
    for number, (directions, own) in enumerate(zip(layers, given, strict=True)):
        parts = (own.forward, own.backward) if len(directions) == 2 else (own,)
        value = graph.layer(number, value, directions, parts, last=number + 1 == len(layers))
    return graph.model(cell.output_size)


def _layer(cell: Cell) -> tuple[Any, ...]:
    """The cells of a layer, one a direction, once it is sure that one node can be all of them."""
    if not isinstance(cell, Bidirectional):
        _node_of(cell)
        return (cell,)
    if cell.merge != "concat":
        raise ValueError(f"ONNX joins both directions by concatenation, not by merge={cell.merge!r}.")
    pair: tuple[Any, ...] = (cell.forward, cell.backward)
    forward, backward = (_node_of(one) for one in pair)
    if forward != backward or pair[0].hidden_size != pair[1].hidden_size:
        raise ValueError(
            "A bidirectional node of ONNX has the same operator, hidden size and options both ways, unlike "
            f"{brief(cell.forward)} and {brief(cell.backward)}."
        )
    return pair


def _node_of(cell: Any) -> tuple[str, dict[str, Any]]:
    """The operator and the attributes that both directions share; ValueError where ONNX has none."""
    kind = type(cell)
    if kind not in _WEIGHTS:
        raise ValueError(f"ONNX has no operator for {brief(cell)}: it can hold {_KNOWN}.")
    onnx_activations(cell, _activations(cell))
    if issubclass(kind, PeepholeLSTM):
        if cell.without:
            raise ValueError(f"ONNX's LSTM has all its gates, unlike {brief(cell)} with without={cell.without}.")
        clip = {} if cell.clip is None else {"clip": float(cell.clip)}
        return "LSTM", {"input_forget": int(cell.coupled), **clip}
    if kind in (GRU, ResetBeforeGRU):
        return "GRU", {"linear_before_reset": int(kind is GRU)}
    return ("LSTM", {"input_forget": 0}) if kind is LSTM else ("RNN", {})


def _activations(cell: Any) -> list[str]:
    if isinstance(cell, PeepholeLSTM):
        return [cell.gate_activation, cell.activation, cell.output_activation]
    if isinstance(cell, LSTM):
        return [cell.gate_activation, cell.activation, cell.activation]
    return [cell.activation] if isinstance(cell, Elman) else ["sigmoid", "tanh"]


def _numbers(tree: Any) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in vars(tree).items()}


def _lstm_weights(cell: Any, params: Any) -> tuple[np.ndarray, ...]:
    """W, R, B and, if the cell sees its state, P, of one direction in ONNX's layout."""
    v = _numbers(params)
    coupled, hidden = isinstance(cell, PeepholeLSTM) and cell.coupled, cell.hidden_size
    order, wanted = "ifgo", OPERATORS["LSTM"].gates

    def rows(array: np.ndarray, order: str, wanted: str) -> np.ndarray:
        # Coupled there is no gate f to learn; ONNX has a place for it and does not look.
        if coupled:
            array, order = np.concatenate([array, np.zeros_like(array[:hidden])]), order.replace("f", "") + "f"
        return reorder(array, order, wanted)

    w, r, b = (rows(v[name].T, order, wanted) for name in ("w_x", "w_h", "b"))
    p = (rows(v["p"], "ifo", OPERATORS["LSTM"].sees),) if isinstance(cell, PeepholeLSTM) and cell.peepholes else ()
    return w, r, np.concatenate([b, np.zeros_like(b)]), *p


def _gru_weights(cell: Any, params: Any) -> tuple[np.ndarray, ...]:
    """W, R, B of one direction in ONNX's layout."""
    v = _numbers(params)
    w, r, b = (reorder(v[name].T, "rzn", OPERATORS["GRU"].gates) for name in ("w_x", "w_h", "b"))
    b_h = np.zeros_like(b)
    if isinstance(cell, GRU):
        b_h[2 * cell.hidden_size :] = v["b_hn"]
    return w, r, np.concatenate([b, b_h])


def _rnn_weights(cell: Any, params: Any) -> tuple[np.ndarray, ...]:
    """W, R, B in ONNX's layout."""
    del cell
    v = _numbers(params)
    return v["w_x"].T, v["w_h"].T, np.concatenate([v["b"], np.zeros_like(v["b"])])


_WEIGHTS: dict[type, Callable[[Any, Any], tuple[np.ndarray, ...]]] = {
    **dict.fromkeys((LSTM, PeepholeLSTM, CIFG, NIAF, NOAF, NP), _lstm_weights),
    **dict.fromkeys((GRU, ResetBeforeGRU), _gru_weights),
    **dict.fromkeys((Elman, IRNN), _rnn_weights),
}
"""By the exact class: one derived from it may compute something else."""


class _Graph:
    """A graph in the making."""

    def __init__(self, onnx: Any, dtype: int, lengths: bool, initial_state: bool) -> None:
        self.onnx, self.dtype, self.initial_state = onnx, dtype, initial_state
        self.nodes, self.arrays, self.inputs, self.outputs = [], [], [], []
        self.lengths = lengths

    def input(self, name: str, shape: list) -> str:
        self.inputs.append(self.onnx.helper.make_tensor_value_info(name, self.dtype, shape))
        return name

    def array(self, name: str, values: Any) -> str:
        self.arrays.append(self.onnx.numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> None:
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, outputs, name=f"{kind}.{outputs[0]}", **attributes))

    def layer(self, number: int, xs: str, cells: tuple, params: tuple, *, last: bool) -> str:
        """Add a layer; the name of its outputs ``[T, B, directions * H]``."""
        kind, attributes = _node_of(cells[0])
        op, hidden = OPERATORS[kind], cells[0].hidden_size
        weights = [_WEIGHTS[type(cell)](cell, own) for cell, own in zip(cells, params, strict=True)]
        given = {"X": xs}
        for role, parts in zip("WRBP", zip_longest(*weights), strict=False):
            # Where one direction alone has peepholes those of the other are zero.
            like = next(part for part in parts if part is not None)
            both = np.stack([np.zeros_like(like) if part is None else part for part in parts])
            given[role] = self.array(f"{role}.{number}", both)
        if self.lengths:
            given["sequence_lens"] = "lengths"
        states = [f"{field}.{number}" for field in op.states]
        for field, state in zip(op.states, states, strict=True):
            shape = [len(cells), "B", hidden]
            self.outputs.append(self.onnx.helper.make_tensor_value_info(state, self.dtype, shape))
            if self.initial_state:
                given[f"initial_{field}"] = self.input(f"initial_{state}", shape)
        for key, values in onnx_activations(cells, [name for cell in cells for name in _activations(cell)]).items():
            attributes |= {key: values} if values else {}
        direction = "bidirectional" if len(cells) == 2 else "forward"
        inputs = [given.get(role, "") for role in op.inputs]
        self.node(kind, inputs, [f"Y.{number}", *states], hidden_size=hidden, direction=direction, **attributes)
        ys = "ys" if last else f"ys.{number}"
        if len(cells) == 1:
            self.node("Squeeze", [f"Y.{number}", self.array(f"axes.{number}", np.array([1]))], [ys])
        else:
            self.node("Transpose", [f"Y.{number}"], [f"Y.{number}.t"], perm=[0, 2, 1, 3])
            shape = self.array(f"shape.{number}", np.array([0, 0, len(cells) * hidden]))
            self.node("Reshape", [f"Y.{number}.t", shape], [ys])
        return ys

    def model(self, features: int) -> Any:
        helper = self.onnx.helper
        if self.lengths:
            self.inputs.insert(1, helper.make_tensor_value_info("lengths", self.onnx.TensorProto.INT32, ["B"]))
        ys = helper.make_tensor_value_info("ys", self.dtype, ["T", "B", features])
        graph = helper.make_graph(self.nodes, "lstm_jax", self.inputs, [ys, *self.outputs], self.arrays)
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="lstm_jax")
