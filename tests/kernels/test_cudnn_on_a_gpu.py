"""cuDNN's LSTM on a GPU: JAX_PLATFORMS=cuda,cpu python -m pytest tests/kernels; skipped elsewhere."""

from functools import partial

import jax
import jax.numpy as jnp
import pytest

from harness import LENGTHS, B, T, assert_equal
from lstm_jax import LSTM, unroll
from simulated_cudnn import AGAIN, BOTH_WAYS, CELL, MAPPED, RAGGED, equals_the_scan, example, loss_of

pytestmark = pytest.mark.skipif(jax.default_backend() != "gpu", reason="needs a GPU")


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


@pytest.mark.parametrize("how", [*MAPPED, *AGAIN])
def test_on_a_gpu_what_it_cannot_follow(how):
    arguments = example()
    with jax.default_matmul_precision("float32"):
        got, expected = ((MAPPED | AGAIN)[how](partial(loss_of, b), *arguments) for b in ("auto", "scan"))
    assert_equal(got, expected, 1e-3, 1e-3)


def test_on_a_machine_with_a_gpu_the_cpu_runs_the_scan():
    with jax.default_device(jax.devices("cpu")[0]):
        params, xs, state = example()
        equals_the_scan(CELL, params, xs, state, "auto", lengths=RAGGED)
