"""Every cell and wrapper of the table x every property that `unroll` promises."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from harness import KEY, LENGTHS, B, D, T, assert_equal, mask, outcome, resets, sequence, weigh
from lstm_jax import step, unroll
from table import CELLS, FAMILY, NESTED, OTHERS, PROOFS, TABLE, Row

PROOF, NIGHTLY = pytest.mark.proof, pytest.mark.nightly


def rows(chosen: Callable[[Row], bool]) -> pytest.MarkDecorator:
    """The chosen rows of the table. A row's tests share a worker, and so its compiled programs."""
    params = [pytest.param(row, id=row.name, marks=marks(row)) for row in TABLE + PROOFS if chosen(row)]
    return pytest.mark.parametrize("row", params, scope="module")


def rows_in_turn(chosen: Callable[[Row], bool], others: pytest.MarkDecorator = PROOF) -> pytest.MarkDecorator:
    """The same, those of PROOFS at night only: CI has its time from one path and the shorter properties of each row."""
    params = [pytest.param(row, id=row.name, marks=later(row, others)) for row in TABLE + PROOFS if chosen(row)]
    return pytest.mark.parametrize("row", params, scope="module")


def marks(row: Row) -> list[pytest.MarkDecorator]:
    tier = NIGHTLY if row in NESTED else PROOF
    return [pytest.mark.xdist_group(row.name), *[tier] * (row not in CELLS)]


def later(row: Row, others: pytest.MarkDecorator = PROOF) -> list[pytest.MarkDecorator]:
    tier = NIGHTLY if row in PROOFS else others
    return [pytest.mark.xdist_group(row.name), *[tier] * (row not in CELLS)]


every_in_turn = rows_in_turn(lambda row: True)
causal = rows(lambda row: row.causal)
causal_in_turn = rows_in_turn(lambda row: row.causal)

pytestmark = pytest.mark.usefixtures("float64")


def in_float64(row: Row):
    return row.with_dtypes(param_dtype="float64")


def settings(cell) -> dict:
    return {field.name: getattr(cell, field.name) for field in dataclasses.fields(cell)}


def key(row: Row):
    return jax.random.key(KEY) if row.random else None


def drawn(row: Row) -> dict:
    return {"key": jax.random.key(KEY)} if row.random else {}


PATHS = {
    "chunks-and-rest": {"chunk": 4, "reverse": True, "steered": True},
    "whole": {"chunk": T, "reverse": True, "steered": True},
    "remat": {"chunk": 4, "remat": True, "reverse": True, "steered": True},
}
OTHER_PATHS = {
    "chunks": {"chunk": 3},
    "plain-remat": {"chunk": 4, "remat": True, "reverse": True, "steered": True, "vjp": "autodiff"},
}
"""They tell drivers apart, not cells: the first rows are enough."""


@pytest.mark.parametrize(
    "path, row",
    [
        pytest.param(path, row, id=f"{name}-{row.name}", marks=marks(row) if name == "chunks-and-rest" else later(row))
        for row in TABLE + PROOFS
        for name, path in (PATHS | (OTHER_PATHS if row in TABLE else {})).items()
    ],
)
def test_every_path_equals_the_plain_scan(path, row):
    """Outputs, last state and all gradients, to 1e-9."""
    cell = in_float64(row)
    options = dict(path)
    steer = {"reverse": options.pop("reverse", False), **drawn(row)}
    if options.pop("steered", False):
        steer |= {"lengths": jnp.array(LENGTHS), "mask": mask(), "resets": resets()}
    expected = outcome(cell, *sequence(cell), **steer, vjp="autodiff")
    assert_equal(outcome(cell, *sequence(cell), **steer, **options), expected)


