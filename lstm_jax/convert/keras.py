"""Weights from and to the recurrent layers of Keras 3, as lists or in a file. Keras is not imported.

Source: the documentation of these layers and the files that ``model.save_weights`` writes (Keras 3). Kernels lie as
ours do. Gates: the LSTM's as ours, i f g o; the GRU's z r h where ours are r z n.

    ==============  ==========================================================================
    ours            Keras'
    ==============  ==========================================================================
    LSTM            LSTM
    GRU             GRU, reset_after=True (the default)
    ResetBeforeGRU  GRU, reset_after=False
    Elman           SimpleRNN
    ConvLSTM        ConvLSTM1D, 2D or 3D with padding="same", strides and dilation 1
    Bidirectional   Bidirectional; merge "concat", "sum" or "mean" is merge_mode "concat", "sum" or "ave"
    Stack           several layers, one after the other
    ==============  ==========================================================================

What is no weight is not carried over: activations and the settings in this table must agree. Keras' axes begin with
the batch, ours with time.
"""

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from lstm_jax.cell import Cell, DenseParams, Params
from lstm_jax.cells.conv_lstm import ConvLSTM, ConvLSTMParams
from lstm_jax.cells.elman import IRNN, Elman
from lstm_jax.cells.gru import GRU, GRUParams, ResetBeforeGRU
from lstm_jax.cells.lstm import LSTM
from lstm_jax.convert.entries import (
    brief,
    check_entries,
    check_params,
    own,
    plain,
    refuse_bias,
    require_cell,
    shape,
    swap,
)
from lstm_jax.wrappers.bidirectional import Bidirectional, BothDirections
from lstm_jax.wrappers.stack import Stack, StackParams

GATES: dict[type, int] = {LSTM: 4, ConvLSTM: 4, GRU: 3, ResetBeforeGRU: 3, Elman: 1, IRNN: 1}
WEIGHTS = ("kernel", "recurrent_kernel", "bias")
BOTH = ("forward_layer", "backward_layer")


def from_keras(cell: Cell, weights: Sequence[Any]) -> Params:
    """The parameters of ``cell`` from a layer's ``get_weights()``; for a `Stack`, those of its layers in one list.

    Each layer gives kernel, recurrent kernel and, with use_bias=True, bias; `Bidirectional` the forward ones first.

    Raises:
      ValueError: a weight is missing, not expected or of another shape, or Keras has no such cell.
      TypeError: ``weights`` is no list of arrays, as a layer itself.
    """
    require_cell(cell)
    leaves = _leaves(cell)
    if not isinstance(weights, Sequence) or isinstance(weights, str):
        raise TypeError(f"weights must be a list of arrays, got {type(weights).__name__}: pass layer.get_weights().")
    with_bias = len(weights) == 3 * len(leaves)
    if not with_bias and len(weights) != 2 * len(leaves):
        raise ValueError(
            f"weights holds {len(weights)} arrays where {3 * len(leaves)} ({', '.join(WEIGHTS)} of each layer and "
            f"direction), or {2 * len(leaves)} without biases, are needed, for {brief(cell)}."
        )
    names = [f"{path}{name}" for path, _ in leaves for name in WEIGHTS[: 2 + with_bias]]
    arrays = dict(zip(names, map(np.asarray, weights), strict=True))
    input_size = arrays[names[0]].shape[-2] if arrays[names[0]].ndim > 1 else 0
    check_entries("weights", cell, arrays, dict(_entries(cell, input_size, with_bias)))
    return _build(cell, arrays)


def to_keras(cell: Cell, params: Params, *, bias: bool = True) -> list[np.ndarray]:
    """The weights for ``layer.set_weights``, in the order of `from_keras`.

    ``bias=False``: for layers with use_bias=False; our biases must then be zero.

    Raises:
      ValueError: the parameters are not the cell's, or Keras has no such cell.
    """
    require_cell(cell)
    leaves = _leaves(cell)
    check_params(cell, params)
    own_params = _params_of(cell, params)
    weights = []
    for (_, leaf), p in zip(leaves, own_params, strict=True):
        arrays = _write(leaf, p)
        if not bias:
            refuse_bias("bias", arrays.pop(), "a Keras layer with use_bias=False")
        weights += map(plain, arrays)
    return weights


