"""Weights from and to Keras' layers in float64, as lists and in files, against the live layers, both ways.

Traps: Keras' axes begin with the batch; on padding it repeats its output where ours is zero; its own examples have
constant kernels, which pass with gates exchanged.
"""

import dataclasses
import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from keras import layers

from harness import assert_equal
from lstm_jax import GRU, LSTM, Bidirectional, Elman, ResetBeforeGRU, Stack, unroll
from lstm_jax.cells import ConvLSTM, ProjectedLSTM
from lstm_jax.convert.keras import from_keras, from_keras_file, to_keras, to_keras_file

# Keras 3.15 with NumPy 2.4: its variables do not know the keyword that NumPy asks for.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

T, B, D, H = 6, 4, 3, 5
LENGTHS = np.array([3, 6, 1, 5])
F64 = {"param_dtype": "float64"}


@keras.saving.register_keras_serializable()
def wide_tanh(x):
    """Keras' own rounds to float32, whatever the layer's dtype."""
    return jnp.tanh(x)


WIDE = {"activation": wide_tanh, "dtype": "float64"}

KINDS = {
    "lstm": (LSTM(H, **F64), layers.LSTM, {}),
    "gru": (GRU(H, **F64), layers.GRU, {}),
    "gru-reset-before": (ResetBeforeGRU(H, **F64), layers.GRU, {"reset_after": False}),
    "elman": (Elman(H, **F64), layers.SimpleRNN, {}),
    "elman-relu": (Elman(H, activation="relu", **F64), layers.SimpleRNN, {"activation": "relu"}),
}
IMAGES = {
    "1d": (ConvLSTM(2, (6,), kernel_size=3, **F64), layers.ConvLSTM1D),
    "2d": (ConvLSTM(2, (5, 4), kernel_size=3, **F64), layers.ConvLSTM2D),
    "3d": (ConvLSTM(2, (3, 4, 2), kernel_size=2, **F64), layers.ConvLSTM3D),
}


@pytest.fixture(autouse=True)
def wide():
    """64 bits; Keras does not bear strict promotion."""
    keras.utils.clear_session()  # layers' names are counted anew
    with jax.enable_x64(True):
        yield


def recurrent(kind, **settings):
    _, layer, more = KINDS[kind]
    return layer(H, return_sequences=True, **(WIDE | more | settings))


def filled(layer, shape):
    """A built layer or model with weights that are all different."""
    layer.build(shape)
    rng = np.random.default_rng(0)
    layer.set_weights([rng.normal(size=w.shape) / 2 for w in layer.get_weights()])
    return layer


def drawn(cell, input_size=D):
    keys = iter(jax.random.split(jax.random.key(1), 50))
    like = cell.init(jax.random.key(0), input_size)
    return jax.tree.map(lambda p: jax.random.normal(next(keys), p.shape, p.dtype) / 2, like)


def inputs(*features):
    return np.random.default_rng(1).normal(size=(T, B, *features))


def run_theirs(layer, xs, lengths=None):
    """Outputs, zero on padding, time first."""
    mask = None if lengths is None else jnp.arange(T) < lengths[:, None]
    ys = np.asarray(layer(jnp.asarray(xs).swapaxes(0, 1), mask=mask)).swapaxes(0, 1)
    if lengths is None:
        return ys
    return np.where((np.arange(T)[:, None] < lengths).reshape(T, B, *[1] * (ys.ndim - 2)), ys, 0.0)


