"""ONNX's own node tests through the reader, and what it says where it cannot read.

The node tests have constant weights, which swapped gates pass: test_onnx_random.py has random ones.
"""

import re
import sys
import warnings

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from lstm_jax import GRU, LSTM, Bidirectional, Elman, ResetBeforeGRU
from lstm_jax.cells import PeepholeLSTM
from lstm_jax.convert.onnx import read_node, read_onnx, run_node

OFFICIAL = (
    "test_lstm_defaults",
    "test_lstm_with_initial_bias",
    "test_lstm_with_peepholes",
    "test_lstm_batchwise",
    "test_lstm_reverse",
    "test_lstm_bidirectional",
    "test_gru_defaults",
    "test_gru_with_initial_bias",
    "test_gru_seq_length",
    "test_gru_batchwise",
    "test_gru_reverse",
    "test_gru_bidirectional",
    "test_simple_rnn_defaults",
    "test_simple_rnn_with_initial_bias",
    "test_rnn_seq_length",
    "test_simple_rnn_batchwise",
    "test_simple_rnn_reverse",
    "test_simple_rnn_bidirectional",
)


@pytest.fixture(scope="module")
def official():
    with warnings.catch_warnings():
        # Other operators' tests divide by zero on purpose while they are made.
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        return {case.name: case for case in collect_testcases()}


@pytest.mark.parametrize("name", OFFICIAL)
def test_official_node_test(official, name):
    case = official[name]
    node = case.model.graph.node[0]
    roles = ["Y", "Y_h", "Y_c"]
    asked = [role for role, output in zip(roles, node.output, strict=False) if output]
    for inputs, outputs in case.data_sets:
        given = dict(zip([one for one in node.input if one], inputs, strict=True))
        got = dict(zip(roles, run_node(node, given), strict=False))
        for role, expected in zip(asked, outputs, strict=True):
            assert got[role].shape == expected.shape
            np.testing.assert_allclose(got[role], expected, rtol=case.rtol, atol=case.atol, err_msg=role)


def test_there_are_no_other_node_tests(official):
    recurrent = {case.name for case in official.values() if {n.op_type for n in case.model.graph.node} & {*GATES}}
    # "expanded" ones would be made of other operators.
    assert recurrent == set(OFFICIAL)


D, H = 2, 3
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
NAMES = ("X", "W", "R", "B", "lengths", "h", "c", "P")


def case(op="LSTM", directions=1, shapes=None, inputs=NAMES, **attributes):
    rng = np.random.default_rng(0)
    rows = GATES[op] * H
    sizes = {
        "X": (4, 5, D),
        "W": (directions, rows, D),
        "R": (directions, rows, H),
        "B": (directions, 2 * rows),
        "h": (directions, 5, H),
        "c": (directions, 5, H),
        "P": (directions, 3 * H),
    } | (shapes or {})
    arrays = {name: rng.normal(size=size).astype(np.float32) for name, size in sizes.items()}
    arrays["lengths"] = np.array([4, 0, 1, 2, 3], np.int32)
    names = inputs if op == "LSTM" else inputs[:6]
    return helper.make_node(op, names, ["Y"], name="rnn", **attributes), arrays


READ = {
    "lstm": (case(inputs=NAMES[:4]), LSTM(H)),
    "lstm of relu": (case(inputs=NAMES[:4], activations=["Sigmoid", "Relu", "Relu"]), LSTM(H, activation="relu")),
    "peepholes": (case(), PeepholeLSTM(H)),
    "coupled": (case(inputs=NAMES[:4], input_forget=1), PeepholeLSTM(H, peepholes=False, coupled=True)),
    "clip": (case(inputs=NAMES[:4], clip=0.5), PeepholeLSTM(H, peepholes=False, clip=0.5)),
    "two functions": (
        case(inputs=NAMES[:4], activations=["Sigmoid", "Tanh", "Softsign"]),
        PeepholeLSTM(H, peepholes=False, output_activation="softsign"),
    ),
    "gru": (case("GRU"), ResetBeforeGRU(H)),
    "gru, reset after": (case("GRU", linear_before_reset=1), GRU(H)),
    "rnn": (case("RNN"), Elman(H)),
    "both": (case("RNN", 2, direction="bidirectional", activations=["Tanh", "Elu"]), None),
}


@pytest.mark.parametrize("name", READ)
def test_cell_of_a_node(name):
    (node, arrays), expected = READ[name]
    read = read_node(node, arrays)
    assert read.cell == (expected or Bidirectional(Elman(H), Elman(H, activation="elu")))
    assert not read.reverse and not read.batch_first


