"""Cells written as ONNX models against ONNX Runtime, and read again."""

import re
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import pytest

from lstm_jax import GRU, LSTM, Bidirectional, Elman, ResetBeforeGRU, Stack, unroll
from lstm_jax.cells import CIFG, IRNN, NIAF, NIG, NOAF, NP, PeepholeLSTM, ProjectedLSTM
from lstm_jax.convert.onnx import read_onnx, write_onnx
from lstm_jax.wrappers import Residual
from peers.onnx_runtime import Session

D, T, B = 3, 7, 4
LENGTHS = np.array([7, 0, 3, 1], np.int32)

CELLS = {
    "lstm": LSTM(5),
    "lstm of others": LSTM(4, activation="softsign", gate_activation="hard_sigmoid"),
    "peephole": PeepholeLSTM(5, clip=0.8),
    "cifg": CIFG(4),
    "cifg, blind": PeepholeLSTM(4, peepholes=False, coupled=True, output_activation="elu"),
    "np": NP(4),
    "niaf": NIAF(4),
    "noaf": NOAF(4, clip=0.5),
    "gru": GRU(5),
    "gru, reset before": ResetBeforeGRU(5),
    "elman": Elman(5),
    "irnn": IRNN(4),
    "elman leaky": Elman(5, activation="leaky_relu"),
    "elman softplus": Elman(5, activation="softplus"),
    "stack of one": Stack((LSTM(4),)),
    "stack": Stack((LSTM(4), GRU(3), ResetBeforeGRU(5), Elman(2), CIFG(4)), dropout=0.5),
    "both": Bidirectional(LSTM(4), LSTM(4, activation="relu")),
    "both, one of them with peepholes": Bidirectional(NP(3), PeepholeLSTM(3)),
    "both, coupled": Bidirectional(CIFG(3, clip=0.4), CIFG(3, clip=0.4, gate_activation="hard_sigmoid")),
    "stack of both": Stack((Bidirectional(GRU(4), GRU(4)), Bidirectional(PeepholeLSTM(3), PeepholeLSTM(3)))),
    "both below one": Stack((Bidirectional(Elman(4), IRNN(4)), ResetBeforeGRU(3), Bidirectional(GRU(2), GRU(2)))),
}


def random_params(cell, seed=0):
    """All random, so that nothing swapped stays hidden."""
    params = cell.init(jax.random.key(seed), D)
    leaves, treedef = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(seed + 1), len(leaves))
    return treedef.unflatten([0.5 * jax.random.normal(k, v.shape) for k, v in zip(keys, leaves, strict=True)])


def layers_of(cell, tree):
    """The states of all layers, each with its directions as ONNX has them."""
    for one in tree if isinstance(cell, Stack) else (tree,):
        parts = (one.forward, one.backward) if hasattr(one, "forward") else (one,)
        yield {field: np.stack([vars(part)[field] for part in parts]) for field in vars(parts[0])}


@pytest.mark.parametrize("name", CELLS)
def test_equals_onnx_runtime(name):
    cell = CELLS[name]
    params = random_params(cell)
    rng = np.random.default_rng(3)
    xs = rng.normal(size=(T, B, D)).astype(np.float32)
    empty = cell.initial_state(params, (B,))
    state = jax.tree.map(lambda v: jnp.asarray(rng.normal(size=v.shape), v.dtype), empty)
    started = {f"initial_{f}.{n}": v for n, one in enumerate(layers_of(cell, state)) for f, v in one.items()}
    for lengths in (None, LENGTHS):
        for initial in (False, True):
            model = write_onnx(cell, params, lengths=lengths is not None, initial_state=initial)
            onnx.checker.check_model(model, full_check=True)
            arrays = {"xs": xs} | ({} if lengths is None else {"lengths": lengths}) | (started if initial else {})
            got = Session(model)(arrays)
            ys, last = unroll(cell, params, xs, state if initial else None, lengths=lengths)
            np.testing.assert_allclose(got.pop("ys"), ys, rtol=1e-5, atol=1e-5)
            lasts = {f"{f}.{n}": v for n, one in enumerate(layers_of(cell, last)) for f, v in one.items()}
            assert got.keys() == lasts.keys()
            # ONNX Runtime ends a row of length 0 in zeros, whatever its initial state.
            rows = slice(None) if lengths is None or not initial else lengths > 0
            for key, value in lasts.items():
                np.testing.assert_allclose(got[key][:, rows], value[:, rows], rtol=1e-5, atol=1e-5, err_msg=key)


