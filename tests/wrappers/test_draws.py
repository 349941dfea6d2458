"""Randomness of a whole: each of its parts draws for itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from harness import sequence
from lstm_jax import Bidirectional, Elman, Stack, unroll
from lstm_jax.cell import bernoulli


class DrawnOnce(Elman):
    """Its first state is what it drew once for the sequence, whatever the inputs."""

    def prepare(self, params, batch_shape, *, key=None):
        return params.replace(b=jax.random.normal(key, params.b.shape))

    def project(self, params, xs, *, keys=None):
        return jnp.broadcast_to(params.b, (*xs.shape[:-1], self.hidden_size))


class DrawnEachStep(Elman):
    """Its first state is what it drew for that step, whatever the inputs."""

    def project(self, params, xs, *, keys=None):
        shape = (*xs.shape[:-1], self.hidden_size)
        return jnp.zeros(shape) if keys is None else bernoulli(keys, 0.5, self.hidden_size).astype(xs.dtype)


@pytest.mark.parametrize("whole", [Stack, lambda cells: Bidirectional(*cells)], ids=["stack", "bidirectional"])
@pytest.mark.parametrize("cell", [DrawnOnce, DrawnEachStep])
def test_parts_draw_each_for_itself(cell, whole):
    model = whole((cell(16), cell(16)))
    params, xs, _ = sequence(model, steps=1, dtype="float32")
    _, _, (one, other) = unroll(model, params, xs, key=jax.random.key(0), collect=("h",))
    assert np.any(np.asarray(one["h"] != other["h"]))
