"""Merged rows and transposed matrices change the speed, never the gradient."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from harness import assert_equal, outcome, sequence
from lstm_jax import LSTM
from lstm_jax.cell import bernoulli
from lstm_jax.driver.layout import merged, stood_up, transposed, unmerged

pytestmark = pytest.mark.usefixtures("float64")


@dataclass(frozen=True)
class NoisyLSTM(LSTM):
    """Draws at every step and row, but holds nothing of a row's own: its steps are merged with the rows."""

    def project(self, params, xs, *, keys=None):
        if keys is not None:
            xs = jnp.where(bernoulli(keys, 0.7, xs.shape[-1]), xs, 0.0)
        return super().project(params, xs)


@pytest.mark.parametrize("batch", [(), (3,), (2, 3), (0,)])
def test_gradients_with_draws_at_every_step(batch):
    cell = NoisyLSTM(4, param_dtype="float64")
    params, xs, state = sequence(cell, batch)
    fast, plain = (
        outcome(cell, params, xs, state, vjp=vjp, chunk=3, key=jax.random.key(2)) for vjp in ("hoisted", "autodiff")
    )
    assert_equal(fast, plain)


def test_a_matrix_is_transposed_and_stood_up_again():
    tree = {"w": jnp.arange(6.0).reshape(2, 3), "b": jnp.arange(3.0), "k": jnp.arange(24.0).reshape(2, 3, 4)}
    lying = jax.tree.map(transposed, tree)
    assert {name: leaf.shape for name, leaf in lying.items()} == {"w": (3, 2), "b": (3,), "k": (2, 3, 4)}
    jax.tree.map(np.testing.assert_array_equal, stood_up(lying), tree)


def test_merging_rows():
    leaf = jnp.arange(24).reshape(2, 3, 4)
    assert merged(leaf).shape == (6, 4)
    np.testing.assert_array_equal(unmerged(merged(leaf), (2, 3)), leaf)
