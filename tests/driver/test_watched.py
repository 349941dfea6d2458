"""Looking for the first value that is not finite: where it is found, and that nothing else changes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from harness import assert_equal, mask, resets, sequence, weigh
from lstm_jax import GRU, LSTM, Bidirectional, Elman, Stack, unroll
from lstm_jax.driver import watch
from lstm_jax.driver.watched import watching
from table import Everything

STEPS = 6
STACK = Stack((LSTM(4), GRU(3)))


def _loss(cell, params, state=None, **options):
    return lambda xs: weigh(unroll(cell, params, xs, state, **options))


def _gradient(cell, params, xs, at=(..., 0), value=jnp.nan, **options):
    """The call to watch: a gradient, with one wrong entry of the inputs."""
    return lambda: jax.value_and_grad(_loss(cell, params, **options))(xs.at[at].set(value))


@jax.custom_vjp
def _poison(ys, time, row):
    """The identity, whose gradient is infinite at one time and row."""
    del time, row
    return ys


_poison.defvjp(
    lambda ys, time, row: (ys, (time, row)),
    lambda where, cotangent: (cotangent.at[where].set(jnp.inf), None, None),
)


def _where(finding):
    return finding.backward, finding.call, finding.cell, finding.name, finding.time, finding.row


@pytest.mark.parametrize(
    ("value", "batch", "row", "said"),
    [(np.nan, (), (), ""), (np.nan, (3,), (1,), ", row 1"), (np.inf, (2, 3), (1, 2), ", row 1, 2")],
)
def test_finds_the_input(value, batch, row, said):
    params, xs, _ = sequence(LSTM(4), batch, STEPS, "float32")
    (ys, _), findings = watch(lambda: unroll(LSTM(4), params, xs.at[3, *row, 2].set(value)))
    assert _where(findings[0]) == (False, 0, "LSTM", "z", 3, row)
    assert str(findings[0]) == f"z of recurrent layer 1, a LSTM, at time index 3{said}"
    assert {f.row for f in findings} == {row}
    # Infinite pre-activations can give finite outputs: gates are open or closed.
    assert {f.time for f in findings if f.name == "output"} == set(np.nonzero(~np.isfinite(ys[(..., *row, 0)]))[0])


def test_finds_the_gradient_on_the_way_back():
    params, xs, _ = sequence(STACK, (3,), STEPS, "float32")

    def loss(xs):
        return weigh(_poison(unroll(STACK, params, xs)[0], 4, 2))

    (value, gradient), findings = watch(lambda: jax.value_and_grad(loss)(xs))
    assert np.isfinite(value)
    assert not np.isfinite(gradient[4, 2]).any()
    assert _where(findings[0]) == (True, 1, "GRU", "output", 4, (2,))
    assert str(findings[0]) == "the gradient of output of recurrent layer 2, a GRU, at time index 4, row 2"
    assert {f.time for f in findings} == {0, 1, 2, 3, 4}
    assert {f.call for f in findings} == {0, 1}
    assert all(f.backward and f.row == (2,) for f in findings)


@pytest.mark.parametrize("reverse", [False, True])
def test_finds_what_grows_in_the_second_layer(reverse):
    """Its state is 1, 1e30, and then too large for float32."""
    cell = Stack((LSTM(4), Elman(3, activation="relu")))
    params, xs, _ = sequence(cell, (3,), STEPS, "float32")
    first, second = params.layers
    second = second.replace(w_x=second.w_x * 0, w_h=jnp.eye(3) * 1e30, b=jnp.ones(3))
    _, findings = watch(lambda: unroll(cell, params.replace(layers=(first, second)), xs, reverse=reverse))
    assert _where(findings[0]) == (False, 1, "Elman", "state.h", STEPS - 3 if reverse else 2, (0,))
    assert {f.call for f in findings} == {1}


@pytest.mark.parametrize("reverse", [False, True])
def test_in_the_order_in_which_they_arose(reverse):
    """Forwards through layers and steps, then backwards through both; z, state, output within a step."""
    params, xs, _ = sequence(STACK, (3,), STEPS, "float32")
    findings = watch(_gradient(STACK, params, xs, (2, 0, 0), reverse=reverse))[1]
    order = [
        (f.call, -f.time if reverse else f.time, ("z", "state", "output").index(f.name.split(".")[0])) for f in findings
    ]
    turn = [f.backward for f in findings].index(True)
    assert all(f.backward for f in findings[turn:])
    assert order[:turn] == sorted(order[:turn])
    assert order[turn:] == sorted(order[turn:], reverse=True)
    for half in (order[:turn], order[turn:]):
        assert {call for call, _, _ in half} == {0, 1}
        assert {place for _, _, place in half} == {0, 1, 2}


def test_each_unroll_has_its_number_and_its_cells_name():
    params, xs, _ = sequence(LSTM(4), (3,), STEPS, "float32")
    wrong = xs.at[1, 1].set(jnp.nan)
    _, findings = watch(lambda: [unroll(LSTM(4), params, x, collect=("c",)) for x in (xs, xs, wrong)])
    assert {(f.call, f.cell) for f in findings} == {(2, "LSTM")}


def test_nothing_is_found_where_all_is_finite_or_padding():
    params, xs, _ = sequence(Everything(4), (3,), STEPS, "float32")
    lengths = jnp.array([6, 2, 0])
    result, findings = watch(_gradient(Everything(4), params, xs, (2, 1), key=jax.random.key(7), lengths=lengths))
    assert findings == []
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(result))


@pytest.mark.usefixtures("float64")
def test_the_result_is_that_of_the_plain_call():
    float64 = {"param_dtype": "float64"}
    cell = Bidirectional(Everything(3, **float64), LSTM(2, **float64))
    params, xs, state = sequence(cell, (3,), STEPS)
    options = {"mask": mask((3,), STEPS), "resets": resets((3,), STEPS), "key": jax.random.key(7)}

    def gradient():
        return jax.value_and_grad(_loss(cell, params, state, **options))(xs)

    got, findings = watch(gradient)
    assert_equal(got, jax.jit(gradient)())
    assert findings == []


def test_afterwards_everything_is_as_before():
    params, xs, _ = sequence(STACK, (3,), STEPS, "float32")
    gradient = jax.jit(jax.grad(_loss(STACK, params)))
    before = str(jax.make_jaxpr(gradient)(xs))
    gradient(xs)
    # Jitted, traced and compiled before: it is looked into all the same.
    assert watch(lambda: gradient(xs.at[0].set(jnp.nan)))[1]
    assert not watching()
    assert str(jax.make_jaxpr(gradient)(xs)) == before
    assert "callback" not in gradient.lower(xs).as_text()


def test_a_function_that_raises_ends_the_watch():
    def fail():
        assert watching()
        raise KeyError("its own")

    with pytest.raises(KeyError, match="its own"):
        watch(fail)
    assert not watching()
