"""cuDNN's LSTM where there is no GPU: jax's own reference in its place, as ungenerous as cuDNN may be; and examples.

The fixtures `nvidia` and `calls` (conftest.py) put it there.
"""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import rnn

from harness import LENGTHS, B, assert_equal, outcome, sequence, weigh
from lstm_jax import LSTM, Bidirectional, Stack, unroll

H = 4
CELL = LSTM(H)
BOTH_WAYS = Stack((Bidirectional(LSTM(3), LSTM(4)), LSTM(H)), dropout=0.4)
RAGGED = jnp.array(LENGTHS)
KEY = jax.random.key(7)
RTOL = 1e-5
OPAQUE = np.arange(7, dtype=np.int32) * 1_000_003  # as numbers most of these are denormal: they must stay as they are


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
