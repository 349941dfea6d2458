"""ONNX's recurrent operators, read as our cells, against ONNX Runtime, on random nodes with random weights.

``ONNX_CASES`` is their number (default 500). Four in a row share the node's attributes and shapes, because those are
compiled anew; weights, inputs, lengths and states differ in each.

Where ONNX Runtime leaves ONNX's text, or the text is silent (seen in 1.23):

- a row of length 0 ends in zeros, whatever its initial state; ours ends in the initial state, on which no step acted;
- it clips what makes a gate, but not the cell state on its way through the last activation, which is one, too;
- it knows no layout=1: the same case is given to it with the axes exchanged;
- its Softplus is log(1 + exp(x)), which is infinite above 88, and so is what is made of it: such a case proves nothing.
"""

import os
from dataclasses import dataclass, replace

import jax
import numpy as np
import pytest
from onnx import helper

from lstm_jax.convert.onnx import run_node
from peers.onnx_runtime import Session, one_node

CASES = int(os.environ.get("ONNX_CASES", "500"))
ALIKE = 4
KINDS_IN_MEMORY = 50  # compiled programs use up a process's memory maps
SHARES = {"LSTM": 0.5, "GRU": 0.25, "RNN": 0.25}
SHAPES = ((6, 4, 3, 5), (9, 2, 1, 4), (3, 3, 2, 1), (1, 1, 4, 3))
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
LASTS = {"LSTM": ("h", "c"), "GRU": ("h",), "RNN": ("h",)}
INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")

# Name, alpha, beta; None where the function has none; a pair: given, or left to ONNX's default.
FUNCTIONS = (
    ("Tanh", None, None),
    ("Sigmoid", None, None),
    ("Relu", None, None),
    ("Softsign", None, None),
    ("Softplus", None, None),
    ("Elu", 1.0, None),
    ("Elu", "default", None),
    ("LeakyRelu", 0.01, None),
    ("LeakyRelu", "default", None),
    ("HardSigmoid", 1 / 6, 0.5),
    ("Affine", 1.0, 0.0),
    ("ThresholdedRelu", 0.0, None),
    ("ScaledTanh", 1.0, 1.0),
)
# For gates: others let a state grow beyond all bounds, and rounding with it.
BOUNDED = tuple(row for row in FUNCTIONS if row[0] in {"Tanh", "Sigmoid", "Softsign", "HardSigmoid", "ScaledTanh"})


@dataclass(frozen=True)
class Kind:
    """What the compiled program depends on."""

    op: str
    direction: str
    layout: int
    shape: tuple[int, int, int, int]
    given: frozenset
    attributes: tuple

    @property
    def directions(self):
        return 2 if self.direction == "bidirectional" else 1

    @property
    def node(self):
        names = INPUTS if self.op == "LSTM" else INPUTS[:6]
        return helper.make_node(
            self.op,
            [name if name in self.given else "" for name in names],
            ["Y", *(f"Y_{field}" for field in LASTS[self.op])],
            hidden_size=self.shape[-1],
            direction=self.direction,
            layout=self.layout,
            **dict(self.attributes),
        )


def draw_kind(rng, op):
    direction = str(rng.choice(["forward", "reverse", "bidirectional"]))
    optional = ["B", "sequence_lens", "initial_h", *(["initial_c", "P"] if op == "LSTM" else [])]
    given = {name for name in optional if rng.random() < 0.7}
    attributes = draw_activations(rng, op, 2 if direction == "bidirectional" else 1)
    if op == "LSTM":
        if rng.random() < 0.4:
            attributes["clip"] = float(rng.choice([0.2, 0.9, 3.0]))
        attributes["input_forget"] = int(rng.random() < 0.3)
    if op == "GRU":
        attributes["linear_before_reset"] = int(rng.random() < 0.5)
    shape = SHAPES[rng.choice(len(SHAPES), p=[0.7, 0.1, 0.1, 0.1])]
    layout = int(rng.random() < 0.2)
    return Kind(op, direction, layout, shape, frozenset({"X", "W", "R", *given}), tuple(attributes.items()))


