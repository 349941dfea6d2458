"""Parameters in safetensors files: every cell of the table comes back as it was; what does not fit is named."""

import json

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from harness import D, filled_params
from lstm_jax import GRU, LSTM, Bidirectional, Stack
from lstm_jax.cells import ConvLSTM
from lstm_jax.convert.entries import brief
from lstm_jax.convert.file import load_params, save_params
from table import TABLE

pytest.importorskip("safetensors")


def assert_same(got, expected):
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_what_is_saved_is_loaded(row, tmp_path):
    params = filled_params(row.cell)
    save_params(params, tmp_path / "params.safetensors")
    assert_same(load_params(row.cell, tmp_path / "params.safetensors", D), params)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "float64"])
def test_dtypes_are_kept(dtype, tmp_path):
    path = tmp_path / "params.safetensors"
    with jax.enable_x64(True):
        cell = Stack((LSTM(4, param_dtype=dtype), Bidirectional(GRU(3), GRU(3))))
        params = filled_params(cell)
        save_params(params, path)
        assert_same(load_params(cell, path, D), params)
    if dtype == "float64":
        with pytest.raises(ValueError, match=r"has layers\.0\.\w+ in float64, but JAX is set to 32 bits"):
            load_params(cell, path, D)


def entries(path):
    """Name to (dtype, shape, values), read by the format's description: 8 bytes of length, JSON, numbers."""
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header, body = json.loads(raw[8 : 8 + size]), raw[8 + size :]
    dtypes = {"F32": np.float32, "BF16": ml_dtypes.bfloat16}
    return {
        name: np.frombuffer(body[slice(*e["data_offsets"])], dtypes[e["dtype"]]).reshape(e["shape"])
        for name, e in header.items()
        if name != "__metadata__"
    }


def test_the_file_holds_dotted_names_and_untransposed_arrays(tmp_path):
    path = tmp_path / "params.safetensors"
    params = filled_params(Stack((LSTM(4), Bidirectional(GRU(3, param_dtype="bfloat16"), GRU(3)))))
    save_params(params, path)
    found = entries(path)
    assert found.keys() >= {"layers.0.w_x", "layers.0.b", "layers.1.forward.b_hn", "layers.1.backward.w_h"}
    np.testing.assert_array_equal(found["layers.0.w_h"], params.layers[0].w_h)
    np.testing.assert_array_equal(found["layers.1.forward.w_x"], params.layers[1].forward.w_x)
    transposed = np.arange(6.0, dtype="float32").reshape(2, 3).T
    save_params({"w": transposed}, path)
    np.testing.assert_array_equal(entries(path)["w"], transposed)


def test_what_does_not_fit_is_named(tmp_path):
    path = tmp_path / "params.safetensors"
    save_params(filled_params(LSTM(4)), path)
    with pytest.raises(
        ValueError, match=rf"\.safetensors has w_x \[{D}, 16\] where \[7, 16\] is needed, for LSTM\(4\)"
    ):
        load_params(LSTM(4), path, 7)
    with pytest.raises(ValueError, match=rf"has w_x \[{D}, 16\] where \[{D}, 12\] is needed, .*, for LSTM\(3\)"):
        load_params(LSTM(3), path, D)
    with pytest.raises(ValueError, match=r"lacks layers\.0\.w_x \[5, 16\], .*; has, not expected, .*w_h \[4, 16\]"):
        load_params(Stack((LSTM(4),)), path, D)


def test_a_damaged_file_is_refused_and_a_failed_save_keeps_the_old_one(tmp_path):
    path = tmp_path / "params.safetensors"
    params = filled_params(LSTM(4))
    save_params(params, path)
    with pytest.raises(ValueError, match="key has dtype key<fry>, which safetensors cannot hold"):
        save_params({"w": jnp.ones(3), "key": jax.random.key(0)}, path)
    assert_same(load_params(LSTM(4), path, D), params)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ValueError, match=r"is no whole safetensors file \("):
        load_params(LSTM(4), path, D)


@pytest.mark.parametrize(
    "params, sentence",
    [
        ({"w": jnp.ones(3), "name": "lstm"}, "name is no array, but str"),
        ({"cell": LSTM(4)}, "cell is no array, but LSTM"),
        ({"w": np.ones(2, "complex128")}, "w has dtype complex128, which safetensors cannot hold"),
        (None, "params hold no arrays"),
    ],
)
def test_what_cannot_be_saved_is_named(params, sentence, tmp_path):
    path = tmp_path / "params.safetensors"
    with pytest.raises(ValueError, match=sentence):
        save_params(params, path)
    with pytest.raises(ValueError, match="value is no array, but str: pass parameters, and then the path"):
        save_params(str(path), params)
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*none: make it"):
        save_params({"w": np.ones(2)}, tmp_path / "none" / "params.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", ["int32", "bool", "complex64"])
def test_dtypes_that_the_cell_has_not_are_refused(dtype, tmp_path):
    path = tmp_path / "params.safetensors"
    params = filled_params(LSTM(4))
    save_params(params.replace(b=params.b.astype(dtype)), path)
    with pytest.raises(ValueError, match=f"has b of dtype {dtype} where .*, for LSTM"):
        load_params(LSTM(4), path, D)
    with pytest.raises(TypeError, match=r"pass a cell, such as LSTM\(64\), not its class"):
        load_params(LSTM, path, D)


def test_cells_in_brief():
    cell = Stack((LSTM(4, forget_bias=2.0), Bidirectional(GRU(3), GRU(3), merge="sum")), dropout=0.5)
    told = "Stack((LSTM(4, forget_bias=2.0), Bidirectional(GRU(3), GRU(3), merge='sum')), dropout=0.5)"
    assert brief(cell) == told
    assert brief(Stack((ConvLSTM(2, (4, 3)),))) == "Stack((ConvLSTM(2, (4, 3)),))"


def test_two_leaves_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"'a\.b'"):
        save_params({"a": {"b": jnp.ones(1)}, "a.b": jnp.ones(1)}, tmp_path / "x.safetensors")
