"""Parameters from and to the state dicts of PyTorch's ``nn.LSTM``, ``nn.GRU`` and ``nn.RNN``. PyTorch is not imported.

Source: the documentation of these modules (torch 2). Gates lie as ours do, i f g o and r z n, one below the other:
weights are transposed. There are two biases where ours is their sum; the GRU's candidate keeps both.

    ============  =======================================================================
    ours          PyTorch's
    ============  =======================================================================
    LSTM          nn.LSTM
    ProjectedLSTM nn.LSTM with proj_size
    GRU           nn.GRU
    Elman         nn.RNN, nonlinearity "tanh" or "relu"
    Bidirectional of two equal cells: bidirectional=True
    Stack         of equal layers: num_layers
    ============  =======================================================================
"""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from lstm_jax.cell import Cell, DenseParams, Params
from lstm_jax.cells.elman import IRNN, Elman
from lstm_jax.cells.gru import GRU, GRUParams
from lstm_jax.cells.lstm import LSTM
from lstm_jax.cells.projected import ProjectedLSTM, ProjectedParams
from lstm_jax.convert.entries import (
    brief,
    check_entries,
    check_params,
    own,
    plain,
    refuse_bias,
    require_cell,
    shape,
)
from lstm_jax.wrappers.bidirectional import Bidirectional, BothDirections
from lstm_jax.wrappers.stack import Stack, StackParams

GATES: dict[type, int] = {LSTM: 4, ProjectedLSTM: 4, GRU: 3, Elman: 1, IRNN: 1}


def from_torch(cell: Cell, state_dict: Mapping[str, Any], *, prefix: str = "") -> Params:
    """The parameters of ``cell`` from a module's ``state_dict()``: names to tensors or NumPy arrays.

    Args:
      cell: one that has the module's sizes; see the table above. Its ``param_dtype`` is that of the result.
      state_dict: ``weight_ih_l0 [G*H, D]`` and so on; without any bias (``bias=False``) ours are zero.
      prefix: of the module's entries among others, with its dot, such as ``"encoder.rnn."``.

    Raises:
      ValueError: an entry is missing, not expected or of another shape, or PyTorch has no such cell.
      TypeError: ``state_dict`` maps no names, as a module itself.
    """
    layers = _layers(cell)
    if not isinstance(state_dict, Mapping):
        raise TypeError(
            f"state_dict must map names to tensors, got {type(state_dict).__name__}: pass module.state_dict()."
        )
    arrays = {name.removeprefix(prefix): _array(v) for name, v in state_dict.items() if name.startswith(prefix)}
    whose = f"state_dict under {prefix!r}" if prefix else "state_dict"
    first = arrays.get("weight_ih_l0")
    if first is None:
        others = [name.removesuffix("weight_ih_l0") for name in state_dict if name.endswith("weight_ih_l0")]
        prefixes = " or ".join(f'prefix="{other}"' for other in others)
        hint = f"pass {prefixes or 'that of an nn.LSTM, nn.GRU or nn.RNN'}"
        raise ValueError(f"{whose} has no weight_ih_l0 [G*H, D]; it has {', '.join(arrays) or 'no entries'}: {hint}.")
    if first.ndim != 2:
        raise ValueError(f"{whose} has weight_ih_l0 {list(first.shape)} where [G*H, D] is needed.")
    bias = any(name.startswith("bias_") for name in arrays)
    check_entries(whose, cell, arrays, _entries(layers, first.shape[1], bias))
    params = []
    for number, parts in enumerate(layers):
        done = [_read(part, arrays, suffix) for part, suffix in zip(parts, _suffixes(number), strict=False)]
        params.append(BothDirections(*done) if len(done) == 2 else done[0])
    return StackParams(tuple(params)) if isinstance(cell, Stack) else params[0]


def to_torch(cell: Cell, params: Params, *, prefix: str = "", bias: bool = True) -> dict[str, np.ndarray]:
    """The state dict of a PyTorch module with the parameters of ``cell``, as NumPy arrays.

    Load it by ``module.load_state_dict({name: torch.from_numpy(a) for name, a in arrays.items()})``. The second bias
    is zero, but for the GRU's candidate. ``bias=False``: without biases, which must then be zero.

    Raises:
      ValueError: the parameters are not the cell's, or PyTorch has no such cell.
    """
    layers = _layers(cell)
    check_params(cell, params)
    inner = params.layers if isinstance(cell, Stack) else (params,)
    of_parts = [[p.forward, p.backward] if isinstance(p, BothDirections) else [p] for p in inner]
    arrays: dict[str, np.ndarray] = {}
    for number, (parts, own_params) in enumerate(zip(layers, of_parts, strict=True)):
        for part, p, suffix in zip(parts, own_params, _suffixes(number), strict=False):
            arrays |= {f"{prefix}{name}_{suffix}": plain(a) for name, a in _write(part, p, bias).items()}
    return arrays


