"""cuDNN's LSTM: its weights, all of its path but cuDNN itself, and what it is called with (`simulated_cudnn`)."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import rnn
from jax.sharding import AxisType

from harness import LENGTHS, B, D, T, assert_equal, outcome, sequence, weigh
from lstm_jax import LSTM, unroll
from lstm_jax.driver import watch
from lstm_jax.kernels import cudnn
from simulated_cudnn import BOTH_WAYS, CELL, KEY, RAGGED, RTOL, H, bound, equals_the_scan, example, gradient_jaxpr

pytestmark = pytest.mark.proof

# The weights.


@pytest.mark.parametrize("input_size, hidden_size", [(5, 4), (1, 3), (4, 1)])
def test_the_reference_unpacks_what_was_packed(input_size, hidden_size):
    params = LSTM(hidden_size, chrono=9.0).init(jax.random.key(0), input_size)
    w = cudnn.packed(params)
    assert w.shape == (rnn.get_num_params_in_lstm(input_size, hidden_size, 1, False),)
    got = [part[0] for part in rnn.unpack_lstm_weights(w, input_size, hidden_size, 1, False)]
    for part, own in zip(got, (params.w_x.T, params.w_h.T, params.b, 0 * params.b), strict=True):
        np.testing.assert_array_equal(part, own)


def test_the_reference_computes_what_we_do():
    """jax's own code on our weights against our scan: the order of the gates, and what padding means."""
    params, xs, state = example()
    lengths = jnp.array([1, 5, 9])
    weights = rnn.unpack_lstm_weights(cudnn.packed(params), D, H, 1, False)
    y, h_n, c_n = rnn.lstm_ref(xs.swapaxes(0, 1), state.h[None], state.c[None], *weights, lengths, D, H, 1, 0.0, False)
    outputs, last = unroll(CELL, params, xs, state, lengths=lengths)
    assert_equal((y.swapaxes(0, 1), h_n[0], c_n[0]), (outputs, last.h, last.c), RTOL, RTOL)


# All of the path but cuDNN itself.


@pytest.mark.parametrize(
    "batch, ragged, reverse",
    [
        ((B,), False, False),
        ((B,), True, False),
        ((B,), True, True),
        ((), False, True),
        ((), True, False),
        ((2, 3), True, True),
        ((2, 1, 2), False, False),
    ],
)
def test_outputs_states_and_gradients_are_those_of_the_scan(calls, batch, ragged, reverse):
    params, xs, state = example(CELL, batch)
    rows = int(np.prod(batch))
    options = {"lengths": jnp.resize(RAGGED[::-1], rows).reshape(batch)} if ragged else {}
    equals_the_scan(CELL, params, xs, state, reverse=reverse, **options)
    assert calls and set(calls) == {(rows, T, D)}


@pytest.mark.parametrize("lengths", [(0, 0, 0), (T, T, T), (0, 1, T - 1)], ids=str)
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
def test_lengths_from_0_to_T(calls, lengths, reverse):
    params, xs, state = example()
    xs = jnp.where((jnp.arange(T)[:, None] < jnp.array(lengths))[..., None], xs, jnp.nan)
    got = equals_the_scan(CELL, params, xs, state, lengths=jnp.array(lengths), reverse=reverse)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(got))
    for row in np.flatnonzero(np.equal(lengths, 0)):
        assert_equal((got["last"].h[row], got["last"].c[row]), (state.h[row], state.c[row]))
        assert not np.any(got["outputs"][:, row]) and not np.any(got["d_xs"][:, row])


def test_a_row_of_length_0_is_not_looked_at(calls):
    params, xs, state = example()
    state = state.replace(h=state.h.at[0].set(jnp.nan), c=state.c.at[0].set(jnp.inf))
    got = outcome(CELL, params, xs, state, lengths=RAGGED, backend="cudnn")
    assert LENGTHS[0] == 0
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((got["d_params"], got["d_xs"], got["outputs"])))


def test_cotangents_of_padding_are_not_looked_at(calls):
    params, xs, state = example()
    inside = (jnp.arange(T)[:, None] < RAGGED)[..., None]

    def loss(params, backend, padding):
        outputs, _ = unroll(CELL, params, xs, state, lengths=RAGGED, backend=backend)
        return jnp.sum(outputs * jnp.where(inside, 1.0, padding))

    gradient = jax.grad(loss)
    assert_equal(gradient(params, "cudnn", jnp.nan), gradient(params, "scan", 0.0), RTOL, RTOL)


def test_what_cudnn_leaves_in_padding_goes_nowhere(calls):
    """Nor what is there before: a wrapper around the layer may use its inputs' cotangents once more."""
    params, xs, state = example()

    def loss(xs):
        return weigh(cudnn.unroll_cudnn(params, xs, state, RAGGED, lambda *_: None, reverse=False, required=True))

    inside = (jnp.arange(T)[:, None] < RAGGED)[..., None]
    value, d_xs = jax.value_and_grad(loss)(jnp.where(inside, xs, jnp.nan))
    assert np.isfinite(value) and np.isfinite(d_xs).all()
    assert not np.any(jnp.where(inside, 0, d_xs)) and np.all(jnp.where(inside, d_xs, 1))


