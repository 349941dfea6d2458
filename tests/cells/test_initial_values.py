"""Initial values: what the docstrings and papers say of them."""

import dataclasses
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
    MGU,
    NIG,
    URLSTM,
    ConvLSTM,
    FullGateLSTM,
    IndRNN,
    LayerNormLSTM,
    MultiplicativeLSTM,
    PeepholeLSTM,
    ProjectedLSTM,
    with_chrono,
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


@pytest.mark.parametrize("recurrent", ["identity", "glorot"])
def test_recurrent_weights_as_asked_for(recurrent):
    blocks = np.split(np.asarray(LSTM(H, recurrent=recurrent).init(KEY, 3).w_h), 4, axis=1)
    for block in blocks:
        if recurrent == "identity":
            np.testing.assert_array_equal(block, np.eye(H))
        else:
            assert 0.9 * np.sqrt(3 / H) < np.abs(block).max() <= np.sqrt(3 / H)


def test_fixed_chrono_biases_are_those_of_one_distance():
    i, f = chrono(KEY, H, 100.0, fixed=True)
    np.testing.assert_allclose(f, np.full(H, np.log(99.0)), rtol=1e-6)
    np.testing.assert_array_equal(i, -f)


@pytest.mark.parametrize(
    "kind, gates, settings",
    [
        (PeepholeLSTM, "ifgo", {}),
        (CIFG, "igo", {}),
        (NIG, "fgo", {}),
        (FullGateLSTM, "ifgo", {}),
        (LayerNormLSTM, "ifgo", {}),
        (ProjectedLSTM, "ifgo", {"projection_size": 3}),
        (MultiplicativeLSTM, "ifgo", {}),
        (ConvLSTM, "ifgo", {"space": (3, 3)}),
    ],
)
def test_forget_bias_of_the_whole_family(kind, gates, settings):
    b = np.asarray(kind(hidden_size=H, forget_bias=2.5, **settings).init(KEY, 5).b)
    blocks = dict(zip(gates, np.split(b, len(gates)), strict=True))
    np.testing.assert_array_equal(blocks.pop("f", 2.5), 2.5)
    np.testing.assert_array_equal(list(blocks.values()), 0.0)


def test_uniform_gates():
    """Forgetting is uniform in [1/H, 1 - 1/H], refining starts with the opposite bias (Gu et al. 2020)."""
    f, r, g, o = np.split(np.asarray(URLSTM(64).init(KEY, 1).b), 4)
    np.testing.assert_array_equal(r, -f)
    np.testing.assert_array_equal([g, o], 0.0)
    plain, g, o = np.split(np.asarray(URLSTM(64, refine=False).init(KEY, 1).b), 3)
    np.testing.assert_array_equal([g, o], 0.0)
    for biases, atol in ((f, 0.2), (plain, 0.2), (uniform_gate(KEY, 4096), 0.03)):
        np.testing.assert_allclose(np.quantile(1 / (1 + np.exp(-biases)), [0, 0.5, 1]), [0, 0.5, 1], atol=atol)
    assert not np.any(np.asarray(URLSTM(H, uniform=False).init(KEY, 1).b))
    many = jax.random.split(KEY, 1000)
    narrow = 1 / (1 + np.exp(-jax.vmap(lambda key: uniform_gate(key, 4))(many)))
    np.testing.assert_allclose([narrow.min(), narrow.max()], [1 / 4, 3 / 4], atol=0.01)
    smallest = 1 / (1 + np.exp(-jax.vmap(lambda key: uniform_gate(key, 1))(many)))
    assert np.ptp(smallest) == pytest.approx(1 / 3, abs=0.02), "below 3 units as with 3"


def columns(matrix, *widths):
    """A matrix [rows, sum of widths] cut by columns; of a kernel [*space, rows, columns], its places are rows."""
    flat = np.asarray(matrix, np.float64).reshape(-1, matrix.shape[-1])
    assert flat.shape[1] == sum(widths)
    return np.split(flat, np.cumsum(widths)[:-1], axis=1)


