"""Parameters from and to flax linen's cells: outputs of the live cells in float64, both ways."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from harness import assert_equal, filled, filled_params
from lstm_jax import GRU, LSTM, Elman, ResetBeforeGRU, Stack, unroll
from lstm_jax.convert.linen import from_linen, to_linen

T, B, D, H = 6, 3, 4, 5
F64 = {"param_dtype": "float64"}
KINDS = {
    "lstm": (LSTM(H, **F64), nn.LSTMCell),
    "lstm-optimized": (LSTM(H, **F64), nn.OptimizedLSTMCell),
    "gru": (GRU(H, **F64), nn.GRUCell),
    "elman": (Elman(H, **F64), nn.SimpleCell),
}


@pytest.fixture(autouse=True)
def wide():
    """64 bits; linen does not bear strict promotion."""
    with jax.enable_x64(True):
        yield


def inputs():
    return jax.random.normal(jax.random.key(2), (T, B, D), "float64")


def linen_rnn(kind):
    return nn.RNN(KINDS[kind][1](H, param_dtype="float64"), time_major=True)


def assert_same_outputs(cell, params, rnn, tree):
    expected = rnn.apply({"params": {"cell": tree}}, inputs())
    assert_equal(unroll(cell, params, inputs())[0], expected)


@pytest.mark.parametrize("kind", KINDS)
def test_from_linen(kind):
    cell, rnn = KINDS[kind][0], linen_rnn(kind)
    tree = filled(jax.eval_shape(rnn.init, jax.random.key(0), inputs())["params"])["cell"]
    params = from_linen(cell, tree)
    assert jax.tree.structure(params) == jax.tree.structure(filled_params(cell, D))
    assert_same_outputs(cell, params, rnn, tree)
    back = to_linen(cell, params)
    assert jax.tree.structure(back) == jax.tree.structure(tree)
    assert_equal(back, tree, rtol=0, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_to_linen(kind):
    cell = KINDS[kind][0]
    params = filled_params(cell, D)
    tree = to_linen(cell, params)
    assert_same_outputs(cell, params, linen_rnn(kind), tree)
    assert_equal(from_linen(cell, tree), params, rtol=0, atol=0)


def test_what_does_not_fit_is_named():
    tree = to_linen(LSTM(H), filled_params(LSTM(H), D))
    with pytest.raises(ValueError, match=r"tree has ii\.kernel \[4, 5\] where \[4, 3\] is needed, .* for LSTM\(3\)"):
        from_linen(LSTM(3), tree)
    with pytest.raises(ValueError, match=r'no ii\.kernel \[D, H\]; .*: pass tree\["params"\]\["cell"\]\.$'):
        from_linen(LSTM(H), {"params": {"cell": tree}})
    with pytest.raises(TypeError, match=r'tree must be a dict, got LSTMCell: pass variables\["params"\]'):
        from_linen(LSTM(H), nn.LSTMCell(H))
    with pytest.raises(TypeError, match=r"pass a cell, such as LSTM\(64\), not its class"):
        from_linen(LSTM, tree)
    with pytest.raises(ValueError, match=r"tree lacks hg\.bias \[5\]; has, not expected, hx\.bias \[5\]"):
        from_linen(LSTM(H), tree | {"hg": {"kernel": tree["hg"]["kernel"]}, "hx": {"bias": np.zeros(H)}})
    with pytest.raises(ValueError, match="has no ResetBeforeGRU"):
        from_linen(ResetBeforeGRU(H), tree)
    with pytest.raises(ValueError, match="one by one"):
        to_linen(Stack((LSTM(H),)), None)
    with pytest.raises(ValueError, match=r"params has w_x \[4, 20\] where \[4, 16\] is needed"):
        to_linen(LSTM(4), filled_params(LSTM(H), D))
    assert jnp.ndim(tree["hf"]["bias"]) == 1


@pytest.mark.parametrize("params", [None, {}, {"w_x": jnp.ones((D, 4 * H))}, "w", Stack((GRU(H),)), "stack", "dict"])
def test_parameters_of_another_kind_are_refused(params):
    if params == "stack":
        params = filled_params(Stack((LSTM(H),)), D)
    elif params == "dict":
        params = vars(filled_params(LSTM(H), D))
    with pytest.raises(ValueError, match=r"^params (lacks w_|have the right names in other containers).*LSTM\(5\)"):
        to_linen(LSTM(H), params)
    with pytest.raises(TypeError, match=r"pass a cell, such as LSTM\(64\), not its class"):
        to_linen(LSTM, params)