@every_in_turn
def test_gradients_are_those_of_finite_differences(row):
    """Along three random directions through parameters, inputs and state at once."""
    cell = in_float64(row)
    params, xs, state = sequence(cell)
    options = {"lengths": jnp.array(LENGTHS), "resets": resets(), "chunk": 4, **drawn(row)}
    got = outcome(cell, params, xs, state, **options)
    gradients = jax.tree.leaves((got["d_params"], got["d_xs"], got["d_state"]))

    def inexact(x):
        return jnp.issubdtype(x.dtype, jnp.floating)

    leaves, treedef = jax.tree.flatten((params, xs, state))

    @jax.jit
    def moved(direction, size):
        directions = iter(direction)
        there = [x + size * next(directions) if inexact(x) else x for x in leaves]
        return weigh(unroll(cell, *treedef.unflatten(there), **options))

    for seed in range(3):
        keys = jax.random.split(jax.random.key(seed), len(gradients))
        direction = [jax.random.normal(k, g.shape, g.dtype) for k, g in zip(keys, gradients, strict=True)]
        size = 1e-5
        # Fourth-order central difference.
        near = (moved(direction, size) - moved(direction, -size)) / (2 * size)
        far = (moved(direction, 2 * size) - moved(direction, -2 * size)) / (4 * size)
        slope = sum(jnp.vdot(d, g) for d, g in zip(direction, gradients, strict=True))
        np.testing.assert_allclose((4 * near - far) / 3, slope, rtol=1e-7)


