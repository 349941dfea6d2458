"""Activation functions, and `once`."""

import jax
import jax.numpy as jnp
import pytest

from harness import assert_equal
from lstm_jax.cells import once
from lstm_jax.cells.activations import activation

pytestmark = pytest.mark.usefixtures("float64")
XS = jnp.linspace(-2.0, 2.0, 7)


def shared(x):
    return jnp.sin(x) * x


def kept(x):
    return once(jnp.sin(x)) * x


@pytest.mark.parametrize("transform", [jax.vmap, jax.jacfwd, jax.jacrev, jax.hessian], ids=lambda f: f.__name__)
def test_once_changes_no_value_and_no_derivative(transform):
    assert_equal(jax.jit(transform(kept))(XS), transform(shared)(XS))


def test_once_is_a_barrier_on_the_values_alone():
    assert "optimization_barrier" in jax.jit(kept).lower(XS).as_text()
    pulled = jax.vjp(once, XS)[1]
    assert "optimization_barrier" not in jax.jit(pulled).lower(XS).as_text()


def test_an_unknown_function_is_told_the_nearest():
    with pytest.raises(ValueError, match="activation='than' is not known: did you mean 'tanh'"):
        activation("than")