FAMILY = {
    "peephole": (PeepholeLSTM(H), {"w_x": (H,) * 4}, {"w_h": (H,) * 4}),
    "cifg": (CIFG(H), {"w_x": (H,) * 3}, {"w_h": (H,) * 3}),
    "full-gate": (FullGateLSTM(H), {"w_x": (H,) * 4}, {"w_h": (H,) * 4, "w_r": (H,) * 3}),
    "layer-norm": (LayerNormLSTM(H), {"w_x": (H,) * 4}, {"w_h": (H,) * 4}),
    "projected": (ProjectedLSTM(H, 7), {"w_x": (H,) * 4, "w_p": (7,)}, {"w_h": (H,) * 4}),
    "multiplicative": (
        MultiplicativeLSTM(H),
        {"w_x": (H,) * 4, "w_xm": (H,)},
        {"w_m": (H,) * 4, "w_hm": (H,)},
    ),
    "ur-lstm": (URLSTM(H), {"w_x": (H,) * 4}, {"w_h": (H,) * 4}),
    "lstm-1997": (LSTM1997(H, block_size=2), {"w_x": (H // 2, H // 2, H)}, {"w_h": (H // 2, H // 2, H)}),
    "mgu": (MGU(H), {"w_x": (H,) * 2}, {"w_h": (H,) * 2}),
    "indrnn": (IndRNN(H), {"w_x": (H,)}, {}),
}


@pytest.mark.parametrize("name", FAMILY)
def test_weights_of_the_whole_family(name):
    """Glorot bounds and orthogonal columns (or rows, where they are the longer ones) in each gate; no draw twice."""
    cell, inputs, recurrent = FAMILY[name]
    params = cell.init(KEY, 60)
    blocks = []
    for weights, widths in inputs.items():
        for block in columns(getattr(params, weights), *widths):
            bound = np.sqrt(6 / sum(block.shape))
            assert np.abs(block).max() <= bound * (1 + 1e-6)
            np.testing.assert_allclose(block.std(), bound / np.sqrt(3), rtol=0.1)
            blocks.append(block)
    for weights, widths in recurrent.items():
        for block in columns(getattr(params, weights), *widths):
            tall = block if block.shape[0] >= block.shape[1] else block.T
            np.testing.assert_allclose(tall.T @ tall, np.eye(tall.shape[1]), atol=1e-5)
            blocks.append(block)
    for left, right in pairwise(blocks):
        assert left.shape != right.shape or np.abs(left - right).max() > 0.01, "two blocks drew the same weights"
    others = {k: v for k, v in vars(params).items() if k not in {*inputs, *recurrent, "b", "w_h"}}
    for gain in ("gain_x", "gain_h", "gain_c"):
        np.testing.assert_array_equal(others.pop(gain, 1.0), 1.0)
    assert not any(np.any(np.asarray(rest)) for rest in others.values()), "peepholes and shifts start at zero"


def test_recurrent_weights_of_an_indrnn_are_uniform():
    w_h = np.asarray(IndRNN(4096).init(KEY, 3).w_h)
    assert w_h.shape == (4096,)
    np.testing.assert_allclose(np.quantile(w_h, [0, 0.5, 1]), [0, 0.5, 1], atol=0.03)


@pytest.mark.parametrize("peepholes", [False, True])
def test_kernels_of_a_conv_lstm(peepholes):
    params = ConvLSTM(4, (6, 5), kernel_size=3, peepholes=peepholes).init(KEY, 9)
    assert params.w_x.shape == (3, 3, 9, 16) and params.w_h.shape == (3, 3, 4, 16)
    assert params.p is None if not peepholes else params.p.shape == (6, 5, 12) and not np.any(np.asarray(params.p))
    bound = np.sqrt(6 / (9 * (9 + 4)))
    for block in columns(params.w_x, *(4,) * 4):
        assert 0.95 * bound < np.abs(block).max() <= bound * (1 + 1e-6)
    blocks = columns(params.w_h, *(4,) * 4)
    for left, right in pairwise(blocks):
        np.testing.assert_allclose(left.T @ left, np.eye(4), atol=1e-5)
        assert np.abs(left - right).max() > 0.01


def test_identity_recurrence():
    np.testing.assert_array_equal(IRNN(H).init(KEY, 3).w_h, np.eye(H))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_parameters_have_the_dtype_asked_for(dtype):
    cells = [LSTM(H, param_dtype=dtype, chrono=9.0), GRU(H, param_dtype=dtype), Elman(H, param_dtype=dtype)]
    cells += [dataclasses.replace(cell, param_dtype=dtype) for cell, _, _ in FAMILY.values()]
    for cell in [*cells, ConvLSTM(2, (3,), peepholes=True, param_dtype=dtype)]:
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


def test_with_chrono_sets_an_lstm_and_leaves_another_cell():
    assert with_chrono(LSTM(4), 50) == LSTM(4, chrono=50)
    assert with_chrono(LSTM(4), 1) == LSTM(4, chrono=3)
    assert with_chrono(GRU(4), 50) == GRU(4)