def run_ours(cell, params, xs, lengths=None):
    return unroll(cell, params, jnp.asarray(xs), lengths=lengths)[0]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_layer(kind, bias):
    cell, *_ = KINDS[kind]
    theirs = filled(recurrent(kind, use_bias=bias, return_state=True), (B, T, D))
    params = from_keras(cell, theirs.get_weights())
    assert jax.tree.structure(params) == jax.tree.structure(cell.init(jax.random.key(0), D))
    mask = jnp.arange(T) < LENGTHS[:, None]
    ys, *states = theirs(jnp.asarray(inputs(D)).swapaxes(0, 1), mask=mask)
    got, last = unroll(cell, params, jnp.asarray(inputs(D)), lengths=LENGTHS)
    assert_equal(got, np.where(mask.T[..., None], np.asarray(ys).swapaxes(0, 1), 0.0))
    for field, state in zip(("h", "c"), states, strict=False):
        assert_equal(getattr(last, field), np.asarray(state))
    weights = to_keras(cell, params, bias=bias)
    theirs.set_weights(weights)
    assert_equal(np.asarray(theirs(jnp.asarray(inputs(D)).swapaxes(0, 1), mask=mask)[0]), np.asarray(ys))


@pytest.mark.parametrize("kind", KINDS)
def test_a_mask_with_holes(kind):
    cell, *_ = KINDS[kind]
    theirs = filled(recurrent(kind, return_state=True, zero_output_for_mask=True), (B, T, D))
    mask = np.random.default_rng(2).random((T, B)) < 0.6
    mask[:, 0] = False
    ys, *states = theirs(jnp.asarray(inputs(D)).swapaxes(0, 1), mask=jnp.asarray(mask.T))
    params = from_keras(cell, theirs.get_weights())
    got, last = unroll(cell, params, jnp.asarray(inputs(D)), mask=jnp.asarray(mask))
    assert_equal(got, np.asarray(ys).swapaxes(0, 1))
    for field, state in zip(("h", "c"), states, strict=False):
        assert_equal(getattr(last, field), np.asarray(state))