def from_keras_file(cell: Cell, path: str | Path, layers: str | Sequence[str]) -> Params:
    """The parameters of ``cell`` from a file that Keras' ``model.save_weights("name.weights.h5")`` wrote.

    ``layers``: the layer's name in the model, such as ``"lstm"``, or its group in the file, such as
    ``"layers/bidirectional"``; for a `Stack`, one for each of its layers.

    Raises:
      ValueError: as in `from_keras`, there is no such layer, or the file is none that Keras 3 wrote.
    """
    require_cell(cell)
    with _open(path, "r") as file:
        return from_keras(cell, [np.asarray(dataset) for dataset in _datasets(file, cell, layers)])


def to_keras_file(cell: Cell, params: Params, path: str | Path, layers: str | Sequence[str]) -> None:
    """Put parameters in the place of those of ``layers`` in a file that Keras wrote, for ``model.load_weights``.

    All else in the file stays as it is. ``layers`` as in `from_keras_file`.

    Raises:
      ValueError: as in `to_keras`, there is no such layer, or its weights have other shapes.
    """
    require_cell(cell)
    with _open(path, "r+") as file:
        datasets = _datasets(file, cell, layers)
        weights = to_keras(cell, params, bias=len(datasets) != 2 * len(_leaves(cell)))
        if len(datasets) != len(weights):
            raise ValueError(
                f"{path} has {len(datasets)} arrays in {layers!r} where {len(weights)} are needed, for {brief(cell)}."
            )
        found = {dataset.name: dataset for dataset in datasets}
        if len(found) != len(datasets):
            raise ValueError(f"layers must name different layers of {path}, each once, got {layers!r}.")
        check_entries(str(path), cell, found, dict(zip(found, weights, strict=True)))
        for dataset, array in zip(datasets, weights, strict=True):
            dataset[...] = array


def _leaves(cell: Cell, path: str = "") -> list[tuple[str, Any]]:
    """The cells that have weights, in Keras' order, each with where it is."""
    if isinstance(cell, Stack):
        return [leaf for i, part in enumerate(cell.cells) for leaf in _leaves(part, f"{path}layers.{i}.")]
    if isinstance(cell, Bidirectional):
        return _leaves(cell.forward, f"{path}forward.") + _leaves(cell.backward, f"{path}backward.")
    if type(cell) not in GATES:
        raise ValueError(f"Keras has no {type(cell).__name__}: it has LSTM, GRU, ResetBeforeGRU, Elman and ConvLSTM.")
    if isinstance(cell, ConvLSTM) and cell.peepholes:
        raise ValueError("Keras' ConvLSTM has no peepholes: the cell must have peepholes=False.")
    return [(path, cell)]


def _params_of(cell: Cell, params: Params) -> list[Params]:
    """The parameters of each of `_leaves`."""
    if isinstance(cell, Stack):
        return [p for part, q in zip(cell.cells, params.layers, strict=True) for p in _params_of(part, q)]
    if isinstance(cell, Bidirectional):
        return _params_of(cell.forward, params.forward) + _params_of(cell.backward, params.backward)
    return [params]


def _build(cell: Cell, arrays: dict[str, np.ndarray], path: str = "") -> Params:
    if isinstance(cell, Stack):
        return StackParams(tuple(_build(part, arrays, f"{path}layers.{i}.") for i, part in enumerate(cell.cells)))
    if isinstance(cell, Bidirectional):
        parts = (("forward.", cell.forward), ("backward.", cell.backward))
        return BothDirections(*(_build(part, arrays, path + name) for name, part in parts))
    return _read(cell, *(arrays.get(path + name) for name in WEIGHTS))


def _entries(
    cell: Cell, input_size: int, with_bias: bool, path: str = ""
) -> Iterator[tuple[str, jax.ShapeDtypeStruct]]:
    """The names and shapes of all weights."""
    if isinstance(cell, Stack):
        for i, part in enumerate(cell.cells):
            yield from _entries(part, input_size, with_bias, f"{path}layers.{i}.")
            input_size = part.output_size
    elif isinstance(cell, Bidirectional):
        yield from _entries(cell.forward, input_size, with_bias, f"{path}forward.")
        yield from _entries(cell.backward, input_size, with_bias, f"{path}backward.")
    else:
        kernel = (cell.kernel_size,) * len(cell.space) if isinstance(cell, ConvLSTM) else ()
        columns = GATES[type(cell)] * cell.hidden_size
        yield f"{path}kernel", shape(*kernel, input_size, columns)
        yield f"{path}recurrent_kernel", shape(*kernel, cell.hidden_size, columns)
        if with_bias:
            yield f"{path}bias", shape(2, columns) if isinstance(cell, GRU) else shape(columns)


