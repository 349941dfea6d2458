"""Stacks: what goes between the layers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from harness import assert_equal, sequence
from lstm_jax import GRU, LSTM, Elman, Stack, unroll

FLOAT64 = {"param_dtype": "float64"}
pytestmark = pytest.mark.usefixtures("float64")


def test_layers_run_on_top_of_one_another():
    cells = LSTM(4, **FLOAT64), GRU(3, **FLOAT64), Elman(2, **FLOAT64)
    params, xs, state = sequence(Stack(cells))
    expected = xs
    for cell, p, s in zip(cells, params.layers, state, strict=True):
        expected, _ = unroll(cell, p, expected, s)
    assert_equal(unroll(Stack(cells), params, xs, state)[0], expected)
    assert [p.w_x.shape[0] for p in params.layers] == [5, 4, 3]


class Through(Elman):
    """Passes its inputs on, so that what happens between layers can be seen."""

    def init(self, key, input_size):
        return {}

    def project(self, params, xs, *, keys=None):
        return xs

    def mix(self, params, state):
        return jnp.zeros_like(state.h)


def through(dropout, variational):
    cell = Through(400, activation="identity", **FLOAT64)
    return Stack((cell, cell), dropout=dropout, variational=variational)


@pytest.mark.parametrize("variational", [False, True])
def test_dropout_rate_scale_and_reach(variational):
    xs = jnp.ones((6, 5, 400))
    model = through(0.3, variational)
    params = model.init(jax.random.key(0), 400)
    ys = np.asarray(unroll(model, params, xs, key=jax.random.key(1))[0])
    kept = ys != 0
    np.testing.assert_allclose(ys[kept], 1 / 0.7)
    n = kept[0].size if variational else kept.size
    np.testing.assert_allclose(kept.mean(), 0.7, atol=4 * np.sqrt(0.21 / n))
    same_every_step = bool((kept == kept[:1]).all())
    assert same_every_step == variational
    assert (kept[:, 0] != kept[:, 1]).any(), "rows share a mask"
    assert_equal(unroll(model, params, xs)[0], xs)


def test_the_last_layers_outputs_are_not_dropped():
    model = Stack((Through(400, activation="identity", **FLOAT64),), dropout=0.5)
    xs = jnp.ones((3, 2, 400))
    assert_equal(unroll(model, model.init(jax.random.key(0), 400), xs, key=jax.random.key(1))[0], xs)


def test_different_gaps_draw_different_masks():
    cell = Through(400, activation="identity", **FLOAT64)
    two, three = (Stack((cell,) * n, dropout=0.5) for n in (2, 3))
    xs = jnp.ones((1, 1, 400))
    once, twice = (
        np.asarray(unroll(m, m.init(jax.random.key(0), 400), xs, key=jax.random.key(1))[0]) != 0 for m in (two, three)
    )
    np.testing.assert_allclose(once.mean(), 0.5, atol=0.1)
    np.testing.assert_allclose(twice.mean(), 0.25, atol=0.1)