@every_in_turn
def test_padding_changes_nothing(row):
    """A padded batch, NaN in its padding, equals each sequence run on its own: outputs, states, gradients."""
    cell = in_float64(row)
    params, xs, state = sequence(cell)
    padded = jnp.stack([xs[:, b].at[n:].set(jnp.nan) for b, n in enumerate(LENGTHS)], axis=1)

    @jax.jit
    def run(params, xs, state, lengths):
        def scalar(params, xs, state):
            outputs, last = unroll(cell, params, xs, state, lengths=lengths, chunk=4)
            # Row by row the same scalar, so that the gradients of the rows add up to the batch's.
            weights = jnp.cos(jnp.arange(outputs.size // outputs.shape[1])).reshape(-1, 1, outputs.shape[2])
            floats = [leaf for leaf in jax.tree.leaves(last) if jnp.issubdtype(leaf.dtype, jnp.floating)]
            return jnp.sum(weights[: outputs.shape[0]] * jnp.sin(outputs)) + sum(jnp.sum(x * x) for x in floats)

        outputs, last = unroll(cell, params, xs, state, lengths=lengths, chunk=4)
        return outputs, last, jax.grad(scalar, argnums=(0, 1))(params, xs, state)

    outputs, last, (d_params, d_xs) = run(params, padded, state, jnp.array(LENGTHS))
    summed = jax.tree.map(jnp.zeros_like, d_params)
    for b, n in list(enumerate(LENGTHS))[1:]:
        one_state = jax.tree.map(lambda x, b=b: x[b : b + 1], state)
        alone, alone_last, (alone_params, alone_xs) = run(params, xs[:n, b : b + 1], one_state, None)
        assert_equal((outputs[:n, b : b + 1], d_xs[:n, b : b + 1]), (alone, alone_xs))
        assert not np.any(np.asarray(outputs[n:, b])) and not np.any(np.asarray(d_xs[n:, b]))
        assert_equal(jax.tree.map(lambda x, b=b: x[b : b + 1], last), alone_last)
        summed = jax.tree.map(jnp.add, summed, alone_params)
    assert_equal(d_params, summed)


@every_in_turn
def test_length_zero_returns_the_state_it_was_given(row):
    cell = in_float64(row)
    params, xs, state = sequence(cell)
    options = {"resets": resets(), "chunk": 4, **drawn(row)}
    got = outcome(cell, params, xs * jnp.nan, state, lengths=jnp.zeros(B, int), **options)
    assert_equal(got["last"], state, rtol=0, atol=0)
    assert_equal(got["outputs"], jnp.zeros_like(got["outputs"]), rtol=0, atol=0)
    assert all(bool(jnp.isfinite(g).all()) for g in jax.tree.leaves((got["d_params"], got["d_xs"], got["d_state"])))


@every_in_turn
def test_a_mask_equals_deleting_its_steps(row):
    cell = in_float64(row)
    params, xs, state = sequence(cell)
    keep = np.asarray(mask())
    got = outcome(cell, params, xs, state, mask=mask(), resets=resets(), chunk=4)
    assert not np.any(np.asarray(got["outputs"])[~keep])
    b = 2  # the row with gaps between steps, and resets that are deleted with their steps
    kept = keep[:, b]
    outputs, last = unroll(cell, params, xs[kept, b], jax.tree.map(lambda x: x[b], state), resets=resets()[kept, b])
    assert_equal(got["outputs"][kept, b], outputs)
    assert_equal(jax.tree.map(lambda x: x[b], got["last"]), last)


@causal_in_turn
def test_a_reset_equals_starting_anew(row):
    """The state is the initial one before x_t, exactly there; nothing flows back across it."""
    cell = in_float64(row)
    params, xs, state = sequence(cell)
    at = jnp.zeros((T, B), bool).at[4].set(True)
    got = outcome(cell, params, xs, state, resets=at, chunk=3)
    first, _ = unroll(cell, params, xs[:4], state)
    second, last = unroll(cell, params, xs[4:])
    assert_equal(got["outputs"], jnp.concatenate([first, second]))
    assert_equal(got["last"], last)
    later = jax.jit(jax.grad(lambda xs: jnp.sum(unroll(cell, params, xs, state, resets=at)[0][4:])))(xs)
    assert not np.any(np.asarray(later[:4])) and np.any(np.asarray(later[4]))


@every_in_turn
def test_reverse_equals_reversed_sequences(row):
    cell = in_float64(row)
    params, xs, state = sequence(cell)
    got, last = unroll(cell, params, xs, state, reverse=True, lengths=jnp.array(LENGTHS), chunk=4)
    for b, n in list(enumerate(LENGTHS))[1:]:
        one_state = jax.tree.map(lambda x, b=b: x[b], state)
        outputs, one_last = unroll(cell, params, xs[:n, b][::-1], one_state)
        assert_equal(got[:n, b], outputs[::-1])
        assert_equal(jax.tree.map(lambda x, b=b: x[b], last), one_last)


@causal
def test_chunks_of_a_stream_equal_the_whole(row):
    cell = in_float64(row)
    params, xs, state = sequence(cell)
    whole, last = unroll(cell, params, xs, state)
    first, between = unroll(cell, params, xs[:4], state)
    second, end = unroll(cell, params, xs[4:], between)
    assert_equal((jnp.concatenate([first, second]), end), (whole, last))
    one_by_one = jax.jit(step, static_argnums=0)
    for t in range(T):
        y, state = one_by_one(cell, params, xs[t], state)
        assert_equal(y, whole[t])
    assert_equal(state, last)


@causal_in_turn
def test_outputs_depend_on_the_past_alone(row):
    cell = in_float64(row)
    params, xs, state = sequence(cell)
    changed = xs.at[5:].add(1.0)
    before, after = (unroll(cell, params, x, state)[0] for x in (xs, changed))
    assert_equal(after[:5], before[:5], rtol=0, atol=0)
    assert np.all(np.any(np.asarray(after[5:] != before[5:]), axis=-1))


@every_in_turn
def test_batch_axes(row):
    """None, one and two of them agree row by row."""
    cell = in_float64(row)
    params, xs, state = sequence(cell, batch=(2, 3))
    lengths = jnp.array([[9, 0, 4], [5, 9, 1]])
    got, last = unroll(cell, params, xs, state, lengths=lengths)
    flat = jax.tree.map(lambda x: x.reshape(6, *x.shape[2:]), state)
    one, one_last = unroll(cell, params, xs.reshape(T, 6, D), flat, lengths=lengths.reshape(6))
    assert_equal(got.reshape(T, 6, -1), one)
    assert_equal(jax.tree.map(lambda x: x.reshape(6, *x.shape[2:]), last), one_last)
    row_state = jax.tree.map(lambda x: x[1, 0], state)
    none, none_last = unroll(cell, params, xs[:, 1, 0], row_state, lengths=5)
    assert_equal(got[:, 1, 0], none)
    assert_equal(jax.tree.map(lambda x: x[1, 0], last), none_last)


@every_in_turn
def test_vmap_over_parameters_and_inputs(row):
    cell = in_float64(row)
    _, xs, _ = sequence(cell)
    seeds = jax.random.split(jax.random.key(0), 2)
    population = jax.jit(jax.vmap(lambda seed: cell.init(seed, D)))(seeds)
    gradient = jax.jit(jax.grad(lambda p, x: weigh(unroll(cell, p, x, resets=resets(), chunk=4))))
    together = jax.vmap(gradient, in_axes=(0, None))(population, xs)
    for i in range(2):
        alone = gradient(jax.tree.map(lambda p, i=i: p[i], population), xs)
        assert_equal(jax.tree.map(lambda p, i=i: p[i], together), alone)
    params = jax.tree.map(lambda p: p[0], population)
    over_rows = jax.vmap(lambda x: unroll(cell, params, x)[0], in_axes=1, out_axes=1)(xs)
    assert_equal(over_rows, unroll(cell, params, xs)[0])


@every_in_turn
def test_dtype_policy(row):
    """bfloat16 arithmetic on float32 parameters: h and outputs in bfloat16, memory and gradients in float32.

    A state of another precision is taken, and brought to that.
    """
    half = row.with_dtypes(param_dtype="float32", dtype="bfloat16")
    params, xs, _ = sequence(half, dtype="float32")

    def float32(x):
        return x.astype("float32") if jnp.issubdtype(x.dtype, jnp.floating) else x

    got = outcome(half, params, xs, jax.tree.map(float32, half.initial_state(params, (B,))), chunk=4)
    assert got["outputs"].dtype == jnp.bfloat16
    for path, leaf in jax.tree.flatten_with_path(got["last"])[0]:
        if jnp.issubdtype(leaf.dtype, jnp.floating):
            assert leaf.dtype == (jnp.bfloat16 if path[-1].name == "h" else jnp.float32)
    assert {g.dtype for g in jax.tree.leaves(got["d_params"])} == {jnp.dtype("float32")}
    exact = in_float64(row)
    wide = jax.tree.map(lambda p: p.astype("float64"), params)
    expected, _ = unroll(exact, wide, xs.astype("float64"), exact.initial_state(wide, (B,)))
    assert_equal(got["outputs"].astype("float64"), expected, rtol=0.05)


@rows_in_turn(lambda row: row.random)
def test_draws_do_not_depend_on_chunks_or_the_batch(row):
    cell = in_float64(row)
    params, xs, state = sequence(cell)
    got = unroll(cell, params, xs, state, key=key(row), chunk=4)
    assert_equal(unroll(cell, params, xs, state, key=key(row), chunk=T), got)
    fewer = jax.tree.map(lambda x: x[:2], state)
    outputs, _ = unroll(cell, params, xs[:, :2], fewer, key=key(row))
    assert_equal(outputs, got[0][:, :2])
    other, _ = unroll(cell, params, xs, state, key=jax.random.key(KEY + 1))
    evaluation, _ = unroll(cell, params, xs, state)
    assert np.any(np.asarray(other != got[0])) and np.any(np.asarray(evaluation != got[0]))
    rows = unroll(cell, params, jnp.broadcast_to(xs[:, :1], xs.shape), key=key(row))[0]
    assert np.any(np.asarray(rows[:, 0] != rows[:, 1])) == row.by_row


@rows_in_turn(lambda row: row.random, others=NIGHTLY)  # tests/driver/test_devices.py has every kind of draw
def test_draws_do_not_depend_on_devices(row):
    """The batch laid out over four devices: draws, outputs and gradients are those of one."""
    cell = in_float64(row)
    params, xs, state = sequence(cell, batch=(4,))
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:4]), ("batch",))
    spread = jax.device_put(xs, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(None, "batch")))
    assert len(spread.sharding.device_set) == 4
    got = outcome(cell, params, spread, state, key=key(row), chunk=4)
    assert_equal(got, outcome(cell, params, xs, state, key=key(row), chunk=4))


