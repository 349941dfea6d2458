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


def innermost_loops(text):
    """The body of every loop without a loop inside, with all that it calls, from a compiled program's text."""
    parts = re.split(r"\n\n", text)
    computations = {m[1]: part for part in parts if (m := re.match(r"\s*(?:ENTRY )?%([\w.\-]+) \(", part))}

    def with_calls(name):
        called = re.findall(r"(?:calls|to_apply)=%([\w.\-]+)", computations[name])
        return computations[name] + "".join(with_calls(other) for other in called)

    bodies = [with_calls(name) for name in re.findall(r"body=%([\w.\-]+)", text)]
    return [body for body in bodies if " while(" not in body]


@pytest.mark.parametrize("cell", [LSTM(4), GRU(4)], ids=lambda cell: type(cell).__name__)
@pytest.mark.parametrize("reverse", [False, True])
def test_the_compiled_steps_hold_one_product_and_transpose_nothing(cell, reverse):
    text = gradient_program(cell, 40, batch=5, chunk=10, reverse=reverse).compile().as_text()
    steps = [body for body in innermost_loops(text) if " dot(" in body]
    assert [body.count(" dot(") for body in steps] == [1, 1]
    assert not any(" transpose(" in body for body in steps)


def scans(jaxpr):
    """Every scan in a jaxpr, the inner ones too."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "scan":
            yield equation
        for parameter in equation.params.values():
            inner = getattr(parameter, "jaxpr", parameter)
            if hasattr(inner, "eqns"):
                yield from scans(inner)


def carries(scan, body):
    """A scan's carries inside its body: what comes in and goes out in one shape, after what only comes in."""

    def same(outside, inside):
        return sum(a.aval.shape == b.aval.shape for a, b in zip(outside, inside, strict=True))

    carried, whole = same(scan.outvars, body.outvars), same(scan.invars, body.invars)
    return body.invars[whole - carried : whole]


def test_a_step_carries_the_state_alone():
    """What else goes through the loop is written to, never read."""
    cell = LSTM(4)
    params = jax.eval_shape(lambda key: cell.init(key, 3), jax.random.key(0))
    xs = jax.ShapeDtypeStruct((40, 5, 3), jnp.float32)
    jaxpr = jax.make_jaxpr(jax.grad(lambda p, x: jnp.sum(unroll(cell, p, x, chunk=10)[0] ** 2)))(params, xs).jaxpr
    read = []
    for scan in scans(jaxpr):
        body = getattr(scan.params["jaxpr"], "jaxpr", scan.params["jaxpr"])
        if any(equation.primitive.name == "scan" for equation in body.eqns):
            continue
        carry = carries(scan, body)
        users = [[e.primitive.name for e in body.eqns if any(v is c for v in e.invars)] for c in carry]
        arrays = [names for names, c in zip(users, carry, strict=True) if c.aval.ndim]
        read.append(sum(any(name != "dynamic_update_slice" for name in names) for names in arrays))
    assert read == [2, 2]
