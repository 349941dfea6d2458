"""Any cell under any wrappers, steered in any way, on the fast path, equals a plain Python loop over its steps."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import assert_equal
from lstm_jax import Stack, unroll
from lstm_jax.cells import registry
from lstm_jax.wrappers import (
    Highway,
    LearnedInitialState,
    OutputNorm,
    RecurrentDropout,
    ResetByFlag,
    Residual,
    VariationalDropout,
    WeightDrop,
    Zoneout,
)

pytestmark = [pytest.mark.usefixtures("float64"), pytest.mark.proof]
SPACE = (2, 3)
INSIDE = {
    "zoneout": partial(Zoneout, h=0.2, c=0.4),
    "variational": partial(VariationalDropout, inputs=0.2, recurrent=0.4),
    "recurrent-dropout": partial(RecurrentDropout, rate=0.4),
    "weight-drop": partial(WeightDrop, rate=0.3),
}
AROUND = {
    "residual": Residual,
    "highway": Highway,
    "output-norm": OutputNorm,
    "initial-state": LearnedInitialState,
    "reset-by-flag": ResetByFlag,
}
FEATURES = 4


@st.composite
def cells(draw):
    """A cell of the registry, of as many outputs as inputs, under up to two wrappers of each kind that fit."""
    name = draw(st.sampled_from(sorted(registry.CELLS)), label="cell")
    kind = registry.CELLS[name]
    own = {"projection_size": FEATURES, "space": SPACE}
    required = {k: v for k, v in own.items() if k in kind.__dataclass_fields__}
    cell = kind(5 if name == "ProjectedLSTM" else FEATURES, param_dtype="float64", **required)
    inner, outer = (draw(st.lists(st.sampled_from(sorted(kinds)), max_size=2)) for kinds in (INSIDE, AROUND))
    size = FEATURES
    for wrapper in inner + outer:
        if wrapper in INSIDE or wrapper == "initial-state":
            try:
                cell = (INSIDE | AROUND)[wrapper](cell)
            except ValueError:  # a cell with only a step, whose update takes no candidate, or that resets itself
                continue
        elif wrapper == "reset-by-flag":
            cell, size = ResetByFlag(cell), size + 1
        elif size == FEATURES or wrapper not in ("residual", "highway"):
            cell = AROUND[wrapper](cell)
    if draw(st.booleans(), label="stacked") and size == FEATURES:
        cell = Stack((cell, cell))
    return cell, size


@settings(max_examples=100)
@given(cells(), st.data())
def test_any_combination_equals_the_plain_loop(chosen, data):
    cell, features = chosen
    steps, rows = data.draw(st.integers(1, 6), label="T"), data.draw(st.integers(1, 3), label="B")
    numbers = np.random.default_rng(data.draw(st.integers(0, 99), label="seed"))
    params = cell.init(jax.random.key(1), features)
    params = jax.tree.map(lambda p: p + jnp.asarray(numbers.normal(size=p.shape) / 3), params)
    space = SPACE if cell.feature_axes == 3 else ()
    xs = jnp.asarray(numbers.normal(size=(steps, rows, *space, features)))
    lengths = jnp.asarray(numbers.integers(0, steps + 1, rows))
    mask, resets = (jnp.asarray(numbers.random((steps, rows)) < share) for share in (0.8, 0.3))
    reverse = data.draw(st.booleans(), label="reverse")
    chunk = data.draw(st.integers(1, steps), label="chunk")
    got, last = unroll(cell, params, xs, lengths=lengths, mask=mask, resets=resets, reverse=reverse, chunk=chunk)
    keep = np.asarray(mask & (jnp.arange(steps)[:, None] < lengths[None]))

    @jax.jit
    def one(state, x):
        z = jax.tree.map(lambda leaf: leaf[0], cell.project(params, x[None]))
        return cell.step(params, state, z)

    for b in range(rows):
        initial = state = cell.initial_state(params, ())
        for t in reversed(range(steps)) if reverse else range(steps):
            if keep[t, b]:
                state, y = one(initial if resets[t, b] else state, xs[t, b])
                assert_equal(got[t, b], y)
            else:
                assert not np.any(np.asarray(got[t, b]))
        assert_equal(jax.tree.map(lambda leaf, b=b: leaf[b], last), state)
