"""The table: every cell and wrapper, with what is exceptional about it. The properties are in test_properties.py."""

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import struct

from lstm_jax import GRU, LSTM, Bidirectional, Cell, Elman, GatedCell, LSTMState, ResetBeforeGRU, Stack
from lstm_jax.cell import bernoulli, fold_in, row_keys
from lstm_jax.cells import (
    CIFG,
    LSTM1997,
    MGU,
    NIG,
    URLSTM,
    FullGateLSTM,
    IndRNN,
    LayerNormLSTM,
    MultiplicativeLSTM,
    PeepholeLSTM,
    ProjectedLSTM,
)
from lstm_jax.initializers import dense
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


@struct.dataclass
class EverythingParams:
    """Parameters of `Everything`."""

    w_x: jax.Array
    w_h: jax.Array
    b: jax.Array
    scale: jax.Array
    w_p: jax.Array
    h_0: jax.Array
    mask: jax.Array | None = None


@struct.dataclass
class EverythingState:
    """An LSTM's state and a count of steps, which has no gradient."""

    h: jax.Array
    c: jax.Array
    count: jax.Array


@dataclass(frozen=True)
class Everything(GatedCell):
    """A gated cell that overrides every method: normed recurrence, peephole, gated projection, learned initial state,
    a mask drawn once a sequence, input dropout and zoneout drawn at every step, an integer in the state."""

    hidden_size: int
    param_dtype: str = "float32"
    dtype: str | None = None

    @property
    def output_size(self) -> int:
        return self.hidden_size - 1

    def init(self, key, input_size):
        keys = jax.random.split(key, 4)
        params = dense(keys[0], input_size, self.hidden_size, gates=4, dtype=self.param_dtype)

        def draw(i, *shape):
            return jax.random.normal(keys[i], shape, self.param_dtype)

        return EverythingParams(
            w_x=params.w_x,
            w_h=params.w_h,
            b=params.b,
            scale=draw(1, self.hidden_size),
            w_p=draw(2, self.hidden_size, self.output_size),
            h_0=draw(3, self.hidden_size),
        )

    def initial_state(self, params, batch_shape):
        dtype = self.compute_dtype(params)
        h = jnp.broadcast_to(jnp.tanh(params.h_0).astype(dtype), (*batch_shape, self.hidden_size))
        c = jnp.zeros(h.shape, "float64" if dtype == "float64" else "float32")
        return EverythingState(h=h, c=c, count=jnp.zeros(batch_shape, jnp.int32))

    def prepare(self, params, batch_shape, *, key=None):
        if key is None:
            return params
        keep = bernoulli(row_keys(key, batch_shape), 0.7, self.hidden_size)
        return params.replace(mask=jnp.where(keep, 1 / 0.7, 0.0))

    def project(self, params, xs, *, keys=None):
        if keys is None:
            return GatedCell.project(self, params, xs), None
        # The input's too, so that the gradients of what depends on the inputs alone need the keys.
        xs = jnp.where(bernoulli(fold_in(keys, 1), 0.8, xs.shape[-1]), xs, jnp.zeros_like(xs))
        return GatedCell.project(self, params, xs), bernoulli(keys, 0.3, self.hidden_size)

    def mix(self, params, state):
        h = state.h if params.mask is None else state.h * params.mask.astype(state.h.dtype)
        return h @ params.w_h.astype(h.dtype), state.count

    def join(self, z, u):
        (z, zone), (u, count) = z, u
        return z, u, zone, count

    def update(self, params, a, state):
        z, u, zone, count = a
        dtype = state.c.dtype
        u = u.astype(dtype)
        u = u / jnp.sqrt(1.0 + jnp.sum(u * u, axis=-1, keepdims=True))
        i, f, g, o = jnp.split(z.astype(dtype) + u, 4, axis=-1)
        scale = jnp.broadcast_to(params.scale.astype(dtype), state.c.shape)
        # Odd steps of a sequence count half: the integer matters.
        odd = jnp.where(count % 2 == 1, 0.5, 1.0).astype(dtype)[..., None]
        c = jax.nn.sigmoid(f + scale * state.c) * state.c + odd * jax.nn.sigmoid(i) * jnp.tanh(g)
        h = (jax.nn.sigmoid(o) * jnp.tanh(c)).astype(state.h.dtype)
        h = h if zone is None else jnp.where(zone, state.h, h)
        return EverythingState(h=h, c=c, count=count + 1)

    def output(self, params, a, state):
        # Of the pre-activations too, so that their cotangents come from here as well.
        gated = jax.nn.sigmoid(a[0][..., : self.hidden_size].astype(state.h.dtype)) * state.h
        return gated @ params.w_p.astype(state.h.dtype)

    def inspect(self, params, z, state):
        return {"normed": self.join(z, self.mix(params, state))[1]}