@rows(lambda row: row.causal and row.random)
def test_one_step_draws_like_the_sequence(row):
    """A stack drops the same whether it runs layer after layer or step after step."""
    cell = in_float64(row)
    params, xs, state = sequence(cell)
    layered, last = unroll(cell, params, xs, state, key=key(row))

    class Stepwise(type(cell)):
        compose = None

    stepwise = Stepwise(**settings(cell))
    outputs, stepwise_last = unroll(stepwise, params, xs, state, key=key(row))
    assert_equal((outputs, stepwise_last), (layered, last))


@every_in_turn
def test_no_retrace(row):
    """A second call with other values, lengths and keys compiles nothing."""
    cell = in_float64(row)
    params, xs, state = sequence(cell)

    class Counting(type(cell)):
        traces = 0

        def initial_state(self, params, batch_shape):
            Counting.traces += isinstance(jax.tree.leaves(params)[0], jax.core.Tracer)
            return super().initial_state(params, batch_shape)

    counting = Counting(**settings(cell))
    for seed in range(3):
        unroll(counting, params, xs * seed, state, lengths=jnp.array([seed, 1, 2]), key=jax.random.key(seed))
    assert Counting.traces == 1


@every_in_turn
def test_no_steps_and_one_step(row):
    cell = in_float64(row)
    params, xs, state = sequence(cell)
    none = outcome(cell, params, xs[:0], state)
    assert none["outputs"].shape == (0, B, cell.output_size)
    assert_equal(none["last"], state)
    one, _ = unroll(cell, params, xs[:1], state, lengths=jnp.ones(B, int))
    both, _ = unroll(cell, params, xs, state, lengths=jnp.ones(B, int))
    assert_equal(one[0], both[0])


