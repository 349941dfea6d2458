"""What ONNX calls gates and activations, and what we call them: shared by reader and writer.

https://onnx.ai/onnx/operators: LSTM, GRU and RNN. What its text leaves open is taken as ONNX Runtime takes it: an alpha
or beta belongs to the next function in the list that has one.
"""

import importlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_jax.convert.entries import brief
from lstm_jax.options import one_of


@dataclass(frozen=True)
class Operator:
    """A recurrent operator of ONNX."""

    gates: str
    """Its gates in the order of its weights, by our names."""
    sees: str
    """The gates that have peepholes, in their order."""
    activations: tuple[str, ...]
    """The default ones of one direction."""
    states: tuple[str, ...]
    """The fields of the state."""
    inputs: tuple[str, ...]
    """The names of its inputs, in order."""


_INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h")
OPERATORS = {
    "LSTM": Operator("iofg", "iof", ("Sigmoid", "Tanh", "Tanh"), ("h", "c"), (*_INPUTS, "initial_c", "P")),
    "GRU": Operator("zrn", "", ("Sigmoid", "Tanh"), ("h",), _INPUTS),
    "RNN": Operator("h", "", ("Tanh",), ("h",), _INPUTS),
}

ONNX_DEFAULTS: dict[str, tuple[float | None, float | None]] = {
    "Relu": (None, None),
    "Tanh": (None, None),
    "Sigmoid": (None, None),
    "Affine": (math.nan, math.nan),  # has none
    "LeakyRelu": (0.01, None),
    "ThresholdedRelu": (1.0, None),
    "ScaledTanh": (math.nan, math.nan),  # has none
    "HardSigmoid": (0.2, 0.5),
    "Elu": (1.0, None),
    "Softsign": (None, None),
    "Softplus": (None, None),
}
"""Alpha and beta of each function that ONNX knows; None where it has no such number."""

SAME = (
    ("tanh", "Tanh", None, None),
    ("sigmoid", "Sigmoid", None, None),
    ("relu", "Relu", None, None),
    ("softsign", "Softsign", None, None),
    ("softplus", "Softplus", None, None),
    ("elu", "Elu", 1.0, None),
    ("leaky_relu", "LeakyRelu", 0.01, None),
    ("hard_sigmoid", "HardSigmoid", 1 / 6, 0.5),
    ("identity", "Affine", 1.0, 0.0),
    # Never written: the same functions by other names.
    ("relu", "ThresholdedRelu", 0.0, None),
    ("tanh", "ScaledTanh", 1.0, 1.0),
)
"""Our name, ONNX's, alpha, beta."""


def onnx_package() -> Any:
    """The package ``onnx``, or ImportError with how to get it."""
    try:
        return importlib.import_module("onnx")
    except ImportError as error:
        raise ImportError("ONNX files need the package onnx: pip install 'lstm-jax[convert]'.") from error


def our_activations(names: list[str], alphas: list[float], betas: list[float]) -> list[str]:
    """Our names of ONNX's functions; ValueError for the first one that is not exactly one of ours."""
    numbers = (iter(alphas), iter(betas))
    found = [_our_activation(name, *numbers) for name in names]
    for name, rest in zip(("activation_alpha", "activation_beta"), numbers, strict=True):
        left = len(list(rest))
        if left:
            raise ValueError(
                f"{name} has {left} more than the activations {names} take: give one number for each function that "
                "has one, in their order."
            )
    return found


def _our_activation(name: str, alphas: Iterator[float], betas: Iterator[float]) -> str:
    one_of("activation", name, ONNX_DEFAULTS)
    alpha, beta = (
        None if default is None else next(rest, default)
        for default, rest in zip(ONNX_DEFAULTS[name], (alphas, betas), strict=True)
    )
    rows = [row for row in SAME if row[1] == name]
    for ours, _, *exact in rows:
        # A node's numbers have gone through float32.
        if np.allclose(_numbers(alpha, beta), _numbers(*exact), rtol=1e-6, atol=0):
            return ours
    raise ValueError(
        f"The activation {_call(name, alpha, beta)} is none of ours: the nearest is {rows[0][0]!r}, which is "
        f"{_call(*rows[0][1:])}; only a node with that can be read."
    )


def _numbers(*values: float | None) -> list[float]:
    return [0.0 if value is None else value for value in values]


def _call(name: str, alpha: float | None, beta: float | None) -> str:
    numbers = (("alpha", alpha), ("beta", beta))
    told = [
        f"{key}={'missing' if math.isnan(value) else f'{value:.4g}'}" for key, value in numbers if value is not None
    ]
    return f"{name}({', '.join(told)})"


def onnx_activations(cell: Any, names: list[str]) -> dict[str, list]:
    """The attributes that name our activations ``names`` in ONNX; ValueError for one that it lacks."""
    rows = {row[0]: row[1:] for row in reversed(SAME)}
    for name in names:
        if name not in rows:
            raise ValueError(f"{brief(cell)} uses {name!r}, which ONNX has not: it has {', '.join(rows)}.")
    functions, alphas, betas = zip(*(rows[name] for name in names), strict=True)
    attributes = {"activations": list(functions)}
    for key, values in (("activation_alpha", alphas), ("activation_beta", betas)):
        attributes[key] = [value for value in values if value is not None]
    return attributes


def reorder(array: np.ndarray, order: str, wanted: str) -> np.ndarray:
    """Blocks along the first axis, one for each letter of ``order``, in the order ``wanted``."""
    blocks = dict(zip(order, np.split(array, len(order)), strict=True))
    return np.concatenate([blocks[name] for name in wanted])