@pytest.mark.parametrize("steps, batch", [(1, 1), (12, 2)])
def test_time_and_batch_are_free(steps, batch):
    cell = CELLS["both below one"]
    params = random_params(cell)
    session = Session(write_onnx(cell, params))
    xs = np.random.default_rng(0).normal(size=(steps, batch, D)).astype(np.float32)
    np.testing.assert_allclose(session({"xs": xs})["ys"], unroll(cell, params, xs)[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", CELLS)
def test_read_again(name, tmp_path):
    cell = CELLS[name]
    params = random_params(cell)
    onnx.save(write_onnx(cell, params), tmp_path / "cell.onnx")
    read = read_onnx(tmp_path / "cell.onnx")
    stack = Stack(tuple(node.cell for node in read))
    xs = np.random.default_rng(0).normal(size=(T, B, D)).astype(np.float32)
    again, _ = unroll(stack, stack.init(jax.random.key(0), D).replace(layers=tuple(n.params for n in read)), xs)
    np.testing.assert_allclose(again, unroll(cell, params, xs)[0], rtol=1e-6, atol=1e-6)


def test_float64(float64):
    cell = Stack((LSTM(4, param_dtype="float64"), ResetBeforeGRU(3, param_dtype="float64")))
    params = cell.init(jax.random.key(0), D)
    model = write_onnx(cell, params)
    # ONNX Runtime has no LSTM of doubles: what is written is read again.
    onnx.checker.check_model(model, full_check=True)
    assert {array.data_type for array in model.graph.initializer if array.name[0] in "WRB"} == {onnx.TensorProto.DOUBLE}
    for node, layer in zip(read_onnx(model), params.layers, strict=True):
        jax.tree.map(np.testing.assert_array_equal, node.params, layer)


@dataclass(frozen=True)
class Mine(LSTM):
    pass


MIXED = Stack((LSTM(4), LSTM(4, param_dtype="bfloat16")))


@pytest.mark.parametrize(
    "cell, message",
    [
        (Mine(4), "ONNX has no operator for Mine(4)"),
        (ProjectedLSTM(4, 2), "ONNX has no operator for ProjectedLSTM("),
        (Residual(LSTM(D)), "ONNX has no operator for Residual("),
        (Stack((Stack((LSTM(4),)),)), "it can hold LSTM, PeepholeLSTM, GRU, ResetBeforeGRU, Elman"),
        (NIG(4), "ONNX has no operator for NIG("),
        (PeepholeLSTM(4, without=("o",)), "without=('o',)"),
        (LSTM(4, activation="gelu"), "uses 'gelu', which ONNX has not: it has tanh"),
        (Elman(4, activation="hard_tanh"), "uses 'hard_tanh', which ONNX has not"),
        (Bidirectional(LSTM(4), LSTM(4), merge="sum"), "not by merge='sum'"),
        (Bidirectional(LSTM(4), LSTM(3)), "has the same operator, hidden size and options both ways"),
        (Bidirectional(LSTM(4), GRU(4)), "has the same operator, hidden size and options both ways"),
        (Bidirectional(GRU(4), ResetBeforeGRU(4)), "has the same operator, hidden size and options both ways"),
        (Bidirectional(LSTM(4), PeepholeLSTM(4, clip=1.0)), "has the same operator, hidden size and options"),
        (
            LSTM(4, param_dtype="bfloat16"),
            "in one dtype, float32 or float64, but the dtypes of parameters and cells are ['bfloat16']",
        ),
        (LSTM(4, dtype="bfloat16"), "are ['bfloat16', 'float32']: cast"),
        (MIXED, "are ['bfloat16', 'float32']: cast"),
    ],
)
def test_refused(cell, message):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        write_onnx(cell, cell.init(jax.random.key(0), D))
    assert "\n" not in str(caught.value)


def test_parameters_of_another_cell():
    with pytest.raises(ValueError, match="params"):
        write_onnx(LSTM(4), LSTM(5).init(jax.random.key(0), D))
    with pytest.raises(ValueError, match=r"params has, not expected, b_hn \[4\]; has w_x .*, for LSTM\(4\)"):
        write_onnx(LSTM(4), GRU(4).init(jax.random.key(0), D))
    with pytest.raises(ValueError, match=r"params lacks w_x .*, for LSTM\(4\)"):
        write_onnx(LSTM(4), None)
    with pytest.raises(TypeError, match=r"pass a cell, such as LSTM\(64\), not its class"):
        write_onnx(LSTM, None)
    with pytest.raises(TypeError, match=r"pass a cell, such as LSTM\(64\), first, got str"):
        write_onnx("lstm", None)