def _layers(cell: Cell) -> list[list[Cell]]:
    """The cells of each layer, one or two directions; all of them PyTorch's, and equal."""
    require_cell(cell)
    layers = []
    for layer in cell.cells if isinstance(cell, Stack) else (cell,):
        if isinstance(layer, Bidirectional):
            if layer.merge != "concat":
                raise ValueError(f'PyTorch concatenates both directions: merge must be "concat", got {layer.merge!r}.')
            layers.append([layer.forward, layer.backward])
        else:
            layers.append([layer])
    every = [part for parts in layers for part in parts]
    for part in every:
        _check_cell(part)
    kinds = {(GATES[type(p)], p.hidden_size, p.output_size, getattr(p, "activation", "tanh")) for p in every}
    if len(kinds) > 1 or len({len(parts) for parts in layers}) > 1:
        raise ValueError(f"PyTorch has layers and directions of one kind and size only, got {brief(cell)}.")
    return layers


def _check_cell(cell: Cell) -> None:
    if type(cell) not in GATES:
        raise ValueError(f"PyTorch has no {type(cell).__name__}: it has LSTM, ProjectedLSTM, GRU and Elman.")
    settings = {
        "activation": ("tanh", "relu") if isinstance(cell, Elman) else ("tanh",),
        "gate_activation": ("sigmoid",),
        "cell_clip": (None,),
        "projection_clip": (None,),
    }
    for setting, theirs in settings.items():
        if hasattr(cell, setting) and getattr(cell, setting) not in theirs:
            known = " or ".join(map(repr, theirs))
            raise ValueError(f"PyTorch has {setting} {known} only, but {brief(cell)} has {getattr(cell, setting)!r}.")


def _suffixes(layer: int) -> tuple[str, str]:
    return f"l{layer}", f"l{layer}_reverse"


def _entries(layers: list[list[Cell]], input_size: int, bias: bool) -> dict[str, jax.ShapeDtypeStruct]:
    """The names and shapes of the whole state dict."""
    entries = {}
    for number, parts in enumerate(layers):
        for cell, suffix in zip(parts, _suffixes(number), strict=False):
            rows = GATES[type(cell)] * cell.hidden_size
            entries[f"weight_ih_{suffix}"] = shape(rows, input_size)
            entries[f"weight_hh_{suffix}"] = shape(rows, cell.output_size)
            entries |= {f"bias_{name}_{suffix}": shape(rows) for name in ("ih", "hh") if bias}
            if isinstance(cell, ProjectedLSTM):
                entries[f"weight_hr_{suffix}"] = shape(cell.output_size, cell.hidden_size)
        input_size = sum(cell.output_size for cell in parts)
    return entries


def _read(cell: Cell, arrays: Mapping[str, np.ndarray], suffix: str) -> Params:
    w_x, w_h = (own(cell, arrays[f"weight_{name}_{suffix}"].T) for name in ("ih", "hh"))
    rows = w_x.shape[1]
    # Added up in float64, so that half precision is rounded once.
    b_x, b_h = (np.asarray(arrays.get(f"bias_{name}_{suffix}", np.zeros(rows)), "float64") for name in ("ih", "hh"))
    if isinstance(cell, GRU):
        b_gates, b_hn = np.split(b_h, [2 * cell.hidden_size])
        b = b_x + np.concatenate([b_gates, np.zeros_like(b_hn)])
        return GRUParams(w_x=w_x, w_h=w_h, b=own(cell, b), b_hn=own(cell, b_hn))
    b = own(cell, b_x + b_h)
    if isinstance(cell, ProjectedLSTM):
        return ProjectedParams(w_x=w_x, w_h=w_h, b=b, w_p=own(cell, arrays[f"weight_hr_{suffix}"].T))
    return DenseParams(w_x=w_x, w_h=w_h, b=b)


def _write(cell: Cell, params: Params, bias: bool) -> dict[str, np.ndarray]:
    arrays = {"weight_ih": np.asarray(params.w_x).T, "weight_hh": np.asarray(params.w_h).T}
    b = np.asarray(params.b)
    second = np.zeros_like(b)
    if isinstance(cell, GRU):
        second[2 * cell.hidden_size :] = params.b_hn
    if bias:
        arrays |= {"bias_ih": b, "bias_hh": second}
    else:
        refuse_bias("bias", np.concatenate([b, second]), "PyTorch's module with bias=False")
    if isinstance(cell, ProjectedLSTM):
        arrays["weight_hr"] = np.asarray(params.w_p).T
    return arrays


def _array(value: Any) -> np.ndarray:
    """A tensor, which may need gradients, lie on an accelerator or be of bfloat16, or an array."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float() if str(value.dtype) == "torch.bfloat16" else value
    return np.asarray(value)
