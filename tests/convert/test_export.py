"""Exported programs: read by a fresh process in which this package cannot be imported, and equal to `unroll`."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from harness import assert_equal, filled_params
from lstm_jax import GRU, LSTM, Bidirectional, Elman, ResetBeforeGRU, Stack, step, unroll
from lstm_jax.cells import ConvLSTM, ProjectedLSTM
from lstm_jax.convert.entries import named
from lstm_jax.convert.export import export_initial_state, export_step, export_unroll
from lstm_jax.wrappers import LearnedInitialState, Residual

D = 3
CELLS = {
    "lstm": LSTM(4),
    "stack": Stack((GRU(4), ProjectedLSTM(5, 2), ResetBeforeGRU(3)), dropout=0.5),
    "both": Bidirectional(LSTM(4), Elman(3)),
    "learned-initial-state": LearnedInitialState(Residual(LSTM(D))),
    "images": ConvLSTM(2, (4, 3)),
}
CLOSE = {"rtol": 1e-6, "atol": 1e-6}

READER = """
import sys
sys.modules["lstm_jax"] = None  # an import of it would fail
import jax, numpy as np
from jax import export
folder = sys.argv[1]
load = lambda name: export.deserialize(bytearray(open(f"{folder}/{name}", "rb").read()))
unroll, step, initial = load("unroll"), load("step"), load("initial")
given, made = np.load(f"{folder}/given.npz"), {}
for rows in (1, 5):
    xs = given[f"xs{rows}"]
    state = initial.call(xs[0])
    ys, last = unroll.call(xs, given[f"lengths{rows}"], state)
    y, after = step.call(xs[0], last)
    made |= {f"ys{rows}": ys, f"y{rows}": y}
    made |= {f"{rows}.{name}": leaf for name, leaf in after.items()}
np.savez(f"{folder}/made.npz", **made)
"""


def parameters(cell):
    return filled_params(cell, D)


def inputs(cell, steps, rows):
    space = getattr(cell, "space", ())
    return jax.random.normal(jax.random.key(2), (steps, rows, *space, D))


def one_row(cell):
    return (*getattr(cell, "space", ()), D) if cell.feature_axes > 1 else D


@pytest.mark.proof
@pytest.mark.parametrize("kind", ["lstm", "stack"])
def test_a_fresh_process_without_the_package(kind, tmp_path):
    cell = CELLS[kind]
    params = parameters(cell)
    programs = {"unroll": export_unroll, "step": export_step, "initial": export_initial_state}
    for name, export in programs.items():
        (tmp_path / name).write_bytes(export(cell, params, D).serialize())
    given, expected = {}, {}
    for rows in (1, 5):
        xs, lengths = inputs(cell, 4 + rows, rows), jnp.arange(rows, dtype=jnp.int32)[::-1]
        given |= {f"xs{rows}": xs, f"lengths{rows}": lengths}
        ys, last = unroll(cell, params, xs, lengths=lengths)
        y, after = step(cell, params, xs[0], last)
        expected |= {f"ys{rows}": ys, f"y{rows}": y} | {f"{rows}.{n}": leaf for n, leaf in named(after).items()}
    np.savez(tmp_path / "given.npz", **given)
    env = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "XLA_FLAGS"}}
    command = [sys.executable, "-c", READER, str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, env=env, check=False, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    made = dict(np.load(tmp_path / "made.npz"))
    assert_equal(made, {name: np.asarray(leaf) for name, leaf in expected.items()}, **CLOSE)


@pytest.mark.parametrize("steps", [None, 6])
@pytest.mark.parametrize("kind", CELLS)
def test_equals_unroll_for_any_number_of_rows_and_steps(kind, steps):
    cell = CELLS[kind]
    params = parameters(cell)
    program = jax.export.deserialize(export_unroll(cell, params, one_row(cell), steps=steps).serialize())
    for t, rows in ((6, 2), (6, 5)) if steps else ((6, 2), (1, 1), (9, 3)):
        xs, lengths = inputs(cell, t, rows), jnp.arange(rows, dtype=jnp.int32)[::-1] % (t + 1)
        start = cell.initial_state(params, (rows,))
        start = jax.tree.map(lambda leaf: leaf + 0.1, start)
        ys, last = unroll(cell, params, xs, start, lengths=lengths)
        assert_equal(program.call(xs, lengths, named(start)), (ys, named(last)), **CLOSE)


def test_float64_and_several_platforms():
    with jax.enable_x64(True):
        cell = LSTM(4, param_dtype="float64")
        params = parameters(cell)
        program = export_unroll(cell, params, D, platforms=("cpu", "cuda"))
        assert program.platforms == ("cpu", "cuda")
        xs, lengths = inputs(cell, 5, 2).astype("float64"), jnp.array([5, 2], "int32")
        start = cell.initial_state(params, (2,))
        ys, last = unroll(cell, params, xs, lengths=lengths)
        assert_equal(program.call(xs, lengths, named(start)), (ys, named(last)))


def test_no_randomness_and_no_step_of_both_directions():
    with pytest.raises(TypeError, match="no single step"):
        export_step(CELLS["both"], parameters(CELLS["both"]), D)


def test_what_does_not_fit_is_named():
    params = parameters(LSTM(4))
    with pytest.raises(ValueError, match=r"params has w_x \[3, 16\] where \[7, 16\] is needed, for LSTM\(4\): "):
        export_unroll(LSTM(4), params, 7)
    with pytest.raises(ValueError, match="input_size must be 3 numbers"):
        export_step(CELLS["images"], parameters(CELLS["images"]), D)
    with pytest.raises(ValueError, match=r"input_size must begin with the cell's space \(4, 3\), got \(4, 4, 3\)"):
        export_step(Residual(CELLS["images"]), parameters(CELLS["images"]), (4, 4, D))
    with pytest.raises(ValueError, match=r"platforms must be a tuple of some of 'cpu', .*, got 'cpu'"):
        export_step(LSTM(4), params, D, platforms="cpu")
    with pytest.raises(ValueError, match=r"platforms='gpu' is not known: .*'cpu', 'cuda', 'rocm', 'tpu'"):
        export_step(LSTM(4), params, D, platforms=("cpu", "gpu"))
    for steps in (0, 2.5, "3", True):
        with pytest.raises(ValueError, match="steps must be a whole number of at least 1"):
            export_unroll(LSTM(4), params, D, steps=steps)
    for export in (export_unroll, export_step, export_initial_state):
        with pytest.raises(TypeError, match=r"pass a cell, such as LSTM\(64\), not its class"):
            export(LSTM, params, D)