def draw_activations(rng, op, directions):
    if rng.random() < 0.4:
        return {}
    rows = []
    for _ in range(directions):
        if op == "LSTM":
            rows += [BOUNDED[rng.choice(len(BOUNDED))], *(FUNCTIONS[k] for k in rng.choice(len(FUNCTIONS), 2))]
        elif op == "GRU":
            rows += [("Sigmoid", None, None), ("Tanh", None, None)]
        else:
            rows += [FUNCTIONS[rng.choice(len(FUNCTIONS))]]
    # A default cannot be told from a number that belongs to a later function.
    if any(None is not row[1] != "default" for row in rows):
        rows = [(name, {"Elu": 1.0, "LeakyRelu": 0.01}[name] if a == "default" else a, b) for name, a, b in rows]
    attributes = {"activations": [row[0] for row in rows]}
    alphas = [row[1] for row in rows if row[1] not in (None, "default")]
    betas = [row[2] for row in rows if row[2] is not None]
    return attributes | ({"activation_alpha": alphas} if alphas else {}) | ({"activation_beta": betas} if betas else {})


def draw_arrays(rng, kind):
    steps, batch, inputs, hidden = kind.shape
    rows = GATES[kind.op] * hidden
    shapes = {
        "X": (steps, batch, inputs),
        "W": (kind.directions, rows, inputs),
        "R": (kind.directions, rows, hidden),
        "B": (kind.directions, 2 * rows),
        "initial_h": (kind.directions, batch, hidden),
        "initial_c": (kind.directions, batch, hidden),
        "P": (kind.directions, 3 * hidden),
    }
    scale = {"R": 1 / np.sqrt(hidden), "X": 1.5}
    arrays = {name: rng.normal(size=shape) * scale.get(name, 0.8) for name, shape in shapes.items()}
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    lengths = rng.integers(0, steps + 1, batch)
    arrays["sequence_lens"] = lengths.astype(np.int32)
    return {name: array for name, array in arrays.items() if name in kind.given}


def compare(kind, session, arrays, case):
    expected = session(arrays)
    if "sequence_lens" in kind.given:
        empty = arrays["sequence_lens"] == 0
        for field in LASTS[kind.op]:
            last = expected[f"Y_{field}"].copy()
            initial = arrays.get(f"initial_{field}", np.zeros_like(last))
            expected[f"Y_{field}"] = np.where(empty[None, :, None], initial, last)
    if kind.layout:
        arrays = {n: a.swapaxes(0, 1) if n in ("X", "initial_h", "initial_c") else a for n, a in arrays.items()}
        expected = {n: np.moveaxis(a, -2, 0) if n == "Y" else a.swapaxes(0, 1) for n, a in expected.items()}
    got = run_node(kind.node, arrays)
    assert len(got) == len(expected)
    if "Softplus" in str(kind.attributes) and not all(np.isfinite(one).all() for one in expected.values()):
        return False
    # Unbounded activations blow rounding up: where ours in float32 differs from ours in float64, nothing is proven.
    if not close(got, expected.values(), 1e-4):
        with jax.enable_x64(True):
            exact = run_node(kind.node, {n: a.astype(float) if a.dtype == np.float32 else a for n, a in arrays.items()})
        if not close(got, exact, 1e-4) and close(expected.values(), exact, 1e-2):
            return False
    for (name, one), array in zip(expected.items(), got, strict=True):
        np.testing.assert_allclose(array, one, rtol=1e-4, atol=1e-5, err_msg=f"{name} of case {case}: {kind}")
    return True


def close(ones, others, rtol):
    return all(np.allclose(a, b, rtol=rtol, atol=rtol / 10) for a, b in zip(ones, others, strict=True))


@pytest.mark.parametrize("op", SHARES)
def test_equals_onnx_runtime(op):
    count, compared = round(CASES * SHARES[op]), 0
    for first in range(0, count, ALIKE):
        if first % (ALIKE * KINDS_IN_MEMORY) == 0:
            jax.clear_caches()
        kind = draw_kind(np.random.default_rng([GATES[op], first]), op)
        example = draw_arrays(np.random.default_rng(0), kind)
        session = Session(one_node(replace(kind, layout=0).node, example))
        for case in range(first, min(first + ALIKE, count)):
            arrays = draw_arrays(np.random.default_rng([GATES[op], first, case]), kind)
            compared += compare(kind, session, arrays, case)
    assert compared >= 0.998 * count
