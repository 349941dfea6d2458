"""Cells against the papers' equations in NumPy, under every way to steer a sequence."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import assert_equal
from lstm_jax import GRU, LSTM, Elman, ResetBeforeGRU, unroll
from lstm_jax.cells import (
    CIFG,
    LSTM1997,
    MGU,
    NFG,
    NIAF,
    NIG,
    NOAF,
    NOG,
    NP,
    URLSTM,
    ConvLSTM,
    FullGateLSTM,
    IndRNN,
    LayerNormLSTM,
    MultiplicativeLSTM,
    PeepholeLSTM,
    ProjectedLSTM,
)
from oracles import equations
from oracles.sequence import run_row

D, H = 3, 2


def blocks(params, names):
    """Weights a gate, taken apart by position: the order of the gates is part of what is tested."""
    w, u, b = (np.asarray(v, np.float64) for v in (params.w_x, params.w_h, params.b))

    def cut(v, k):
        return v[..., k * H : (k + 1) * H]

    return {name: (cut(w, k), cut(u, k), cut(b, k)) for k, name in enumerate(names)}


def gru_blocks(params):
    weights = blocks(params, "rzn")
    return weights | {"n": (*weights["n"], np.asarray(params.b_hn, np.float64))}


def relu(x):
    return np.maximum(x, 0.0)


def numbers(tree):
    return {name: np.asarray(value, np.float64) for name, value in vars(tree).items()}


def with_peepholes(params, names, seeing="ifo"):
    parts = np.split(numbers(params)["p"], len(seeing)) if seeing else ()
    return blocks(params, names) | {"peepholes": dict(zip(seeing, parts, strict=True))}


def full_gate_weights(params):
    between = [np.split(rows, 3, axis=1) for rows in np.split(numbers(params)["w_r"], 3)]
    extra = {a + b: between[i][k] for i, a in enumerate("ifo") for k, b in enumerate("ifo")}
    return with_peepholes(params, "ifgo") | extra


def projected_weights(params):
    return blocks(params, "ifgo") | {"projection": numbers(params)["w_p"]}


def renamed(params, **names):
    return {names.get(name, name): value for name, value in numbers(params).items()}


def blocks_1997(params):
    w, u, b = (numbers(params)[name] for name in ("w_x", "w_h", "b"))
    cuts = {"i": slice(0, 2), "o": slice(2, 4), "g": slice(4, 8)}
    return {name: (w[:, at], u[:, at], b[at]) for name, at in cuts.items()}


def multiplicative_weights(params):
    v = numbers(params)
    parts = zip(*(np.split(v[name], 4, axis=-1) for name in ("w_x", "w_m", "b")), strict=True)
    return dict(zip("ifgo", parts, strict=True)) | {"xm": v["w_xm"], "hm": v["w_hm"]}


def identity(x):
    return x


GREFF = {
    "v": (PeepholeLSTM(H), {}, "ifgo", "ifo"),
    "nig": (NIG(H), {}, "fgo", "fo"),
    "nfg": (NFG(H), {}, "igo", "io"),
    "nog": (NOG(H), {}, "ifg", "if"),
    "niaf": (NIAF(H), {"g": identity}, "ifgo", "ifo"),
    "noaf": (NOAF(H), {"h": identity}, "ifgo", "ifo"),
    "cifg": (CIFG(H), {"coupled": True}, "igo", "io"),
    "np": (NP(H), {}, "ifgo", ""),
    "clip": (PeepholeLSTM(H, clip=0.7), {"clip": 0.7}, "ifgo", "ifo"),
    "all": (CIFG(H, without=("o",), clip=0.5, activation="relu"), {"coupled": True, "clip": 0.5, "g": relu}, "ig", "i"),
}
FAMILY = {
    name: (cell, partial(equations.peephole, **settings), partial(with_peepholes, names=names, seeing=seeing))
    for name, (cell, settings, names, seeing) in GREFF.items()
} | {
    "fgr": (FullGateLSTM(H), equations.full_gate, full_gate_weights),
    "projected": (ProjectedLSTM(H, 3), equations.projected, projected_weights),
    "projected-clips": (
        ProjectedLSTM(H, 1, cell_clip=0.5, projection_clip=0.2),
        partial(equations.projected, cell_clip=0.5, projection_clip=0.2),
        projected_weights,
    ),
    "layer-norm": (LayerNormLSTM(H), equations.layer_norm_lstm, partial(renamed, w_x="x", w_h="h")),
    "ur-lstm": (URLSTM(H), equations.ur_lstm, partial(blocks, names="frgo")),
    "u-lstm": (URLSTM(H, refine=False), equations.ur_lstm, partial(blocks, names="fgo")),
    "lstm-1997": (LSTM1997(4, block_size=2), partial(equations.lstm_1997, block=2), blocks_1997),
    "mgu": (MGU(H), equations.mgu, partial(blocks, names="fn")),
    "indrnn": (IndRNN(H), partial(equations.indrnn, squash=relu), partial(renamed, w_x="w", w_h="u")),
    "multiplicative": (MultiplicativeLSTM(H), equations.multiplicative, multiplicative_weights),
}
CASES = FAMILY | {
    "lstm": (LSTM(H), equations.lstm, partial(blocks, names="ifgo")),
    "lstm-relu": (
        LSTM(H, activation="relu", gate_activation="hard_sigmoid"),
        partial(equations.lstm, squash=relu, gate=lambda x: np.clip((x + 3) / 6, 0, 1)),
        partial(blocks, names="ifgo"),
    ),
    "gru": (GRU(H), equations.gru_reset_after, gru_blocks),
    "gru-reset-before": (ResetBeforeGRU(H), equations.gru_reset_before, partial(blocks, names="rzn")),
    "elman": (Elman(H), equations.elman, partial(blocks, names="h")),
    "elman-relu": (Elman(H, activation="relu"), partial(equations.elman, squash=relu), partial(blocks, names="h")),
}


IMAGES = {
    f"conv-{len(space)}d": (
        ConvLSTM(H, space, kernel_size=kernel, peepholes=True),
        equations.conv_lstm,
        partial(renamed, w_x="x", w_h="h", p="peepholes"),
    )
    for space, kernel in (((3,), 2), ((3, 2), 3), ((2, 3, 2), 2))
}
CASES |= IMAGES


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
def test_cell_equals_its_paper(name, data):
    cell, step, weights_of = CASES[name]
    batch, steps = 2, 6
    seed = data.draw(st.integers(0, 2**31), label="seed")
    drawn = np.random.default_rng(seed)
    like = jax.eval_shape(lambda key: cell.init(key, D), jax.random.key(0))
    params = jax.tree.map(lambda p: jnp.asarray(drawn.normal(size=p.shape)), like)
    space = cell.space if name in IMAGES else ()
    xs = drawn.normal(size=(steps, batch, *space, D))
    state = jax.tree.map(lambda s: jnp.asarray(drawn.normal(size=s.shape)), cell.initial_state(params, (batch,)))
    booleans = st.lists(st.lists(st.booleans(), min_size=batch, max_size=batch), min_size=steps, max_size=steps)
    lengths = np.array(data.draw(st.lists(st.integers(0, steps), min_size=batch, max_size=batch), label="lengths"))
    mask = np.array(data.draw(booleans, label="mask"))
    resets = np.array(data.draw(booleans, label="resets"))
    reverse = data.draw(st.booleans(), label="reverse")

    outputs, last = unroll(cell, params, xs, state, lengths=lengths, mask=mask, resets=resets, reverse=reverse, chunk=4)
    row_step = partial(step, weights_of(params))
    for b in range(batch):
        start = {field: np.asarray(getattr(state, field)[b]) for field in vars(state)}
        steer = {"length": lengths[b], "mask": mask[:, b], "resets": resets[:, b], "reverse": reverse}
        expected, expected_last = run_row(row_step, xs[:, b], start, **steer)
        assert_equal(outputs[:, b], expected)
        assert_equal({field: getattr(last, field)[b] for field in vars(last)}, expected_last)
