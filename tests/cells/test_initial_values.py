"""Initial values: what the docstrings and papers say of them."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax import GRU, LSTM, Elman, ResetBeforeGRU
from lstm_jax.cells import (
    CIFG,
    IRNN,
    LSTM1997,
    NIG,
    URLSTM,
    ConvLSTM,
    FullGateLSTM,
    LayerNormLSTM,
    MultiplicativeLSTM,
    PeepholeLSTM,
    ProjectedLSTM,
)
from lstm_jax.initializers import chrono, uniform_gate

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


def test_fixed_chrono_biases_are_all_of_the_longest_dependency():
    i, f = chrono(KEY, H, 100.0, fixed=True)
    np.testing.assert_allclose(f, np.log(99.0), rtol=1e-6)
    np.testing.assert_array_equal(i, -f)


def test_uniform_gates_are_uniform():
    gate = jax.nn.sigmoid(uniform_gate(KEY, 4096))
    np.testing.assert_allclose(np.quantile(gate, [0, 0.25, 0.5, 0.75, 1]), [0, 0.25, 0.5, 0.75, 1], atol=0.02)
    assert gate.min() * (1 + 1e-4) >= 1 / 4096 and gate.max() <= 1 - 1 / 4096 + 1e-6


def test_refine_gates_start_opposite_to_uniform_forget_gates():
    f, r, g, o = np.split(np.asarray(URLSTM(H).init(KEY, 3).b), 4)
    np.testing.assert_array_equal(r, -f)
    np.testing.assert_array_equal([g, o], 0.0)
    assert len(set(f.tolist())) == H
    np.testing.assert_array_equal(URLSTM(H, uniform=False).init(KEY, 3).b, 0.0)


@pytest.mark.parametrize(
    "cell, gates, forget",
    [
        (PeepholeLSTM(H, forget_bias=2.5), 4, 1),
        (NIG(H, forget_bias=2.5), 3, 0),
        (LayerNormLSTM(H, forget_bias=2.5), 4, 1),
        (ProjectedLSTM(H, 3, forget_bias=2.5), 4, 1),
        (FullGateLSTM(H, forget_bias=2.5), 4, 1),
        (MultiplicativeLSTM(H, forget_bias=2.5), 4, 1),
        (ConvLSTM(H, (3,), forget_bias=2.5), 4, 1),
        (CIFG(H, forget_bias=2.5), 3, None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_forget_biases_of_the_family(cell, gates, forget):
    biases = np.split(np.asarray(cell.init(KEY, 5).b), gates)
    for gate, bias in enumerate(biases):
        np.testing.assert_array_equal(bias, 2.5 if gate == forget else 0.0)


def test_orthogonal_kernels_of_images():
    w_h = np.asarray(ConvLSTM(3, (4, 4)).init(KEY, 2).w_h)
    for gate in np.split(w_h.reshape(-1, 4 * 3), 4, axis=1):
        np.testing.assert_allclose(gate.T @ gate, np.eye(3), atol=1e-5)


@pytest.mark.parametrize("recurrent", ["identity", "glorot"])
def test_recurrent_weights_as_asked_for(recurrent):
    blocks = np.split(np.asarray(LSTM(H, recurrent=recurrent).init(KEY, 3).w_h), 4, axis=1)
    for block in blocks:
        if recurrent == "identity":
            np.testing.assert_array_equal(block, np.eye(H))
        else:
            assert 0.9 * np.sqrt(3 / H) < np.abs(block).max() <= np.sqrt(3 / H)


def test_identity_recurrence():
    np.testing.assert_array_equal(IRNN(H).init(KEY, 3).w_h, np.eye(H))


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
        (lambda: LSTM(4, recurrent="ortogonal"), "did you mean 'orthogonal'"),
        (lambda: PeepholeLSTM(4, without=("g",)), "choose one of 'i', 'f', 'o'"),
        (lambda: CIFG(4, without=("i",)), "coupled=True needs both of the gates i and f"),
        (lambda: PeepholeLSTM(4, clip=0.0), "clip must be above 0, got 0.0"),
        (lambda: ProjectedLSTM(4, 0), "projection_size must be a whole number of at least 1, got 0"),
        (lambda: ProjectedLSTM(4, 2, cell_clip=-1.0), "cell_clip must be above 0, got -1.0"),
        (lambda: LSTM1997(4, block_size=3), "block_size must divide hidden_size = 4, got 3"),
        (lambda: ConvLSTM(4, 32), "space must be 1 to 3 sizes of an image"),
        (lambda: ConvLSTM(4, (3, 0)), "space must be a whole number of at least 1, got 0"),
    ],
)
def test_bad_settings_are_refused(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()