def test_reads_the_nodes_of_a_file(tmp_path):
    (one, weights), (two, others) = case(inputs=NAMES[:4]), case("GRU", inputs=["Y", "W2", "R2"], direction="reverse")
    two.output[0] = "Z"
    arrays = [weights[name] for name in "WRB"] + [others[name] for name in "WR"]
    initializers = [numpy_helper.from_array(a, n) for a, n in zip(arrays, ["W", "R", "B", "W2", "R2"], strict=True)]
    other = helper.make_node("Identity", ["Z"], ["out"])
    model = helper.make_model(helper.make_graph([one, two, other], "g", [], [], initializers))
    onnx.save(model, tmp_path / "two.onnx")
    for given in (model, tmp_path / "two.onnx", str(tmp_path / "two.onnx")):
        first, second = read_onnx(given)
        assert (first.cell, first.reverse) == (LSTM(H), False)
        assert (second.cell, second.reverse) == (ResetBeforeGRU(H), True)
        np.testing.assert_array_equal(first.params.w_x, read_node(one, weights).params.w_x)


@pytest.mark.parametrize("ending", ["onnx", "json", "textproto"])
@pytest.mark.parametrize("content", [b"", b"no model", bytes(range(256))])
def test_files_that_are_no_models(content, ending, tmp_path):
    path = tmp_path / f"model.{ending}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.\w+ is no ONNX file"):
        read_onnx(path)


@pytest.mark.parametrize(
    "made, message",
    [
        (case("GRU", clip=1.0), "the GRU node 'rnn' has clip=1, but GRU cannot clip: only an LSTM can."),
        (case("RNN", clip=0.25), "has clip=0.25, but Elman cannot clip"),
        (case("GRU", activations=["Tanh", "Tanh"]), "has the activations ['tanh', 'tanh'], but GRU knows sigmoid and"),
        (
            case(activations=["HardSigmoid", "Tanh", "Tanh"]),
            "HardSigmoid(alpha=0.2, beta=0.5) is none of ours: the nearest is 'hard_sigmoid', which is "
            "HardSigmoid(alpha=0.1667, beta=0.5)",
        ),
        (case("RNN", activations=["LeakyRelu"], activation_alpha=[0.3]), "nearest is 'leaky_relu'"),
        (case("RNN", activations=["Elu"], activation_alpha=[0.5]), "Elu(alpha=0.5) is none of ours"),
        (case("RNN", activations=["Affine"]), "Affine(alpha=missing, beta=missing) is none of ours"),
        (case("RNN", activations=["ThresholdedRelu"]), "nearest is 'relu', which is ThresholdedRelu(alpha=0)"),
        (case("RNN", activations=["ScaledTanh"], activation_alpha=[2.0], activation_beta=[1.0]), "nearest is 'tanh'"),
        (case("RNN", activations=["tanh"]), "activation='tanh' is not known: did you mean 'Tanh'?"),
        (case("RNN", activation_alpha=[0.3]), "activation_alpha has 1 more than the activations ['Tanh'] take"),
        (case("RNN", 2, direction="bidirectional", activations=["Tanh"]), "needs 2 activations, 1 for each of its 2"),
        (case("RNN", direction="backward"), "direction='backward' is not known"),
        (case("RNN", input_forget=1), "attribute='input_forget' is not known"),
        (case(clip=-1.0), "clip must be above 0"),
        (case(direction="bidirectional"), "W of the LSTM node 'rnn' must have shape [2, 12, 2]"),
        (case(hidden_size=7), "W of the LSTM node 'rnn' must have shape [1, 28, 2], for direction='forward'"),
        (case(shapes={"R": (1, 12, 4)}), "must have shape [1, 16, 2]"),
        (case(shapes={"B": (1, 12)}), "B of the LSTM node 'rnn' must have shape [1, 24]"),
        (case(shapes={"P": (9,)}), "P of the LSTM node 'rnn' must have shape [1, 9]"),
        (case(shapes={"h": (5, H)}), "initial_h of the LSTM node 'rnn' must have shape [1, 5, 3], but has [5, 3]"),
        (case(shapes={"X": (4, D)}), "X of the LSTM node 'rnn' must have 3 axes, but has shape [4, 2]"),
        (case(shapes={"R": ()}), "W of the LSTM node 'rnn' must have shape [1, 4, 2]"),
        (case(inputs=("", "W", "R")), "X of the LSTM node 'rnn', '', is not among the arrays"),
        (case(inputs=("X", "", "R")), "W of the LSTM node 'rnn', '', is not among the arrays"),
        (case(inputs=("X", "W", "R", "folded")), "B of the LSTM node 'rnn', 'folded', is not among the arrays"),
    ],
)
def test_mistakes(made, message):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        run_node(*made)
    assert "\n" not in str(caught.value)


def test_other_operators():
    node, arrays = case()
    node.op_type = "LSTMCell"
    with pytest.raises(ValueError, match="op_type='LSTMCell' is not known: did you mean 'LSTM'"):
        read_node(node, arrays)
    node.op_type, node.domain = "LSTM", "com.microsoft"
    with pytest.raises(ValueError, match=r"of the domain 'com\.microsoft': only ONNX's own"):
        read_node(node, arrays)


def test_without_the_package(monkeypatch):
    node, arrays = case()
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"pip install 'lstm-jax\[convert\]'"):
        read_node(node, arrays)