@pytest.mark.parametrize(
    "dtypes, xs_dtype, rtol",
    [
        ({"param_dtype": "bfloat16", "dtype": "float32"}, "float32", 0.02),
        ({}, "bfloat16", 0.02),
        ({"dtype": "float32"}, "float16", 0.002),
    ],
    ids=["weights", "inputs", "half"],
)
def test_arithmetic_in_float32_on_other_dtypes(calls, dtypes, xs_dtype, rtol):
    cell = LSTM(H, **dtypes)
    params, xs, state = sequence(cell, dtype=xs_dtype)
    equals_the_scan(cell, params, xs, state, lengths=RAGGED, rtol=rtol)


def test_the_parts_of_a_composite_run_on_their_own(calls):
    params, xs, state = example(BOTH_WAYS)
    equals_the_scan(BOTH_WAYS, params, xs, state, lengths=RAGGED, key=KEY)
    assert set(calls) == {(B, T, D), (B, T, 7)}
    assert calls.count((B, T, D)) == 2 * calls.count((B, T, 7))


def test_over_devices(calls):
    params, xs, state = example(CELL, (6,))
    options = {"lengths": jnp.array([0, 9, 3, 1, 4, 0])}
    expected = outcome(CELL, params, xs, state, backend="scan", **options)
    mesh = jax.make_mesh((4,), ("batch",), axis_types=(AxisType.Auto,), devices=jax.devices("cpu")[:4])
    with jax.set_mesh(mesh):
        got = outcome(CELL, params, xs, state, backend="cudnn", **options)
    assert_equal(got, expected, RTOL, RTOL)
    assert set(calls) == {(2, T, D)}


@pytest.mark.parametrize(
    "around",
    [
        lambda f: jax.jit(jax.grad(jax.checkpoint(f))),
        lambda f: jax.grad(lambda xs: jax.lax.scan(lambda total, x: (total + f(x), None), 0.0, xs[None])[0]),
        lambda f: lambda xs: jax.vjp(f, xs)[1](1.0)[0],
    ],
    ids=["checkpoint", "scan", "vjp"],
)
def test_inside_of_other_transformations(calls, around):
    params, xs, state = example()

    def loss(xs, backend):
        return weigh(unroll(CELL, params, xs, state, lengths=RAGGED, backend=backend))

    got, expected = (around(partial(loss, backend=backend))(xs) for backend in ("cudnn", "scan"))
    assert_equal(got, expected, RTOL, RTOL)
    assert set(calls) == {(B, T, D)}


def test_a_watched_call_is_the_watched_scan(calls):
    params, xs, _ = example()
    _, findings = watch(lambda: unroll(CELL, params, xs.at[3, 1].set(jnp.nan), backend="cudnn"))
    assert (findings[0].name, findings[0].time, findings[0].row) == ("z", 3, (1,))
    assert not calls


# What cuDNN is called with.


@pytest.mark.parametrize(
    "precision, tf32", [(None, True), ("tensorfloat32", True), ("highest", False), ("float32", False)]
)
def test_the_primitives_get_sizes_and_precision(nvidia, precision, tf32):
    with jax.default_matmul_precision(precision):
        jaxpr = gradient_jaxpr(backend="cudnn", lengths=RAGGED)
    expected = {
        "input_size": D,
        "hidden_size": H,
        "num_layers": 1,
        "dropout": 0.0,
        "bidirectional": False,
        "cudnn_allow_tf32": tf32,
    }
    shapes = [(B, T, D), (1, B, H), (1, B, H), (4 * H * (D + H + 2),)]
    forward, backward = ([equation for equation, _ in bound(jaxpr, name)] for name in ("rnn_fwd", "rnn_bwd"))
    assert (len(forward), len(backward)) == (1, 1)
    assert forward[0].params == backward[0].params == expected
    assert [v.aval.shape for v in forward[0].invars] == [*shapes, (B,)]
    results = [(B, T, H), (1, B, H), (1, B, H)]
    assert [v.aval.shape for v in backward[0].invars] == [*results, *shapes, (B, T, H), (64,), (B,)]


def test_the_backward_pass_has_a_copy_of_its_own(nvidia):
    """It writes over what the forward pass left: see `_own_copy`."""
    ((backward, inside),) = bound(gradient_jaxpr(backend="cudnn"), "rnn_bwd")
    made_by = {variable: equation for equation in inside.eqns for variable in equation.outvars}
    reserve = made_by[backward.invars[8]]
    assert reserve.params.get("name") == "_where" or reserve.primitive.name == "select_n"
