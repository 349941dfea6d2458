"""A clear refusal of forward mode where only reverse mode is implemented.

`jax.custom_vjp` refuses forward mode too, in words about itself. `reverse_only` gets there first: its tangent passes
through a primitive that can be transposed, which is all that reverse mode does with it, but not evaluated. Under both
`jax.jit` and `jax.jacfwd` the custom VJP is the first to refuse: `in_our_words` says it again. (Not where the jitted
function is the inner one, ``jacfwd(jit(f))``: that is JAX's own call.)
"""

import contextlib
from collections.abc import Generator
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from lstm_jax.cell import Array

_REFUSAL = (
    'vjp="hoisted" has reverse mode only (jax.grad, jax.vjp, and any mode on top of them, such as jax.hessian): '
    'for jax.jvp, jax.jacfwd or jax.linearize call unroll with vjp="autodiff".'
)


def _refuse(*_: Any, **__: Any) -> Any:
    raise TypeError(_REFUSAL)


@contextlib.contextmanager
def in_our_words() -> Generator[None]:
    """Say what `jax.custom_vjp` says of forward mode in terms of `unroll`."""
    try:
        yield
    except TypeError as error:
        if "forward-mode" not in str(error):
            raise
        raise TypeError(_REFUSAL) from error


_tangent = Primitive("reverse_only_tangent")
_tangent.def_abstract_eval(lambda tangent: tangent)
_tangent.def_impl(_refuse)
mlir.register_lowering(_tangent, _refuse)
batching.defvectorized(_tangent)
ad.deflinear2(_tangent, lambda cotangent, _: [cotangent])


@jax.custom_jvp
def _identity(x: Array) -> Array:
    return x


@_identity.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    return primals[0], _tangent.bind(tangents[0])


def reverse_only(tree: Any) -> Any:
    """The identity; differentiating it in forward mode raises TypeError."""

    def leaf(x: Any) -> Any:
        # A concrete array is not being differentiated.
        return _identity(x) if isinstance(x, Tracer) and jnp.issubdtype(x.dtype, jnp.inexact) else x

    return jax.tree.map(leaf, tree)