@rows_in_turn(lambda row: row in CELLS + OTHERS + FAMILY, others=NIGHTLY)
def test_second_derivatives(row):
    """Reverse over reverse, and forward over reverse, on the fast path equal those of the plain scan."""
    cell = in_float64(row)
    params, xs, state = sequence(cell, batch=(1,), steps=3)
    options = {"resets": resets((1,), 3)}
    tangent = jnp.cos(jnp.arange(xs.size, dtype=xs.dtype)).reshape(xs.shape)

    def gradient(vjp):
        return jax.grad(lambda x: weigh(unroll(cell, params, x, state, vjp=vjp, **options)[0]))

    def forward_over_reverse(vjp):
        return jax.jit(lambda x: jax.jvp(gradient(vjp), (x,), (tangent,))[1])(xs)

    expected = forward_over_reverse("autodiff")
    assert np.any(np.asarray(expected))
    reverse_twice = jax.jit(jax.grad(lambda x: jnp.vdot(gradient("hoisted")(x), tangent)))(xs)
    assert_equal((reverse_twice, forward_over_reverse("hoisted")), (expected, expected))


@every_in_turn
def test_collecting_changes_nothing_and_returns_inner_values(row):
    cell = in_float64(row)
    params, xs, state = sequence(cell)
    options = {"lengths": jnp.array(LENGTHS), "resets": resets()}
    outputs, last = unroll(cell, params, xs, state, **options)
    same, same_last, collected = unroll(cell, params, xs, state, collect=("h",), **options)
    assert_equal((same, same_last), (outputs, last))
    leaves = jax.tree.leaves(collected)
    assert len(leaves) == len([p for p, _ in jax.tree.flatten_with_path(state)[0] if p[-1].name == "h"])
    for leaf in leaves:
        assert leaf.shape[:2] == (T, B)
        assert not np.any(np.asarray(leaf[:, 0])), "values on padding"
