"""Parameters from and to flax nnx's cells: outputs of the live cells in float64, both ways."""

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from harness import assert_equal, filled, filled_params
from lstm_jax import GRU, LSTM, Elman, ResetBeforeGRU, Stack, unroll
from lstm_jax.convert.nnx import from_nnx, to_nnx

T, B, D, H = 6, 3, 4, 5
F64 = {"param_dtype": "float64"}
KINDS = {
    "lstm": (LSTM(H, **F64), nnx.LSTMCell),
    "lstm-optimized": (LSTM(H, **F64), nnx.OptimizedLSTMCell),
    "gru": (GRU(H, **F64), nnx.GRUCell),
    "elman": (Elman(H, **F64), nnx.SimpleCell),
}


@pytest.fixture(autouse=True)
def wide():
    """64 bits; nnx does not bear strict promotion."""
    with jax.enable_x64(True):
        yield


def nnx_cell(kind):
    return KINDS[kind][1](D, H, dtype=jnp.float64, param_dtype=jnp.float64, rngs=nnx.Rngs(0))


def tree_of(theirs):
    return nnx.to_pure_dict(nnx.state(theirs, nnx.Param))


def assert_same_outputs(cell, params, theirs):
    xs = jax.random.normal(jax.random.key(2), (T, B, D), "float64")
    h = jnp.zeros((B, H), "float64")
    carry, expected = ((h, h) if isinstance(cell, LSTM) else h), []
    for x in xs:
        carry, y = theirs(carry, x)
        expected.append(y)
    assert_equal(unroll(cell, params, xs)[0], jnp.stack(expected))


@pytest.mark.parametrize("kind", KINDS)
def test_from_nnx(kind):
    cell, theirs = KINDS[kind][0], nnx_cell(kind)
    nnx.update(theirs, filled(tree_of(theirs)))
    params = from_nnx(cell, tree_of(theirs))
    assert jax.tree.structure(params) == jax.tree.structure(filled_params(cell, D))
    assert_same_outputs(cell, params, theirs)


@pytest.mark.parametrize("kind", ["lstm-optimized", "gru", "elman"])
def test_to_nnx(kind):
    cell, theirs = KINDS[kind][0], nnx_cell(kind)
    params = filled_params(cell, D)
    if kind == "gru":
        with pytest.raises(ValueError, match="params have a b_hn that is not zero, and nnx's GRUCell has no place"):
            to_nnx(cell, params)
        params = params.replace(b_hn=jnp.zeros(H, "float64"))
    tree = to_nnx(cell, params)
    assert jax.tree.structure(tree) == jax.tree.structure(tree_of(theirs))
    nnx.update(theirs, tree)
    assert_same_outputs(cell, params, theirs)
    assert_equal(from_nnx(cell, tree), params, rtol=0, atol=0)


def test_what_does_not_fit_is_named():
    tree = to_nnx(LSTM(H), filled_params(LSTM(H), D))
    with pytest.raises(ValueError, match=r"tree has dense_i\.kernel \[4, 20\] where \[4, 12\] is needed, dense_h"):
        from_nnx(LSTM(3), tree)
    with pytest.raises(ValueError, match=r"lacks dense_i\.bias \[15\]; has, not expected, dense_h\.bias \[20\]; has"):
        from_nnx(GRU(H), tree)
    with pytest.raises(ValueError, match=r"tree has no dense_i\.kernel"):
        from_nnx(GRU(H), {})
    with pytest.raises(ValueError, match=r'pass tree\["cell"\]'):
        from_nnx(LSTM(H), {"cell": tree})
    theirs = nnx_cell("lstm")
    with pytest.raises(TypeError, match=r"got LSTMCell: pass nnx\.to_pure_dict\(nnx\.state\("):
        from_nnx(LSTM(H), theirs)
    with pytest.raises(ValueError, match=r"variables, .*: pass nnx\.to_pure_dict\(nnx\.state\("):
        from_nnx(LSTM(H), nnx.state(theirs, nnx.Param))
    with pytest.raises(TypeError, match=r"pass a cell, such as LSTM\(64\), not its class"):
        from_nnx(LSTM, tree)
    with pytest.raises(ValueError, match="has no ResetBeforeGRU"):
        from_nnx(ResetBeforeGRU(H), tree)


@pytest.mark.parametrize("params", [None, {}, {"w_x": jnp.ones((D, 4 * H))}, "w", Stack((GRU(H),)), "stack", "dict"])
def test_parameters_of_another_kind_are_refused(params):
    if params == "stack":
        params = filled_params(Stack((LSTM(H),)), D)
    elif params == "dict":
        params = vars(filled_params(LSTM(H), D))
    with pytest.raises(ValueError, match=r"^params (lacks w_|have the right names in other containers).*LSTM\(5\)"):
        to_nnx(LSTM(H), params)
    with pytest.raises(TypeError, match=r"pass a cell, such as LSTM\(64\), not its class"):
        to_nnx(LSTM, params)