def _read(cell: Any, kernel: Any, recurrent: Any, bias: Any) -> Params:
    if isinstance(cell, GRU | ResetBeforeGRU):
        kernel, recurrent = swap(kernel), swap(recurrent)
        bias = None if bias is None else swap(bias)
    w_x, w_h = own(cell, kernel), own(cell, recurrent)
    columns = kernel.shape[-1]
    if isinstance(cell, GRU):
        # Added up in float64, so that half precision is rounded once.
        b_x, b_h = np.zeros((2, columns)) if bias is None else np.asarray(bias, "float64")
        b_gates, b_hn = np.split(b_h, [2 * cell.hidden_size])
        b = b_x + np.concatenate([b_gates, np.zeros_like(b_hn)])
        return GRUParams(w_x=w_x, w_h=w_h, b=own(cell, b), b_hn=own(cell, b_hn))
    b = own(cell, np.zeros(columns) if bias is None else bias)
    if isinstance(cell, ConvLSTM):
        return ConvLSTMParams(w_x=w_x, w_h=w_h, b=b, p=None)
    return DenseParams(w_x=w_x, w_h=w_h, b=b)


def _write(cell: Cell, params: Params) -> list[np.ndarray]:
    arrays = [np.asarray(params.w_x), np.asarray(params.w_h), np.asarray(params.b)]
    if isinstance(cell, GRU):
        second = np.zeros_like(arrays[2])
        second[2 * cell.hidden_size :] = params.b_hn
        arrays[2] = np.stack([arrays[2], second])
    return [swap(a) for a in arrays] if isinstance(cell, GRU | ResetBeforeGRU) else arrays


def _open(path: str | Path, mode: str) -> Any:
    try:
        h5py: Any = importlib.import_module("h5py")
    except ImportError:
        raise ImportError("Keras' weight files need h5py: pip install 'lstm-jax[convert]'.") from None
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"There is no {path}: write it with model.save_weights, its name ending in .weights.h5."
        )
    try:
        return h5py.File(path, mode)
    except OSError as error:
        if error.errno is not None:  # the system's, such as of permissions
            raise
        raise ValueError(
            f"{path} is not a whole HDF5 file: it reads what model.save_weights('NAME.weights.h5') writes."
        ) from error


def _datasets(file: Any, cell: Cell, layers: str | Sequence[str]) -> list[Any]:
    """The datasets of the layers, in the order of `from_keras`."""
    layers = [layers] if isinstance(layers, str) else list(layers)
    count = len(cell.cells) if isinstance(cell, Stack) else 1
    if len(layers) != count:
        raise ValueError(f"layers must name {count} of the file, got {layers}, for {brief(cell)}.")
    groups = _recurrent_groups(file)
    if not groups:
        raise ValueError(
            f"{file.filename} has no recurrent layers: only .weights.h5 files of Keras 3 with LSTM, GRU, SimpleRNN, "
            "ConvLSTM or Bidirectional layers are read."
        )
    datasets = []
    for layer in layers:
        fitting = [group for group, name in groups.items() if layer in (group, name)]
        if len(fitting) != 1:
            known = ", ".join(f"{name!r} ({group})" for group, name in groups.items()) or "none"
            told = "no recurrent layer" if not fitting else f"{len(fitting)} recurrent layers"
            raise ValueError(f"{file.filename} has {told} called {layer!r}; there are: {known}.")
        group = file[fitting[0]]
        for part in [group[name] for name in BOTH] if BOTH[0] in group else [group]:
            weights = part["cell/vars"]
            datasets += [weights[number] for number in sorted(weights, key=int)]
    return datasets


def _recurrent_groups(group: Any, path: str = "") -> dict[str, str]:
    """The groups below one that are recurrent layers, each with the layer's name."""
    groups: dict[str, str] = {}
    for name, item in group.items():
        if not hasattr(item, "items"):  # an array
            continue
        if "cell/vars/0" in item or f"{BOTH[0]}/cell/vars/0" in item:
            groups[path + name] = str(item["vars"].attrs.get("name", name)) if "vars" in item else name
        else:
            groups |= _recurrent_groups(item, f"{path}{name}/")
    return groups
