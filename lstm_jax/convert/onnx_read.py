"""The operators LSTM, GRU and RNN of ONNX as cells of ours with parameters.

| ONNX | ours |
|---|---|
| LSTM | `LSTM`; `PeepholeLSTM` for peepholes, ``input_forget``, ``clip``, or two functions in place of tanh |
| GRU | `GRU` (``linear_before_reset=1``) or `ResetBeforeGRU` (0, the default) |
| RNN | `Elman` |
| direction="bidirectional" | `Bidirectional` of two |

ONNX's gates come in the order i, o, f, c (peepholes: i, o, f) and z, r, h; its weights are transposed, its biases two.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from lstm_jax.cell import Array, Cell, DenseParams, HiddenState, Params, State
from lstm_jax.cells import GRU, LSTM, Elman, LSTMState, PeepholeLSTM, ResetBeforeGRU
from lstm_jax.cells.gru import GRUParams
from lstm_jax.cells.peephole import PeepholeParams
from lstm_jax.convert.onnx_names import OPERATORS, onnx_package, our_activations, reorder
from lstm_jax.driver import unroll
from lstm_jax.options import one_of
from lstm_jax.wrappers.bidirectional import Bidirectional, BothDirections

DIRECTIONS = ("forward", "reverse", "bidirectional")
_SETTINGS: dict[str, Any] = {
    "hidden_size": None,
    "direction": "forward",
    "activations": None,
    "activation_alpha": (),
    "activation_beta": (),
    "clip": None,
    "layout": 0,
}
_OWN_SETTINGS: dict[str, dict[str, Any]] = {"LSTM": {"input_forget": 0}, "GRU": {"linear_before_reset": 0}, "RNN": {}}


@dataclass(frozen=True)
class RecurrentNode:
    """A node of ONNX as a cell; `lstm_jax.unroll` runs it, with ``reverse=node.reverse``."""

    cell: Cell
    """Its settings."""
    params: Params
    """Its weights."""
    reverse: bool
    """Whether direction="reverse": the cell runs from the last step to the first."""
    batch_first: bool
    """Whether layout=1: the node's own inputs and outputs have the batch before the time, ours never."""


def read_node(node: Any, arrays: Mapping[str, Any]) -> RecurrentNode:
    """The cell of one node.

    Args:
      node: an `onnx.NodeProto` of the operator LSTM, GRU or RNN.
      arrays: the node's weights by the names that its inputs W, R, B, P have in the graph, in ONNX's layout:
        ``W [directions, G*H, D]``, ``R [directions, G*H, H]``, ``B [directions, 2*G*H]``, ``P [directions, 3*H]``.

    Raises:
      ValueError: no cell of ours does what the node says, or its arrays do not fit; the sentence says why.
      ImportError: the package onnx is not installed.
    """
    settings = _settings(node)
    directions = 2 if settings["direction"] == "bidirectional" else 1
    weights = _weights(node, settings, directions, arrays)
    op = OPERATORS[node.op_type]
    names = list(op.activations) * directions if settings["activations"] is None else settings["activations"]
    if len(names) != len(op.activations) * directions:
        raise ValueError(
            f"{_name(node)} needs {len(op.activations) * directions} activations, {len(op.activations)} for each of "
            f"its {directions} direction(s), but has {names}."
        )
    ours = our_activations(names, list(settings["activation_alpha"]), list(settings["activation_beta"]))
    parts = []
    for k in range(directions):
        squash = ours[k * len(op.activations) : (k + 1) * len(op.activations)]
        one = {name: None if array is None else array[k] for name, array in weights.items()}
        parts.append(_CELLS[node.op_type](node, settings, squash, **one))
    cell, params = parts[0]
    if directions == 2:
        cell, params = Bidirectional(cell, parts[1][0]), BothDirections(params, parts[1][1])
    return RecurrentNode(cell, params, settings["direction"] == "reverse", bool(settings["layout"]))