@pytest.mark.parametrize("kind", ["lstm", "gru", "gru-reset-before", "elman"])
def test_a_layer_with_its_own_activations_in_float32(kind):
    cell, *_ = KINDS[kind]
    cell = dataclasses.replace(cell, param_dtype="float32")
    theirs = filled(recurrent(kind, activation="tanh", dtype="float32"), (B, T, D))
    xs = inputs(D).astype("float32")
    got = run_ours(cell, from_keras(cell, theirs.get_weights()), xs, LENGTHS)
    assert got.dtype == "float32"
    assert_equal(got, run_theirs(theirs, xs, LENGTHS), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("merge, mode", [("concat", "concat"), ("sum", "sum"), ("mean", "ave")])
@pytest.mark.parametrize("kind", KINDS)
def test_both_directions(kind, merge, mode):
    cell, *_ = KINDS[kind]
    both = Bidirectional(cell, cell, merge=merge)
    theirs = filled(layers.Bidirectional(recurrent(kind), merge_mode=mode, dtype="float64"), (B, T, D))
    params = from_keras(both, theirs.get_weights())
    assert_equal(run_ours(both, params, inputs(D), LENGTHS), run_theirs(theirs, inputs(D), LENGTHS))
    ours = drawn(both)
    theirs.set_weights(to_keras(both, ours))
    assert_equal(run_ours(both, ours, inputs(D), LENGTHS), run_theirs(theirs, inputs(D), LENGTHS))
    if "gru" not in kind:
        assert_equal(from_keras(both, to_keras(both, ours)), ours, rtol=0, atol=0)


@pytest.mark.parametrize("kind", IMAGES)
def test_images(kind):
    cell, layer = IMAGES[kind]
    theirs = layer(2, cell.kernel_size, padding="same", return_sequences=True, **WIDE)
    filled(theirs, (B, T, *cell.space, D))
    xs = inputs(*cell.space, D)
    assert_equal(run_ours(cell, from_keras(cell, theirs.get_weights()), xs), run_theirs(theirs, xs))
    ours = drawn(cell)
    theirs.set_weights(to_keras(cell, ours))
    assert_equal(run_ours(cell, ours, xs), run_theirs(theirs, xs))
    assert_equal(from_keras(cell, to_keras(cell, ours)), ours, rtol=0, atol=0)


def model(dropout=0.0):
    """Three recurrent layers of different kinds, one of them in a model of its own, and a dense one."""
    inner = keras.Sequential([layers.GRU(H, return_sequences=True, **WIDE)], name="inner")
    return keras.Sequential(
        [
            keras.Input((T, D), dtype="float64"),
            layers.LSTM(H, return_sequences=True, dropout=dropout, name="first", **WIDE),
            layers.Bidirectional(
                layers.LSTM(2, return_sequences=True, recurrent_dropout=dropout, **WIDE), dtype="float64"
            ),
            inner,
            layers.Dense(2, dtype="float64"),
        ]
    )


CELL = Stack((LSTM(H, **F64), Bidirectional(LSTM(2, **F64), LSTM(2, **F64)), GRU(H, **F64)))
LAYERS = ("first", "layers/bidirectional", "layers/sequential/layers/gru")


def whole(cell, params, dense, xs):
    """Our layers, then Keras' dense one."""
    return run_ours(cell, params, xs) @ dense[0] + dense[1]


def test_a_stack_is_the_layers_weights_in_one_list():
    theirs = filled(model(), (None, T, D))
    weights = theirs.get_weights()
    params = from_keras(CELL, weights[:-2])
    assert_equal(whole(CELL, params, weights[-2:], inputs(D)), run_theirs(theirs, inputs(D)))
    assert_equal(to_keras(CELL, from_keras(CELL, to_keras(CELL, params))), to_keras(CELL, params), rtol=0, atol=0)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_a_file_that_keras_wrote(tmp_path, dropout):
    path = tmp_path / "model.weights.h5"
    theirs = filled(model(dropout), (None, T, D))
    theirs.save_weights(path)
    params = from_keras_file(CELL, path, LAYERS)
    dense = theirs.get_weights()[-2:]
    assert_equal(whole(CELL, params, dense, inputs(D)), run_theirs(theirs, inputs(D)))
    one = from_keras_file(CELL.cells[0], str(path), "first")
    assert_equal(one, params.layers[0], rtol=0, atol=0)


def test_a_file_that_keras_reads_again(tmp_path):
    path = tmp_path / "model.weights.h5"
    theirs = filled(model(), (None, T, D))
    theirs.save_weights(path)
    dense = theirs.get_weights()[-2:]
    ours = drawn(CELL)
    to_keras_file(CELL, ours, path, LAYERS)
    fresh = model()
    fresh.load_weights(path)
    assert_equal(whole(CELL, ours, dense, inputs(D)), run_theirs(fresh, inputs(D)))
    assert_equal(from_keras_file(CELL, path, LAYERS), ours, rtol=0, atol=0)


def test_a_file_without_biases(tmp_path):
    path = tmp_path / "model.weights.h5"
    theirs = keras.Sequential([keras.Input((T, D)), layers.LSTM(H, use_bias=False, dtype="float64")])
    theirs.save_weights(path)
    cell = LSTM(H, **F64)
    params = from_keras_file(cell, path, "layers/lstm")
    np.testing.assert_array_equal(params.w_h, theirs.get_weights()[1])
    to_keras_file(cell, params.replace(w_h=params.w_h * 2), path, "layers/lstm")
    theirs.load_weights(path)
    np.testing.assert_array_equal(theirs.get_weights()[1], params.w_h * 2)
    with pytest.raises(ValueError, match="bias that is not zero, and a Keras layer with use_bias=False"):
        to_keras_file(cell, params.replace(b=params.b + 1), path, "layers/lstm")


def test_what_does_not_fit_is_named(tmp_path):
    theirs = filled(layers.LSTM(H), (B, T, D))
    weights = theirs.get_weights()
    with pytest.raises(ValueError, match=r"weights has kernel \[3, 20\] where \[3, 16\] is needed, .* for LSTM\(4\)"):
        from_keras(LSTM(4), weights)
    with pytest.raises(ValueError, match=r"kernel \[3, 20\] where \[3, 15\] is needed, .* for GRU\(5\)"):
        from_keras(GRU(H), weights)
    with pytest.raises(ValueError, match=r"holds 3 arrays where 6 .*or 4 without biases, are needed, for Bi"):
        from_keras(Bidirectional(LSTM(H), LSTM(H)), weights)
    with pytest.raises(ValueError, match=r"kernel \[3\] where \[0, 20\] is needed, for LSTM\(5\)"):
        from_keras(LSTM(H), [weights[0][:, 0], *weights[1:]])
    before = filled(layers.GRU(H, reset_after=False), (B, T, D))
    with pytest.raises(ValueError, match=r"bias \[15\] where \[2, 15\] is needed, for GRU\(5\)"):
        from_keras(GRU(H), before.get_weights())
    with pytest.raises(ValueError, match="Keras has no ProjectedLSTM"):
        from_keras(ProjectedLSTM(H, 2), weights)
    with pytest.raises(ValueError, match="peepholes=False"):
        from_keras(ConvLSTM(2, (4, 4), peepholes=True), weights)
    path = tmp_path / "model.weights.h5"
    with pytest.raises(FileNotFoundError, match=r"write it with model\.save_weights"):
        from_keras_file(LSTM(H), path, "lstm")
    filled(model(), (None, T, D)).save_weights(path)
    with pytest.raises(ValueError, match=r"no recurrent layer called 'lstm'; there are: .*'first' \(layers/lstm\)"):
        from_keras_file(LSTM(H), path, "lstm")
    with pytest.raises(ValueError, match="layers must name 3 of the file"):
        from_keras_file(CELL, path, "first")
    kept = path.read_bytes()
    wrong = LSTM(H).init(jax.random.key(0), D + 1)
    with pytest.raises(ValueError, match=r"/lstm/cell/vars/0 \[3, 20\] where \[4, 20\] is needed, for LSTM\(5\)"):
        to_keras_file(LSTM(H), wrong, path, "first")
    assert path.read_bytes() == kept


def test_arguments_of_other_kinds(tmp_path):
    theirs = filled(layers.LSTM(H), (B, T, D))
    for wrong in (theirs, None, {}, "lstm"):
        with pytest.raises(TypeError, match=r"pass layer\.get_weights\(\)"):
            from_keras(LSTM(H), wrong)
    path = tmp_path / "model.weights.h5"
    for convert in (from_keras, to_keras, lambda *both: from_keras_file(both[0], path, "lstm")):
        with pytest.raises(TypeError, match=r"pass a cell, such as LSTM\(64\), not its class"):
            convert(LSTM, theirs.get_weights())
    filled(model(), (None, T, D)).save_weights(path)
    params = LSTM(H).init(jax.random.key(0), D)
    for cell, wrong in ((Stack((LSTM(H),)), params), (LSTM(H), Stack((LSTM(H),)).init(jax.random.key(0), D))):
        with pytest.raises(ValueError, match=r"^params lacks .*w_x"):
            to_keras(cell, wrong)
        with pytest.raises(ValueError, match=r"^params lacks .*w_x"):
            to_keras_file(cell, wrong, path, "first")
    with pytest.raises(ValueError, match="other containers, dict where DenseParams is needed"):
        to_keras(LSTM(H), vars(params))
    twice = Stack((LSTM(H), LSTM(H)))
    with pytest.raises(ValueError, match=r"must name different layers of .*, each once"):
        to_keras_file(twice, twice.init(jax.random.key(0), D), path, ("first", "layers/lstm"))


def test_files_that_are_no_weights(tmp_path):
    path = tmp_path / "model.weights.h5"
    filled(model(), (None, T, D)).save_weights(path)
    for content in (path.read_bytes()[:-100], b"weights", b""):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"model\.weights\.h5 is not a whole HDF5 file: .*NAME\.weights\.h5"):
            from_keras_file(LSTM(H), path, "first")
    keras.Sequential([keras.Input((T, D)), layers.Dense(2)]).save_weights(path)
    with pytest.raises(ValueError, match=r"has no recurrent layers: only \.weights\.h5 files of Keras 3"):
        from_keras_file(LSTM(H), path, "first")