@dataclass(frozen=True)
class StepOnly(Cell):
    """A cell with only ``init`` and ``step``; its output is not its state."""

    hidden_size: int
    param_dtype: str = "float32"
    dtype: str | None = None
    state_type: ClassVar[type] = LSTMState

    def init(self, key, input_size):
        return dense(key, input_size, self.hidden_size, gates=2, dtype=self.param_dtype)

    def step(self, params, state, z):
        w_x, w_h = params.w_x.astype(z.dtype), params.w_h.astype(z.dtype)
        a = jnp.tanh(z @ w_x + state.h @ w_h)
        left, right = jnp.split(a, 2, axis=-1)
        c = (state.c + left.astype(state.c.dtype)) / 2
        h = right * (left @ w_h[:, : self.hidden_size])
        return LSTMState(h=h, c=c), h + c.astype(h.dtype)


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    cell: Cell
    causal: bool = True
    """Whether an output depends on the past alone, so that the cell has a step."""
    random: bool = False
    """Whether a key changes the result."""
    by_row: bool = True
    """Whether each row draws on its own."""

    def with_dtypes(self, **dtypes: str) -> Cell:
        """The row's cell, and every cell in it, with other dtypes."""
        return _with_dtypes(self.cell, dtypes)


def _with_dtypes(cell: Cell, dtypes: dict[str, str]) -> Cell:
    parts = {field.name: getattr(cell, field.name) for field in dataclasses.fields(cell)}
    inner = {name: _with_dtypes(part, dtypes) for name, part in parts.items() if isinstance(part, Cell)}
    if isinstance(cell, Stack):
        inner["cells"] = tuple(_with_dtypes(c, dtypes) for c in cell.cells)
    return dataclasses.replace(cell, **(inner or dtypes))


CELLS = (
    Row("lstm", LSTM(4)),
    Row("gru", GRU(4)),
    Row("elman", Elman(4)),
    Row("step-only", StepOnly(4)),
)
OTHERS = (
    Row("gru-reset-before", ResetBeforeGRU(4)),
    Row("everything", Everything(4), random=True),
    Row("stack", Stack((LSTM(4), ResetBeforeGRU(3)))),
    Row("bidirectional", Bidirectional(LSTM(4), GRU(3)), causal=False),
)
FAMILY = (
    Row("lstm-chrono-relu", LSTM(4, chrono=20.0, activation="relu", gate_activation="hard_sigmoid")),
    Row("irnn", Elman(4, activation="relu", recurrent="identity")),
    Row("lstm-1997", LSTM1997(4, block_size=2)),
    Row("peephole-clip", PeepholeLSTM(4, clip=0.9)),
    Row("cifg", CIFG(4)),
    Row("nig", NIG(4)),
    Row("nog-niaf", PeepholeLSTM(4, without=("f", "o"), activation="identity", output_activation="softsign")),
    Row("full-gate", FullGateLSTM(4)),
    Row("projected", ProjectedLSTM(4, 3, cell_clip=0.8, projection_clip=0.7)),
    Row("layer-norm", LayerNormLSTM(4)),
    Row("ur-lstm", URLSTM(4)),
    Row("u-lstm", URLSTM(4, refine=False)),
    Row("multiplicative", MultiplicativeLSTM(4)),
    Row("mgu", MGU(4)),
    Row("indrnn", IndRNN(4, activation="tanh")),
)
"""The other cells."""
WRAPPED = (
    Row("stack-variational", Stack((Elman(4), LSTM(3)), dropout=0.4, variational=True), random=True),
    Row("residual", Residual(LSTM(5))),
    Row("highway", Highway(Bidirectional(LSTM(3), GRU(2))), causal=False),
    Row("output-norm", OutputNorm(PeepholeLSTM(4))),
    Row("learned-initial-state", LearnedInitialState(Stack((LSTM(4), ResetBeforeGRU(3))))),
    Row("reset-by-flag", ResetByFlag(LSTM(4))),
    Row("zoneout", Zoneout(LSTM(4), h=0.2, c=0.4), random=True),
    Row("zoneout-everything", Zoneout(Everything(4), h=0.3), random=True),
    Row("variational", VariationalDropout(GRU(4), inputs=0.3, recurrent=0.4), random=True),
    Row("recurrent-dropout", RecurrentDropout(Zoneout(CIFG(4)), rate=0.4), random=True),
    Row("weight-drop", WeightDrop(LSTM(4), rate=0.4), random=True, by_row=False),
)
"""Stacks that draw, and what wraps a cell."""
NESTED = (
    Row("stack-dropout", Stack((LSTM(4), Everything(5), GRU(4)), dropout=0.4), random=True),
    Row("bidirectional-mean", Bidirectional(Everything(5), Elman(4), merge="mean"), causal=False, random=True),
    Row(
        "stack-of-bidirectional",
        Stack((Bidirectional(GRU(3), LSTM(3), merge="sum"), Bidirectional(LSTM(3), LSTM(2))), dropout=0.4),
        causal=False,
        random=True,
    ),
    Row(
        "wrapped-stack",
        Stack(
            (Residual(RecurrentDropout(WeightDrop(LSTM(5)))), OutputNorm(VariationalDropout(LSTM(3), recurrent=0.3)))
        ),
        random=True,
    ),
)
"""Wrappers in wrappers in stacks: each row takes as long as ten cells. They run at night."""
TABLE = CELLS + OTHERS
"""The rows of the fast suite are CELLS; the others run with the proofs."""
PROOFS = FAMILY + WRAPPED + NESTED
"""The rows that take as long again: CI runs them on their own."""