def run_node(node: Any, arrays: Mapping[str, Any]) -> tuple[Array, ...]:
    """The outputs of one node: ``(Y, Y_h, Y_c)`` of an LSTM, ``(Y, Y_h)`` of a GRU or RNN, in ONNX's shapes.

    ``Y [T, directions, B, H]``, ``Y_h`` and ``Y_c [directions, B, H]``, or with layout=1 ``Y [B, T, directions, H]``,
    ``Y_h`` and ``Y_c [B, directions, H]``. A row of length 0 returns its initial state (ONNX Runtime: zeros).

    Args:
      node: an `onnx.NodeProto` of the operator LSTM, GRU or RNN.
      arrays: all its inputs by their names in the graph: the weights that `read_node` takes, ``X [T, B, D]`` (with
        layout=1 ``[B, T, D]``), and if it has them ``sequence_lens [B]``, ``initial_h`` and ``initial_c``.

    Raises:
      ValueError: as `read_node`.
    """
    read = read_node(node, arrays)
    fields = OPERATORS[node.op_type].states
    axis = 1 if read.batch_first else 0
    both: Any = read.cell if isinstance(read.cell, Bidirectional) else None
    xs = _input(node, arrays, "X", required=True)
    if np.ndim(xs) != 3:
        raise ValueError(f"X of {_name(node)} must have 3 axes, but has shape {list(np.shape(xs))}.")
    xs = jnp.asarray(xs).swapaxes(0, axis)
    shape = [2 if both else 1, (both.forward if both else read.cell).hidden_size]
    shape.insert(1 - axis, xs.shape[1])
    before = {}
    for field in fields:
        value = _input(node, arrays, f"initial_{field}")
        if value is not None and list(np.shape(value)) != shape:
            raise ValueError(
                f"initial_{field} of {_name(node)} must have shape {shape}, but has {list(np.shape(value))}."
            )
        before[field] = jnp.zeros(shape, xs.dtype) if value is None else jnp.asarray(value)

    def state_of(direction: int) -> State:
        kind: Any = LSTMState if "c" in fields else HiddenState
        return kind(**{field: jnp.take(value, direction, axis=axis) for field, value in before.items()})

    state = BothDirections(state_of(0), state_of(1)) if both else state_of(0)
    lengths = _input(node, arrays, "sequence_lens")
    ys, last = unroll(read.cell, read.params, xs, state, lengths=lengths, reverse=read.reverse)
    lasts = (last.forward, last.backward) if both else (last,)
    ys = ys.reshape(*ys.shape[:2], len(lasts), shape[-1])
    ys = ys.swapaxes(0, 1) if read.batch_first else ys.swapaxes(1, 2)
    return ys, *(jnp.stack([getattr(one, field) for one in lasts], axis=axis) for field in fields)


def read_onnx(model: Any) -> tuple[RecurrentNode, ...]:
    """The cells of all recurrent nodes of a model, in the graph's order; what else is in it is not looked at.

    Args:
      model: the path of a file, or an `onnx.ModelProto`.

    Raises:
      ValueError: as `read_node`; also where the file is no model, or a weight is no initializer of the graph, but
        computed in it.
    """
    onnx = onnx_package()
    graph = (_load(onnx, model) if isinstance(model, str | Path) else model).graph
    arrays = {array.name: onnx.numpy_helper.to_array(array) for array in graph.initializer}
    return tuple(read_node(node, arrays) for node in graph.node if _is_ours(node))


def _load(onnx: Any, path: str | Path) -> Any:
    # By the ending of its name a file may also be text or JSON.
    parsers = [importlib.import_module(f"google.protobuf.{name}") for name in ("message", "text_format", "json_format")]
    wrong: tuple[type[Exception], ...] = (UnicodeDecodeError, *(parser.Error for parser in parsers))
    sentence = f"{path} is no ONNX file: write one with onnx.save or torch.onnx.export."
    try:
        model = onnx.load(str(path))
    except wrong as error:
        raise ValueError(sentence) from error
    # An empty file is a message without fields.
    if not model.ir_version:
        raise ValueError(sentence)
    return model


def _is_ours(node: Any) -> bool:
    return node.op_type in OPERATORS and node.domain in ("", "ai.onnx")


def _name(node: Any) -> str:
    return f"the {node.op_type} node {node.name!r}" if node.name else f"the {node.op_type} node"


def _settings(node: Any) -> dict[str, Any]:
    """All attributes of the operator, with ONNX's defaults where the node has none."""
    onnx = onnx_package()
    if not _is_ours(node):
        one_of("op_type", node.op_type, OPERATORS)
        raise ValueError(f"{_name(node)} is of the domain {node.domain!r}: only ONNX's own operators can be read.")
    settings = _SETTINGS | _OWN_SETTINGS[node.op_type]
    for attribute in node.attribute:
        one_of("attribute", attribute.name, settings)
        settings[attribute.name] = _text(onnx.helper.get_attribute_value(attribute))
    one_of("direction", settings["direction"], DIRECTIONS)
    if settings["clip"] is not None and node.op_type != "LSTM":
        cell = {"GRU": "GRU", "RNN": "Elman"}[node.op_type]
        raise ValueError(f"{_name(node)} has clip={settings['clip']:.4g}, but {cell} cannot clip: only an LSTM can.")
    return settings


