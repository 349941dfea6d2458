"""Forward mode: exact on the plain scan, refused in one sentence on the fast path."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from harness import assert_equal, sequence, weigh
from lstm_jax import LSTM, Bidirectional, ResetBeforeGRU, Stack, unroll

FLOAT64 = {"param_dtype": "float64"}
MODELS = [
    LSTM(4, **FLOAT64),
    ResetBeforeGRU(4, **FLOAT64),
    Stack((LSTM(4, **FLOAT64), Bidirectional(LSTM(2, **FLOAT64), LSTM(3, **FLOAT64)))),
]

pytestmark = pytest.mark.usefixtures("float64")


def scalar(model, vjp):
    params, xs, state = sequence(model)
    return lambda scale: weigh(unroll(model, params, xs * scale, state, vjp=vjp)), jnp.float64(1.3)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_forward_mode_on_the_plain_scan(model):
    f, at = scalar(model, "autodiff")
    _, forward = jax.jit(lambda x: jax.jvp(f, (x,), (jnp.ones_like(x),)))(at)
    reverse = jax.jit(jax.grad(scalar(model, "hoisted")[0]))(at)
    assert_equal(forward, reverse)
    np.testing.assert_allclose(forward, (f(at + 1e-6) - f(at - 1e-6)) / 2e-6, rtol=1e-7)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize(
    "transform",
    [
        lambda f, x: jax.jvp(f, (x,), (x,)),
        lambda f, x: jax.jit(lambda x: jax.jvp(f, (x,), (x,)))(x),
        lambda f, x: jax.jvp(jax.jit(f), (x,), (x,)),
        lambda f, x: jax.jacfwd(f)(x),
        lambda f, x: jax.linearize(f, x)[1](x),
        lambda f, x: jax.jit(jax.jacfwd(f))(x),
    ],
    ids=["jvp", "jit-jvp", "jvp-jit", "jacfwd", "linearize", "jit-jacfwd"],
)
def test_forward_mode_is_refused_on_the_fast_path(model, transform):
    f, at = scalar(model, "hoisted")
    with pytest.raises(TypeError, match=r'vjp="hoisted" has reverse mode only .* call unroll with vjp="autodiff"'):
        transform(f, at)


def test_jax_refuses_where_the_call_is_its_own():
    f, at = scalar(MODELS[0], "hoisted")
    with pytest.raises(TypeError, match="can't apply forward-mode"):
        jax.jacfwd(jax.jit(f))(at)


def test_hessian_on_the_fast_path():
    (fast, at), (plain, _) = scalar(MODELS[0], "hoisted"), scalar(MODELS[0], "autodiff")
    assert_equal(jax.jit(jax.hessian(fast))(at), jax.jit(jax.hessian(plain))(at))


def test_reverse_mode_under_every_transformation():
    model = MODELS[0]
    f, at = scalar(model, "hoisted")
    expected = jax.grad(f)(at)
    assert_equal(jax.jit(jax.grad(jax.checkpoint(f)))(at), expected)
    assert_equal(jax.jit(jax.jacrev(f))(at), expected)
    assert_equal(jax.vmap(jax.grad(f))(jnp.stack([at, at]))[1], expected)
    assert_equal(jax.grad(lambda x: jax.vmap(f)(x)[1])(jnp.stack([at, at]))[1], expected)
