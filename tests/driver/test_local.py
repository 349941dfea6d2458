"""Gradients of what `update` learns: a scalar, a vector and a matrix, some summed in the loop, some at once."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct

from harness import assert_equal, outcome, sequence
from lstm_jax import GatedCell, HiddenState
from lstm_jax.driver.local import local
from lstm_jax.initializers import dense

H = 3


@struct.dataclass
class LocalParams:
    w_x: jax.Array
    w_h: jax.Array
    b: jax.Array
    scale: jax.Array
    gain: jax.Array
    turn: jax.Array
    unused: jax.Array


@dataclass(frozen=True)
class LocalCell(GatedCell):
    hidden_size: int
    param_dtype: str = "float64"
    dtype: str | None = None

    def init(self, key, input_size):
        params = dense(key, input_size, self.hidden_size, gates=1, dtype=self.param_dtype)
        keys = jax.random.split(key, 2)
        gain, turn = (
            jax.random.normal(k, shape, self.param_dtype) for k, shape in zip(keys, ((H,), (H, H)), strict=True)
        )
        return LocalParams(params.w_x, params.w_h, params.b, jnp.asarray(0.7, self.param_dtype), gain, turn, gain)

    def update(self, params, a, state):
        gain = jnp.broadcast_to(params.gain, a.shape)
        return HiddenState(
            h=jnp.tanh(a * gain) * jnp.broadcast_to(params.scale, a.shape) + 0.1 * jnp.sin(state.h) @ params.turn
        )


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("batch", [(), (3,), (2, 3)], ids=str)
@pytest.mark.parametrize("remat", [False, True], ids=["kept", "remat"])
def test_gradients_are_those_of_the_plain_scan(batch, remat):
    params, xs, state = sequence(LocalCell(H), batch)
    got = outcome(LocalCell(H), params, xs, state, chunk=4, remat=remat)
    assert_equal(got, outcome(LocalCell(H), params, xs, state, vjp="autodiff"))
    assert not np.any(got["d_params"].unused) and np.all(got["d_params"].turn)


def test_vectors_are_summed_in_the_loop_where_there_are_rows():
    cell = LocalCell(H, param_dtype="float32")
    params, _, state = sequence(cell, (2,), dtype="float32")
    a = jnp.ones((2, H))
    names = list(vars(params))
    by_row, not_by_row = (local(cell, params, a, state, by_row=flag) for flag in (True, False))
    assert [name for name, flag in zip(names, by_row.in_loop, strict=True) if flag] == ["scale", "gain"]
    assert [name for name, flag in zip(names, by_row.at_once, strict=True) if flag] == ["turn"]
    assert not any(not_by_row.in_loop)
    assert [name for name, flag in zip(names, not_by_row.at_once, strict=True) if flag] == ["scale", "gain", "turn"]