def _text(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    return [_text(item) for item in value] if isinstance(value, list) else value


def _input(node: Any, arrays: Mapping[str, Any], role: str, *, required: bool = False) -> Any:
    """The array in that role; None where the node leaves it out."""
    place = OPERATORS[node.op_type].inputs.index(role)
    name = node.input[place] if place < len(node.input) else ""
    if name and name in arrays:
        return arrays[name]
    if name or required:
        raise ValueError(
            f"{role} of {_name(node)}, {name!r}, is not among the arrays {sorted(arrays)}: pass it with them; what "
            "the graph itself computes must first be folded into an initializer."
        )
    return None


def _weights(node: Any, settings: dict, directions: int, arrays: Mapping[str, Any]) -> dict[str, np.ndarray | None]:
    """W, R, B, P with their shapes checked; B zeros where there is none, P None."""
    op = OPERATORS[node.op_type]
    w, r = (np.asarray(_input(node, arrays, role, required=True)) for role in "WR")
    b, p = (_input(node, arrays, role) if role in op.inputs else None for role in "BP")
    hidden, inputs = settings["hidden_size"] or np.atleast_1d(r).shape[-1], w.shape[-1:]
    rows = len(op.gates) * hidden
    shapes = {"W": (rows, *inputs), "R": (rows, hidden), "B": (2 * rows,), "P": (len(op.sees) * hidden,)}
    found = {
        "W": w,
        "R": r,
        "B": np.zeros((directions, 2 * rows), w.dtype) if b is None else np.asarray(b),
        "P": None if p is None else np.asarray(p),
    }
    for role, array in found.items():
        if array is not None and array.shape != (directions, *shapes[role]):
            raise ValueError(
                f"{role} of {_name(node)} must have shape {[directions, *shapes[role]]}, for direction="
                f"{settings['direction']!r} and hidden_size {hidden}, but has {list(array.shape)}."
            )
    return found


def _lstm(
    node: Any, settings: dict, squash: list[str], *, W: np.ndarray, R: np.ndarray, B: np.ndarray, P: np.ndarray | None
) -> tuple[Cell, Params]:
    order = OPERATORS[node.op_type].gates
    gate, cell_input, cell_output = squash
    coupled, clip = bool(settings["input_forget"]), settings["clip"]
    w_x, w_h, b = (
        jnp.asarray(reorder(v, order, "igo" if coupled else "ifgo").T) for v in (W, R, np.add(*np.split(B, 2)))
    )
    hidden, dtype = w_h.shape[0], w_h.dtype.name
    if P is None and not coupled and clip is None and cell_input == cell_output:
        cell = LSTM(hidden, activation=cell_input, gate_activation=gate, param_dtype=dtype)
        return cell, DenseParams(w_x=w_x, w_h=w_h, b=b)
    cell = PeepholeLSTM(
        hidden,
        peepholes=P is not None,
        coupled=coupled,
        clip=clip,
        activation=cell_input,
        output_activation=cell_output,
        gate_activation=gate,
        param_dtype=dtype,
    )
    p = np.zeros(0, W.dtype) if P is None else reorder(P, OPERATORS[node.op_type].sees, "io" if coupled else "ifo")
    return cell, PeepholeParams(w_x=w_x, w_h=w_h, b=b, p=jnp.asarray(p))


def _gru(
    node: Any, settings: dict, squash: list[str], *, W: np.ndarray, R: np.ndarray, B: np.ndarray, P: None
) -> tuple[Cell, Params]:
    del P
    if squash != ["sigmoid", "tanh"]:
        raise ValueError(f"{_name(node)} has the activations {squash}, but GRU knows sigmoid and tanh alone.")
    order = OPERATORS[node.op_type].gates
    w_x, w_h, b_x, b_h = (reorder(v, order, "rzn").T for v in (W, R, *np.split(B, 2)))
    hidden = len(R[0])
    weights = {"w_x": jnp.asarray(w_x), "w_h": jnp.asarray(w_h)}
    dtype = weights["w_x"].dtype.name
    if not settings["linear_before_reset"]:
        return ResetBeforeGRU(hidden, param_dtype=dtype), DenseParams(**weights, b=jnp.asarray(b_x + b_h))
    # The candidate's recurrent bias stays inside the reset.
    b_gates, b_hn = np.split(b_h, [2 * hidden])
    b = b_x + np.concatenate([b_gates, np.zeros_like(b_hn)])
    return GRU(hidden, param_dtype=dtype), GRUParams(**weights, b=jnp.asarray(b), b_hn=jnp.asarray(b_hn))


def _rnn(
    node: Any, settings: dict, squash: list[str], *, W: np.ndarray, R: np.ndarray, B: np.ndarray, P: None
) -> tuple[Cell, Params]:
    del node, settings, P
    w_x, w_h, b = (jnp.asarray(v.T) for v in (W, R, np.add(*np.split(B, 2))))
    return Elman(len(R), activation=squash[0], param_dtype=w_h.dtype.name), DenseParams(w_x=w_x, w_h=w_h, b=b)


_CELLS: dict[str, Callable[..., tuple[Cell, Params]]] = {"LSTM": _lstm, "GRU": _gru, "RNN": _rnn}
