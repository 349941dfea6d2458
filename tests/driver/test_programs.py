"""What the compiled program is like: its size, its memory, its matrix products."""

import re

import jax
import jax.numpy as jnp
import pytest

from lstm_jax import GRU, LSTM, ResetBeforeGRU, unroll


def gradient_program(cell, steps, batch=4, **options):
    params = jax.eval_shape(lambda key: cell.init(key, 3), jax.random.key(0))
    xs = jax.ShapeDtypeStruct((steps, batch, 3), jnp.float32)
    return jax.jit(jax.grad(lambda p, x: jnp.sum(unroll(cell, p, x, **options)[0] ** 2))).lower(params, xs)


@pytest.mark.parametrize("cell", [LSTM(4), GRU(4), ResetBeforeGRU(4)], ids=lambda cell: type(cell).__name__)
@pytest.mark.parametrize("vjp", ["hoisted", "autodiff"])
def test_the_program_does_not_grow_with_time(cell, vjp):
    short, long = (gradient_program(cell, steps, chunk=10, vjp=vjp).as_text().count("\n") for steps in (200, 10_000))
    assert long == short


@pytest.mark.parametrize("cell", [LSTM(4), GRU(4)], ids=lambda cell: type(cell).__name__)
def test_one_matrix_product_a_step_in_each_direction(cell):
    """The inputs' projection and the gradients of both weights are products over a whole chunk."""
    chunk, batch = 10, 5
    text = gradient_program(cell, 40, batch, chunk=chunk).as_text()
    products = [line for line in text.splitlines() if "stablehlo.dot_general" in line]
    over_a_chunk = [line for line in products if re.search(f"tensor<({chunk}x{batch}|{chunk * batch})x", line)]
    assert (len(products), len(over_a_chunk)) == (5, 3), "\n".join(products)


def test_remat_keeps_little():
    cell = LSTM(32)

    def memory(**options):
        return gradient_program(cell, 4096, batch=8, **options).compile().memory_analysis().temp_size_in_bytes

    assert memory(remat=True) < memory(vjp="autodiff") / 8
