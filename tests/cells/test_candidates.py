"""The factor on what is about to enter the memory, which `RecurrentDropout` draws, in each cell that takes one."""

import jax
import jax.numpy as jnp
import pytest

from harness import assert_equal
from lstm_jax import GRU, LSTM
from lstm_jax.cells import CIFG, LSTM1997, URLSTM, ConvLSTM, LayerNormLSTM, PeepholeLSTM, ProjectedLSTM

FLOAT64 = {"param_dtype": "float64"}
pytestmark = pytest.mark.usefixtures("float64")


def refined(gates, memory):
    f, r = gates["f"], gates["r"]
    return (f + f * (1 - f) * (2 * r - 1)) * memory


CELLS = {
    "lstm": (LSTM(4, **FLOAT64), lambda gates, c: gates["f"] * c),
    "peephole": (PeepholeLSTM(4, **FLOAT64), lambda gates, c: gates["f"] * c),
    "cifg": (CIFG(4, **FLOAT64), lambda gates, c: (1 - gates["i"]) * c),
    "projected": (ProjectedLSTM(4, 3, **FLOAT64), lambda gates, c: gates["f"] * c),
    "layer-norm": (LayerNormLSTM(4, **FLOAT64), lambda gates, c: gates["f"] * c),
    "ur-lstm": (URLSTM(4, **FLOAT64), refined),
    "lstm-1997": (LSTM1997(4, block_size=2, **FLOAT64), lambda gates, c: c),
    "conv-lstm": (ConvLSTM(4, (3,), **FLOAT64), None),
    "gru": (GRU(4, **FLOAT64), lambda gates, h: gates["z"] * h),
}
"""And what is left of the memory where nothing enters; None: it is found by a candidate that is squashed to 0."""


@pytest.mark.parametrize("name", CELLS)
def test_a_candidate_scales_what_enters_and_nothing_else(name):
    cell, left = CELLS[name]
    like = jax.eval_shape(lambda key: cell.init(key, 2), jax.random.key(0))
    leaves, treedef = jax.tree.flatten(like)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    params = treedef.unflatten([jax.random.normal(k, p.shape) for k, p in zip(keys, leaves, strict=True)])
    space = (3,) * (cell.feature_axes - 1)
    state = jax.tree.map(
        lambda s: jax.random.normal(jax.random.key(s.shape[-1]), s.shape), cell.initial_state(params, (5,))
    )
    z = cell.project(params, jax.random.normal(jax.random.key(2), (1, 5, *space, 2)))[0]

    def memory(candidate):
        a = cell.join(z, cell.mix(params, state))
        new = cell.update(params, a, state, candidate)
        return getattr(new, "c", new.h)

    before = getattr(state, "c", state.h)
    whole, nothing = memory(None), memory(jnp.zeros_like(before))
    factor = jnp.linspace(0.5, 3.0, before.size).reshape(before.shape)
    assert_equal(memory(jnp.ones_like(before)), whole)
    assert_equal(memory(factor), nothing + factor * (whole - nothing))
    if left is None:
        still = params.replace(**{name: getattr(params, name).at[..., 8:12].set(0.0) for name in ("w_h", "b")})
        a = cell.join(z.at[..., 8:12].set(0.0), cell.mix(still, state))
        expected = cell.update(still, a, state).c
    else:
        expected = left(cell.inspect(params, z, state)["gates"], before)
    assert_equal(nothing, expected)
