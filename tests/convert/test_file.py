"""Parameters in safetensors files: every cell of the table comes back as it was; what does not fit is named."""

import json

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from harness import D, filled_params
from lstm_jax import GRU, LSTM, Bidirectional, Stack
from lstm_jax.convert.file import load_params, save_params
from table import CELLS, WRAPPERS

pytest.importorskip("safetensors")


def assert_same(got, expected):
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


@pytest.mark.parametrize("row", [*CELLS, *WRAPPERS], ids=lambda row: row.name)
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
    with pytest.raises(ValueError, match=rf"params\.safetensors has w_x \[{D}, 16\] where LSTM.* needs \[7, 16\]"):
        load_params(LSTM(4), path, 7)
    with pytest.raises(ValueError, match=rf"has w_x \[{D}, 16\] where LSTM\(hidden_size=3.* needs \[{D}, 12\]"):
        load_params(LSTM(3), path, D)
    with pytest.raises(ValueError, match=r"missing: layers\.0\.w_x \[5, 16\].*; not expected: .*w_h \[4, 16\]"):
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
    with pytest.raises(ValueError, match="is not a whole safetensors file"):
        load_params(LSTM(4), path, D)


def test_two_leaves_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"'a\.b'"):
        save_params({"a": {"b": jnp.ones(1)}, "a.b": jnp.ones(1)}, tmp_path / "x.safetensors")
