"""Initial values: what the docstrings and papers say of them."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax import GRU, LSTM, Elman, ResetBeforeGRU
from lstm_jax.initializers import chrono

H = 16
KEY = jax.random.key(0)


@pytest.mark.parametrize("cell, gates", [(LSTM(H), 4), (GRU(H), 3), (ResetBeforeGRU(H), 3), (Elman(H), 1)])
def test_recurrent_weights_are_orthogonal_in_each_gate(cell, gates):
    blocks = np.split(np.asarray(cell.init(KEY, 5).w_h), gates, axis=1)
    for block in blocks:
        np.testing.assert_allclose(block.T @ block, np.eye(H), atol=1e-5)
    for left, right in pairwise(blocks):
        assert np.abs(left - right).max() > 0.1, "two gates drew the same weights"


def test_input_weights_are_glorot_in_each_gate():
    w_x = np.asarray(LSTM(64).init(KEY, 100).w_x)
    bound = np.sqrt(6 / (100 + 64))
    assert w_x.max() <= bound and w_x.max() > 0.98 * bound
    assert abs(w_x.mean()) < 0.01


def test_input_and_recurrent_weights_are_drawn_apart():
    params = Elman(H, recurrent="glorot").init(KEY, H)
    assert np.abs(np.asarray(params.w_x - params.w_h)).max() > 0.1


def test_forget_bias_is_on_the_forget_gate_alone():
    i, f, g, o = np.split(np.asarray(LSTM(H, forget_bias=2.5).init(KEY, 5).b), 4)
    np.testing.assert_array_equal(f, 2.5)
    np.testing.assert_array_equal([i, g, o], 0.0)


def test_chrono_biases_are_opposite_and_span_the_dependency():
    i, f, g, o = np.split(np.asarray(LSTM(H, chrono=100.0).init(KEY, 1).b), 4)
    np.testing.assert_array_equal(i, -f)
    np.testing.assert_array_equal([g, o], 0.0)
    assert f.min() >= 0.0 and f.max() <= np.log(99.0) and len(set(f.tolist())) == H
    forgetting_time = np.exp(chrono(KEY, 4096, 100.0)[1])
    np.testing.assert_allclose(np.quantile(forgetting_time, [0, 0.5, 1]), [1, 50, 99], rtol=0.05)
    assert forgetting_time.max() <= 99.0 * (1 + 1e-5), "up to t_max - 1 and no further, but for rounding"


def test_identity_recurrence():
    np.testing.assert_array_equal(Elman(H, activation="relu", recurrent="identity").init(KEY, 3).w_h, np.eye(H))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_parameters_have_the_dtype_asked_for(dtype):
    for cell in (LSTM(H, param_dtype=dtype, chrono=9.0), GRU(H, param_dtype=dtype), Elman(H, param_dtype=dtype)):
        assert {p.dtype for p in jax.tree.leaves(cell.init(KEY, 3))} == {jnp.dtype(dtype)}


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: LSTM(0), "hidden_size must be a whole number of at least 1, got 0"),
        (lambda: GRU(2.5), "hidden_size must be a whole number of at least 1, got 2.5"),
        (lambda: LSTM(4, activation="tan"), "did you mean 'tanh'"),
        (lambda: LSTM(4, chrono=2), "must be above 2, got 2"),
        (lambda: Elman(4, recurrent="identiy"), "did you mean 'identity'"),
    ],
)
def test_bad_settings_are_refused(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()
