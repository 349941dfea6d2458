"""Rows over devices: the same numbers as on one device, and one sum over the devices in all."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec

from harness import assert_equal, mask, outcome, resets, sequence, weigh
from lstm_jax import LSTM, Bidirectional, ResetBeforeGRU, Stack, unroll
from lstm_jax.cell import row_keys
from table import Everything

STEPS, FLOAT64 = 5, {"param_dtype": "float64"}
LSTM_4, RESET_3 = LSTM(4, **FLOAT64), ResetBeforeGRU(3, **FLOAT64)
EVERYTHING = Everything(3, **FLOAT64)  # draws once a sequence and at every step, counts in its state
BOTH_WAYS = Stack((Bidirectional(LSTM_4, RESET_3), LSTM_4), dropout=0.4)
TWO = Stack((LSTM_4, LSTM_4), dropout=0.4)
LENGTHS = jnp.array([0, 5, 3, 1, 4, 2, 5, 5])
KEY = jax.random.key(7)


def _mesh(devices=4, types=AxisType.Auto, names=("batch",)):
    shape = (devices, *(1 for _ in names[1:]))
    return jax.make_mesh(shape, names, axis_types=(types,) * len(names), devices=jax.devices()[:devices])


def _assert_same_over_devices(cell, batch, devices=4, **options):
    params, xs, state = sequence(cell, batch, STEPS)
    expected = outcome(cell, params, xs, state, **options)
    with jax.set_mesh(_mesh(devices)):
        got = outcome(cell, params, xs, state, **options)
    assert_equal(got, expected, rtol=1e-12)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    ("cell", "rows", "key"),
    [(LSTM_4, 8, None), (RESET_3, 3, None), (LSTM_4, 1, None), (BOTH_WAYS, 6, KEY)],
    ids=["lstm-8", "reset-3", "lstm-1", "stack-6"],
)
def test_outputs_states_and_gradients_are_those_of_one_device(cell, rows, key):
    drawn = {} if key is None else {"key": key}
    flow = {"lengths": LENGTHS[:rows], "mask": mask((rows,), STEPS), "resets": resets((rows,), STEPS)}
    _assert_same_over_devices(cell, (rows,), **flow, **drawn)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    "options",
    [
        {"reverse": True, "remat": True, "lengths": LENGTHS[:6], "chunk": 2},
        {"vjp": "autodiff", "resets": resets((6,), STEPS)},
    ],
    ids=lambda options: next(iter(options)),
)
def test_every_option(options):
    _assert_same_over_devices(LSTM_4, (6,), **options)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("batch", [(), (3, 2)])
def test_other_batch_axes(batch):
    _assert_same_over_devices(LSTM_4, batch, mask=mask(batch, STEPS), resets=resets(batch, STEPS))


@pytest.mark.usefixtures("float64")
def test_two_of_four_devices_and_every_kind_of_draw():
    _assert_same_over_devices(EVERYTHING, (3,), 2, key=KEY)


@pytest.mark.usefixtures("float64")
def test_the_initial_state_and_collected_values():
    """Without a given state; with a third result, that of a composite nested."""
    params, xs, _ = sequence(TWO, (3,), STEPS)
    run = jax.jit(partial(unroll, TWO, lengths=LENGTHS[:3], collect=("c",)))
    expected = run(params, xs)
    with jax.set_mesh(_mesh()):
        got = run(params, xs)
    assert got[2][1]["c"].shape == (STEPS, 3, 4)
    assert_equal(got, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("mesh", "shares"),
    [
        ({}, 4),
        ({"devices": 2}, 2),
        ({"names": ("batch", "model")}, 4),
        ({"names": ("rows",)}, 1),
        ({"types": AxisType.Explicit}, 1),
    ],
    ids=["four", "two", "beside-another-axis", "no-batch-axis", "explicit"],
)
def test_each_device_computes_its_share(mesh, shares):
    """Which rows a cell's methods see: those of one device."""
    params, xs = LSTM(4).init(jax.random.key(0), 2), jnp.zeros((STEPS, 8, 2))
    with jax.set_mesh(_mesh(**mesh)):
        text = jax.jit(partial(unroll, LSTM(4))).lower(params, xs).as_text()
    assert set(re.findall(r"dot_general.*tensor<(\d+)x4xf32>, tensor<4x16xf32>", text)) == {str(8 // shares)}


@pytest.mark.usefixtures("float64")
def test_inside_a_shard_map_rows_draw_as_in_the_whole_batch():
    params, xs, state = sequence(TWO, (8, 2), STEPS)

    def run(xs, state):
        return unroll(TWO, params, xs, state, key=KEY)

    row, step = PartitionSpec("batch"), PartitionSpec(None, "batch")
    with jax.set_mesh(_mesh()):
        shared = jax.shard_map(run, in_specs=(step, row), out_specs=(step, row), check_vma=False)
        got = jax.jit(shared)(xs, state)
    assert_equal(got, jax.jit(run)(xs, state), rtol=1e-12)


@pytest.mark.parametrize("batch", [(8,), (8, 3)])
def test_row_keys_inside_a_shard_map(batch):
    key = jax.random.key(3)

    def draw(key):
        return jax.random.key_data(row_keys(key, (batch[0] // 4, *batch[1:])))

    with jax.set_mesh(_mesh()):
        shared = jax.shard_map(draw, in_specs=PartitionSpec(), out_specs=PartitionSpec("batch"), check_vma=False)
        got = jax.jit(shared)(key)
    expected = [jax.random.key_data(jax.random.fold_in(key, row)) for row in range(np.prod(batch))]
    np.testing.assert_array_equal(got, np.reshape(expected, (*batch, 2)))


def _computations(text):
    """The computations of an HLO module by name, each as its lines."""
    found, name = {}, None
    for line in text.splitlines():
        if head := re.match(r"(?:ENTRY )?%([\w.\-]+) \(.*\{$", line):
            name = head[1]
        elif name is not None:
            found.setdefault(name, []).append(line)
    return found


def _inside_loops(computations):
    """Names of all computations that a loop's body calls, however deep."""
    called = {
        name: set(re.findall(r"%([\w.\-]+)", "\n".join(lines))) & computations.keys()
        for name, lines in computations.items()
    }
    text = "\n".join(line for lines in computations.values() for line in lines)
    reached, ahead = set(), re.findall(r"body=%([\w.\-]+)", text)
    while ahead:
        if (name := ahead.pop()) not in reached:
            reached.add(name)
            ahead += called[name]
    return reached


@pytest.mark.parametrize(
    ("cell", "rows"), [(ResetBeforeGRU(3), 6), (Stack((LSTM(4), LSTM(3))), 8)], ids=["reset", "stack"]
)
def test_the_gradients_meet_once_and_outside_of_every_loop(cell, rows):
    params = cell.init(jax.random.key(0), 2)

    def loss(params, xs):
        return weigh(unroll(cell, params, xs, chunk=5))

    with jax.set_mesh(_mesh()):
        text = jax.jit(jax.grad(loss)).lower(params, jnp.zeros((20, rows, 2))).compile().as_text()
    computations = _computations(text)
    loops = _inside_loops(computations)
    assert len(loops) >= 2
    all_reduce = re.compile(r" all-reduce(-start)?\(")
    reductions = [name for name, lines in computations.items() for line in lines if all_reduce.search(line)]
    assert len(reductions) == 1
    assert not loops & set(reductions)
