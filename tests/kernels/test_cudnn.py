"""cuDNN's LSTM. Where there is no GPU, two simulations: jax's reference in its place, or its own primitives, unrun.

What runs on a GPU alone is at the end, and skipped elsewhere.
"""

import contextlib
import logging
import re
from dataclasses import dataclass
from functools import cache, partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import rnn
from jax.sharding import AxisType

from harness import LENGTHS, B, D, T, assert_equal, mask, outcome, resets, sequence, weigh
from lstm_jax import GRU, LSTM, Bidirectional, Stack, unroll
from lstm_jax.driver import watch
from lstm_jax.kernels import cudnn
from table import StepOnly

H = 4
CELL = LSTM(H)
BOTH_WAYS = Stack((Bidirectional(LSTM(3), LSTM(4)), LSTM(H)), dropout=0.4)
RAGGED = jnp.array(LENGTHS)
KEY = jax.random.key(7)
RTOL = 1e-5
OPAQUE = np.arange(7, dtype=np.int32) * 1_000_003  # as numbers most of these are denormal: they must stay as they are


@dataclass(frozen=True)
class OwnLSTM(LSTM):
    """A subclass, which may compute anything."""


@pytest.fixture
def nvidia(monkeypatch):
    """JAX says that it computes on NVIDIA's GPUs, and runs on the CPU: cuDNN's primitives are traced alone."""
    jax.clear_caches()
    cudnn._log_once.cache_clear()
    monkeypatch.setattr(cudnn, "get_backend", lambda: SimpleNamespace(platform_version="PJRT C API\ncuda 12090"))
    sizes = "compute_rnn_workspace_reserve_space_sizes"
    monkeypatch.setattr(vars(rnn)["gpu_rnn"], sizes, lambda *_: (16, 64), raising=False)
    with jax.default_device(jax.devices("cpu")[0]):
        yield
    jax.clear_caches()
    cudnn._log_once.cache_clear()


@pytest.fixture
def calls(nvidia, monkeypatch):
    """jax's reference in cuDNN's place, as ungenerous as cuDNN may be; the shapes of x in every call traced."""
    traced = []
    monkeypatch.setattr(rnn, "lstm_fwd", partial(reference_forward, traced))
    monkeypatch.setattr(rnn, "lstm_bwd", reference_backward)
    return traced


def reference(x, h_0, c_0, w, lengths):
    sizes = x.shape[-1], h_0.shape[-1], 1
    weights = rnn.unpack_lstm_weights(w, *sizes, False)
    y, h_n, c_n = rnn.lstm_ref(x, h_0, c_0, *weights, lengths, *sizes, 0.0, False)
    # Length 0 fails, and padding is whatever lies there.
    return jax.tree.map(partial(jnp.where, lengths.min() > 0), (spoilt(y, lengths), h_n, c_n), (jnp.nan,) * 3)


def spoilt(steps, lengths):
    return jnp.where((jnp.arange(steps.shape[1]) < lengths[:, None])[..., None], steps, jnp.nan)


def reference_forward(traced, x, h_0, c_0, w, lengths, input_size, hidden_size, layers, dropout, both_ways, precision):
    assert (x.shape[-1], h_0.shape[-1], layers, dropout, both_ways) == (input_size, hidden_size, 1, 0.0, False)
    assert (h_0.shape, c_0.shape, lengths.shape) == ((1, len(x), hidden_size), h_0.shape, (len(x),))
    assert w.shape == (rnn.get_num_params_in_lstm(input_size, hidden_size, 1, False),)
    assert {leaf.dtype.name for leaf in (x, h_0, c_0, w)} == {"float32"} and lengths.dtype == jnp.int32
    traced.append(x.shape)
    results = reference(x, h_0, c_0, w, lengths)
    reserve = jax.lax.bitcast_convert_type(jnp.asarray(OPAQUE), jnp.float32)
    return results, (x, h_0, c_0, w, lengths, results[0], reserve)


def reference_backward(input_size, hidden_size, layers, dropout, both_ways, precision, residuals, cotangents):
    *diff, lengths, _, reserve = residuals
    intact = (jax.lax.bitcast_convert_type(reserve, jnp.int32) == OPAQUE).all() & (lengths.min() > 0)

    def of_the_steps(*diff):
        y, h_n, c_n = reference(*diff, lengths)
        return jnp.where(jnp.isnan(y), 0, y), h_n, c_n

    dx, *others = jax.vjp(of_the_steps, *diff)[1](cotangents)
    gradients = (spoilt(dx, lengths), *others)
    return (*jax.tree.map(lambda d: jnp.where(intact, d, jnp.nan), gradients), jnp.zeros_like(lengths))


