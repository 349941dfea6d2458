"""What cuDNN's LSTM cannot run: refused where it was asked for, else run by a scan, which is told once."""

import contextlib
import logging
import re
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import AxisType

from harness import B, D, T, assert_equal, mask, resets, sequence, weigh
from lstm_jax import GRU, LSTM, Stack, unroll
from lstm_jax.kernels import cudnn_limits
from simulated_cudnn import (
    AGAIN,
    BOTH_WAYS,
    CELL,
    MAPPED,
    RAGGED,
    RTOL,
    H,
    bound,
    equals_the_scan,
    example,
    gradient_jaxpr,
    loss_of,
)
from table import StepOnly

pytestmark = pytest.mark.proof


@dataclass(frozen=True)
class OwnLSTM(LSTM):
    """A subclass, which may compute anything."""


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
    monkeypatch.setattr(cudnn_limits, "get_backend", lambda: SimpleNamespace(platform_version="PJRT C API\nrocm 60300"))
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