@cache
def example(cell=CELL, batch=(B,)):
    """A `sequence` in float32, made once."""
    return sequence(cell, batch, dtype="float32")


def equals_the_scan(cell, params, xs, state, backend="cudnn", rtol=RTOL, **options):
    got = outcome(cell, params, xs, state, backend=backend, **options)
    assert_equal(got, outcome(cell, params, xs, state, backend="scan", **options), rtol, rtol)
    return got


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


def bound(jaxpr, name):
    """The equations of a primitive, however deep, each with the jaxpr that it is in."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == name:
            yield equation, jaxpr
        for inner in jax.tree.leaves(equation.params, is_leaf=lambda leaf: hasattr(leaf, "eqns")):
            if hasattr(inner, "eqns"):
                yield from bound(getattr(inner, "jaxpr", inner), name)


def gradient_jaxpr(**options):
    params, xs, state = example()

    def loss(params, xs, state):
        return weigh(unroll(CELL, params, xs, state, **options))

    return jax.make_jaxpr(jax.grad(loss, argnums=(0, 1, 2)))(params, xs, state).jaxpr


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


# What it cannot do.

ACTIVATIONS = "its activations are tanh and sigmoid, not "
REFUSALS = {
    "type": (GRU(H), {}, "it knows LSTM alone and this is GRU"),
    "step-only": (StepOnly(H), {}, "it knows LSTM alone and this is StepOnly"),
    "subclass": (OwnLSTM(H), {}, "it knows LSTM alone and this is OwnLSTM"),
    "in-a-stack": (Stack((CELL, GRU(3))), {}, "it knows LSTM alone and this is GRU"),
    "activation": (LSTM(H, activation="relu"), {}, ACTIVATIONS + "relu and sigmoid"),
    "gate": (LSTM(H, gate_activation="hard_sigmoid"), {}, ACTIVATIONS + "tanh and hard_sigmoid"),
    "dtype": (LSTM(H, dtype="bfloat16"), {}, "it computes in float32, not in bfloat16"),
    "mask": (CELL, {"mask": mask()}, "it knows lengths but no mask"),
    "mask-and-lengths": (CELL, {"mask": mask(), "lengths": RAGGED}, "it knows lengths but no mask"),
    "resets": (CELL, {"resets": resets()}, "it knows no resets"),
    "collect": (CELL, {"collect": ("c",)}, "it does not give out inner values for collect"),
    "remat": (CELL, {"remat": True}, "it cannot forget what it keeps for the backward pass as remat=True asks"),
    "vjp": (CELL, {"vjp": "autodiff"}, 'it cannot be differentiated by JAX itself as vjp="autodiff" asks'),
}


@contextlib.contextmanager
def refused(why):
    """Refused in one sentence; what JAX adds to an error is not of it."""
    with pytest.raises(ValueError, match="cannot run this call") as caught:
        yield
    end = ': with backend="auto" a scan runs what cuDNN cannot.'
    assert re.fullmatch(f'backend="cudnn" cannot run this call, because {why}{end}', str(caught.value))


@pytest.mark.parametrize("cell, options, why", REFUSALS.values(), ids=REFUSALS)
def test_what_is_refused_where_cudnn_is_asked_for(calls, cell, options, why):
    params, xs, state = example(cell)
    with refused(why):
        unroll(cell, params, xs, state, backend="cudnn", **options)


@pytest.mark.parametrize("cell, options, why", REFUSALS.values(), ids=REFUSALS)
def test_what_runs_as_a_scan_otherwise_and_says_so_once(nvidia, caplog, cell, options, why):
    caplog.set_level(logging.INFO, "lstm_jax")
    params, xs, state = example(cell)
    auto, scan = (unroll(cell, params, xs, state, backend=backend, **options) for backend in ("auto", "scan"))
    assert_equal(auto, scan, RTOL, RTOL)
    jax.clear_caches()  # traced once more, it says nothing
    unroll(cell, params, xs, state, **options)
    said = [record.getMessage() for record in caplog.records if record.name == "lstm_jax"]
    own = isinstance(cell, LSTM)
    assert [why in line for line in said] == [True] * own
    assert all(line.startswith("An LSTM runs as a scan, not on cuDNN, because it") for line in said)


@pytest.mark.parametrize("shape", [(0, B, D), (T, 0, D)], ids=str)
def test_what_is_empty(calls, shape):
    params, xs = CELL.init(jax.random.key(0), shape[-1]), jnp.zeros(shape)
    with refused(re.escape(f"xs of shape {list(shape)} are empty")):
        unroll(CELL, params, xs, backend="cudnn")
    assert not calls


@pytest.mark.parametrize("precision", ["bfloat16", "default", "F32_F32_F32"])
def test_precisions_that_it_does_not_have(calls, precision):
    params, xs, state = example()
    with jax.default_matmul_precision(precision), refused(f"it has no jax_default_matmul_precision={precision!r}"):
        unroll(CELL, params, xs, state, backend="cudnn")


def test_a_mesh_with_explicit_axes(calls):
    params, xs, state = example()
    mesh = jax.make_mesh((2,), ("batch",), axis_types=(AxisType.Explicit,), devices=jax.devices("cpu")[:2])
    with jax.set_mesh(mesh), refused("it cannot be laid out over a mesh with explicit axes"):
        unroll(CELL, params, xs, state, backend="cudnn")


@pytest.mark.parametrize("cell", [CELL, GRU(H), BOTH_WAYS], ids=lambda cell: type(cell).__name__)
def test_without_a_gpu(cell):
    if jax.default_backend() == "gpu":
        pytest.skip("there is a GPU")
    params, xs, state = example(cell)
    with refused("it needs an NVIDIA GPU and JAX computes on 'cpu' here"):
        unroll(cell, params, xs, state, backend="cudnn")


def test_amd(nvidia, monkeypatch):
    monkeypatch.setattr(cudnn, "get_backend", lambda: SimpleNamespace(platform_version="PJRT C API\nrocm 60300"))
    params, xs, state = example()
    with refused(f"it needs an NVIDIA GPU and JAX computes on {jax.default_backend()!r} here"):
        unroll(CELL, params, xs, state, backend="cudnn")


# "auto".


@pytest.mark.parametrize("cell", [CELL, BOTH_WAYS], ids=lambda cell: type(cell).__name__)
def test_without_a_gpu_auto_is_the_scan(cell, caplog):
    if jax.default_backend() == "gpu":
        pytest.skip("there is a GPU")
    caplog.set_level(logging.DEBUG, "lstm_jax")
    params, xs, state = example(cell)

    def program(backend):
        def loss(params, xs, state):
            return weigh(unroll(cell, params, xs, state, lengths=RAGGED, backend=backend))

        return jax.jit(jax.value_and_grad(loss)).lower(params, xs, state).as_text()

    assert program("auto") == program("scan")
    assert not caplog.records


def test_auto_takes_cudnn_where_it_can(nvidia):
    for lengths in (None, RAGGED):
        jaxpr = gradient_jaxpr(backend="auto", lengths=lengths)
        assert len(list(bound(jaxpr, "rnn_fwd"))) == len(list(bound(jaxpr, "rnn_bwd"))) == 1
    assert not list(bound(gradient_jaxpr(backend="scan"), "rnn_fwd"))


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
def test_on_another_device_than_the_default_one_the_scan_runs(nvidia, reverse):
    """Here: on the CPU. No primitive of cuDNN can be compiled for it."""
    params, xs, state = example()
    equals_the_scan(CELL, params, xs, state, "auto", lengths=RAGGED, reverse=reverse)
    equals_the_scan(CELL, params, xs, state, "auto", reverse=reverse)


@pytest.mark.usefixtures("float64")
def test_under_strict_promotion(nvidia):
    params, xs, state = sequence(CELL)
    equals_the_scan(CELL, params, xs, state, "auto", lengths=RAGGED, reverse=True)


def loss_of(backend, params, xs, state, **options):
    return weigh(unroll(CELL, params, xs, state, lengths=RAGGED, reverse=True, backend=backend, **options))


def many(tree):
    return jax.tree.map(lambda leaf: jnp.stack([leaf, leaf / 2]), tree)


MAPPED = {
    "rows": lambda f, p, x, s: jax.vmap(f, (None, 0, 0))(p, many(x), many(s)),
    "weights": lambda f, p, x, s: jax.vmap(f, (0, None, None))(many(p), x, s),
    "gradient-of-weights": lambda f, p, x, s: jax.vmap(jax.grad(f), (0, None, None))(many(p), x, s),
    "gradients": lambda f, p, x, s: jax.vmap(jax.grad(f, (0, 1, 2)), (None, 0, 0))(p, many(x), many(s)),
    "of-jit": lambda f, p, x, s: jax.vmap(jax.jit(jax.grad(f)), (0, 0, 0))(*many((p, x, s))),
    "inside-of-grad": lambda f, p, x, s: jax.grad(lambda p: jax.vmap(f, (0, None, 0))(p, x, many(s)).sum())(many(p)),
    "twice": lambda f, p, x, s: jax.vmap(jax.vmap(jax.grad(f), (0, None, None)), (None, 0, 0))(
        many(p), many(x), many(s)
    ),
}
AGAIN = {
    "hessian": lambda f, p, x, s: jax.hessian(lambda scale: f(p, x * scale, s))(1.3),
    "reverse-over-reverse": lambda f, p, x, s: jax.grad(lambda p: weigh(jax.grad(f, (0, 1))(p, x, s)))(p),
    "of-mapped": lambda f, p, x, s: jax.grad(
        lambda p: weigh(jax.grad(lambda p: jax.vmap(f, (0, None, None))(p, x, s).sum())(p))
    )(many(p)),
}


@pytest.mark.parametrize("how, jit", [*((how, True) for how in MAPPED | AGAIN), ("gradients", False)])
def test_what_it_cannot_follow_runs_as_a_scan(nvidia, caplog, how, jit):
    caplog.set_level(logging.INFO, "lstm_jax")
    results = []
    for backend in ("auto", "scan"):
        run = partial((MAPPED | AGAIN)[how], partial(loss_of, backend))
        results.append((jax.jit(run) if jit else run)(*example()))
    assert_equal(*results, rtol=1e-4, atol=1e-4)
    said = {record.getMessage() for record in caplog.records if record.name == "lstm_jax"}
    why = "it cannot be mapped by jax.vmap" if how in MAPPED else "it can be differentiated only once"
    assert f"An LSTM runs as a scan, not on cuDNN, because {why}." in said
    assert len(said) == sum(record.name == "lstm_jax" for record in caplog.records)


@pytest.mark.parametrize("how", [*MAPPED, *AGAIN])
def test_what_it_cannot_follow_is_refused_where_it_is_asked_for(nvidia, how):
    with refused("it cannot be mapped by jax.vmap" if how in MAPPED else "it can.*"):  # a Hessian is both
        (MAPPED | AGAIN)[how](partial(loss_of, "cudnn"), *example())


@pytest.mark.parametrize("backend", ["auto", "cudnn"])
def test_forward_mode_is_refused(nvidia, backend):
    params, xs, state = example()
    with pytest.raises(TypeError, match=r'vjp="hoisted" has reverse mode only'):
        jax.jvp(partial(loss_of, backend, params, state=state), (xs,), (xs,))


# On a GPU: JAX_PLATFORMS=cuda,cpu python -m pytest tests/kernels

on_a_gpu = pytest.mark.skipif(jax.default_backend() != "gpu", reason="needs a GPU")


@on_a_gpu
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize(
    "cell, batch, lengths",
    [
        (CELL, (B,), None),
        (CELL, (B,), LENGTHS),
        (CELL, (B,), (0, 0, 0)),
        (CELL, (), None),
        (LSTM(1), (2, 2), ((0, T), (1, 3))),
        (LSTM(130), (33,), tuple(i % (T + 1) for i in range(33))),
        (BOTH_WAYS, (B,), LENGTHS),
    ],
    ids=str,
)
def test_on_a_gpu_it_equals_the_scan(cell, batch, lengths, reverse):
    params, xs, state = example(cell, batch)
    options = {} if lengths is None else {"lengths": jnp.array(lengths)}
    with jax.default_matmul_precision("float32"):
        equals_the_scan(cell, params, xs, state, rtol=1e-4, reverse=reverse, **options)


@on_a_gpu
@pytest.mark.parametrize("jit", [False, True], ids=["eager", "jit"])
def test_on_a_gpu_one_forward_pass_serves_several_backward_passes(jit):
    params, xs, state = example()

    def rows_of_a_jacobian(backend, params, xs):
        outputs, pull = jax.vjp(lambda p, x: unroll(CELL, p, x, state, backend=backend)[0], params, xs)
        return [pull(jnp.zeros_like(outputs).at[at].set(1.0)) for at in ((8, 0, 0), (8, 1, 2), (3, 2, 3), (8, 0, 0))]

    with jax.default_matmul_precision("float32"):
        runs = (partial(rows_of_a_jacobian, backend) for backend in ("cudnn", "scan"))
        got, expected = ((jax.jit(run) if jit else run)(params, xs) for run in runs)
    assert_equal(got, expected, 1e-4, 1e-5)


@on_a_gpu
@pytest.mark.parametrize("how", [*MAPPED, *AGAIN])
def test_on_a_gpu_what_it_cannot_follow(how):
    arguments = example()
    with jax.default_matmul_precision("float32"):
        got, expected = ((MAPPED | AGAIN)[how](partial(loss_of, b), *arguments) for b in ("auto", "scan"))
    assert_equal(got, expected, 1e-3, 1e-3)


@on_a_gpu
def test_on_a_machine_with_a_gpu_the_cpu_runs_the_scan():
    with jax.default_device(jax.devices("cpu")[0]):
        params, xs, state = example()
        equals_the_scan(CELL, params, xs, state, "auto", lengths=RAGGED)
