"""Errors at the public boundary: one sentence that says what was wrong, with both shapes, and what to do."""

import re
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax import (
    GRU,
    LSTM,
    Bidirectional,
    Cell,
    GatedCell,
    HiddenState,
    LSTMState,
    ResetBeforeGRU,
    Stack,
    step,
    unroll,
)
from lstm_jax.adapters.linen import Recurrent
from lstm_jax.cells import ConvLSTM, LayerNormLSTM, PeepholeLSTM
from lstm_jax.initializers import dense

T, B, D, H = 7, 3, 2, 4
CELL = LSTM(H)
PARAMS = CELL.init(jax.random.key(0), D)
XS = jnp.ones((T, B, D))
BOTH = Bidirectional(CELL, CELL)


def run(cell=CELL, params=PARAMS, xs=XS, state=None, **options):
    return unroll(cell, params, xs, state, **options)


def state_of(cell, batch):
    return cell.initial_state(cell.init(jax.random.key(0), D), batch)


@dataclass
class NotFrozen(Cell):
    hidden_size: int = 4


@dataclass(frozen=True)
class NoUpdate(GatedCell):
    hidden_size: int = H

    def init(self, key, input_size):
        return CELL.init(key, input_size)


class Undeclared(LSTM):
    def __init__(self, hidden_size):
        super().__init__(hidden_size)
        object.__setattr__(self, "scale", 2.0)


class OwnStep(LSTM):
    def step(self, params, state, z):
        return state, state.h


class Untraceable(LSTM):
    def init(self, key, input_size):
        return super().init(jax.random.key(int(jax.random.key_data(key)[1])), input_size)


def images(size):
    cell = ConvLSTM(2, (4, 4))
    return unroll(cell, cell.init(jax.random.key(0), 1), jnp.ones((T, B, *size, 1)))


def joined(join):
    """A cell with this ``join``."""

    @dataclass(frozen=True)
    class Mine(LSTM):
        def join(self, z, u):
            return join(z, u)

    return Mine(H)


@pytest.mark.parametrize(
    "join", [lambda z, u: z - u / 3 + 1, lambda z, u: jnp.roll(jnp.where(jnp.arange(16) < 3, z, z + u), 1)]
)
def test_any_linear_join_is_taken(join):
    cell = joined(join)
    run(cell, PARAMS)


@pytest.mark.parametrize(
    "wrong, parts",
    [
        (lambda: run(xs=jnp.ones(D)), ["[T, *batch, D]", "[2]", "xs[..., None]"]),
        (lambda: run(xs=jnp.ones((T, B, 5))), ["w_x [2, 16]", "[T=7, B=3, D=5]", "[5, 16]", "cell.init(key, 5)"]),
        (lambda: run(params=GRU(H).init(jax.random.key(0), D)), ["params are not those of LSTM", "b_hn"]),
        (
            lambda: run(params=LSTM(5).init(jax.random.key(0), D)),
            ["w_x [2, 20]", "[2, 16]", "other settings"],
        ),
        (lambda: run(lengths=[7] * T), ["[7]", "[T=7, B=3, D=2]", "batch-first", "swapaxes(0, 1)"]),
        (lambda: run(lengths=[1, 2]), ["[*batch] = [3]", "[2]"]),
        (lambda: run(lengths=[1, 2, 8]), ["0..T = 0..7", "one is 8"]),
        (lambda: run(lengths=[1, -2, 3]), ["0..T = 0..7", "one is -2"]),
        (lambda: run(lengths=[1.0, 2.0, 3.0]), ["whole numbers", "float32"]),
        (lambda: run(mask=jnp.ones((B, T), bool)), ["mask must be [T, *batch] = [7, 3]", "[3, 7]", "mask.T"]),
        (lambda: run(mask=jnp.ones((T, B))), ["mask must hold booleans", "float32", "mask > 0.5"]),
        (lambda: run(resets=jnp.ones(T, bool)), ["resets must be [T, *batch] = [7, 3]", "[7]"]),
        (
            lambda: run(state=state_of(GRU(H), (B,))),
            ["not one of LSTM", "LSTMState(h [3, 4], c [3, 4])", "HiddenState"],
        ),
        (lambda: run(state=state_of(CELL, (5,))), ["expected LSTMState(h [3, 4]", "got LSTMState(h [5, 4]"]),
        (lambda: run(state=(jnp.ones((B, H)),) * 2), ["expected LSTMState", "got ([3, 4], [3, 4])"]),
        (lambda: run(vjp="hoist"), ["vjp='hoist'", "'hoisted'", "'autodiff'"]),
        (lambda: run(backend="scann"), ["backend='scann'", "did you mean 'scan'"]),
        (lambda: run(chunk=0), ["chunk", "must be a whole number of at least 1, got 0"]),
        (lambda: run(chunk="fast"), ['chunk, if not "auto", must be a whole number', "got 'fast'"]),
        (lambda: run(collect=("gate",)), ["'gate'", "did you mean 'gates'", "'c'"]),
        (lambda: run(collect=5), ["collect must be a tuple of names, such as ('gates',), got 5"]),
        (lambda: run(remat="no"), ["remat must be True or False", "got 'no'"]),
        (lambda: jax.jit(lambda r: run(reverse=r))(True), ["reverse must be True or False, known before"]),
        (lambda: step(ConvLSTM(2, (4, 4)), None, jnp.ones((4, 1))), ["one step, [*batch, features]", "[4, 1]"]),
        (lambda: images((1, 1)), ["images of [1, 1]", "space=(4, 4)"]),
        (lambda: images((4, 5)), ["images of [4, 5]", "space=(4, 4)"]),
        (lambda: Stack((CELL, ConvLSTM(2, (4,)))), ["cells of vectors alone, or of images alone"]),
        (lambda: Bidirectional(CELL, ConvLSTM(2, (4,))), ["two cells of vectors, or two of images"]),
        (lambda: PeepholeLSTM(4, without="io"), ["without must be a tuple of names, such as ('f',), got 'io'"]),
        (lambda: LayerNormLSTM(4, epsilon=-1.0), ["epsilon must be above 0, got -1.0"]),
        (lambda: run(joined(lambda z, u: jnp.tanh(z + u))), ["Mine.join must be linear in z and u, such as z + u"]),
        (lambda: run(joined(lambda z, u: z * u)), ["Mine.join must be linear"]),
        (lambda: run(joined(lambda z, u: jnp.where(z > 0, z, u))), ["Mine.join must be linear"]),
        (lambda: Stack(()), ["a tuple of cells", "Stack((LSTM(64), LSTM(64)))", "got ()"]),
        (lambda: Stack(CELL), ["a tuple of cells", "got LSTM(hidden_size=4"]),
        (lambda: Stack((LSTM,)), ["a tuple of cells", "LSTM'"]),
        (lambda: Bidirectional(CELL, LSTM), ["two cells", "Bidirectional(LSTM(64), LSTM(64))"]),
        (lambda: LSTM(4, dtype="bfloat17"), ["dtype='bfloat17'", "did you mean 'bfloat16'"]),
        (lambda: GRU(4, param_dtype="int32"), ["param_dtype='int32'", "'float32'"]),
        (lambda: Stack((CELL,), dropout=1.0), ["dropout must be at least 0 and below 1, got 1.0"]),
        (lambda: Bidirectional(CELL, CELL, merge="add"), ["merge='add'", "'concat', 'sum', 'mean'"]),
        (lambda: Bidirectional(CELL, LSTM(5), merge="sum"), ["forward 4, backward 5"]),
        (lambda: step(CELL, PARAMS, jnp.ones((B, 5))), ["w_x [2, 16]", "D = 5"]),
        (lambda: run(key=7), ["key", "jax.random.key(7)"]),
        (lambda: run(key=jax.random.split(jax.random.key(0), B)), ["one key", "[3]"]),
    ],
)
def test_wrong_arguments(wrong, parts):
    with pytest.raises(ValueError, match=re.escape(parts[0])) as caught:
        wrong()
    sentence = str(caught.value)
    assert all(part in sentence for part in parts), sentence
    assert sentence.endswith(".") and "\n" not in sentence


@pytest.mark.parametrize(
    "wrong, part",
    [
        (lambda: run(cell=LSTM), "pass a cell, not its class: LSTM(hidden_size)"),
        (lambda: jax.jit(lambda c: unroll(c, PARAMS, XS))(1.0), "the cell must be static under jax.jit"),
        (lambda: run(cell="lstm"), "must be a lstm_jax.Cell, got str"),
        (lambda: run(cell=NotFrozen()), "@dataclass(frozen=True)"),
        (
            lambda: step(BOTH, BOTH.init(jax.random.key(0), D), XS[0]),
            "no single step",
        ),
        (lambda: run(xs=jnp.ones((T, B, D), int)), "xs must be floating-point numbers"),
        (lambda: run(xs=XS * 1j), "xs is complex, but LSTM is real"),
        (lambda: run(cell=LSTM(4, forget_bias=jnp.ones(4))), "a setting of LSTM is unhashable"),
        (lambda: run(cell=Undeclared(4)), "'scale', which is no field of its dataclass"),
        (lambda: run(cell=OwnStep(4)), "OwnStep overrides step, which a GatedCell's fast path does not call"),
        (lambda: LSTM(16, 32), "positional argument"),
        (lambda: Recurrent(LSTM).init(jax.random.key(0), XS), "pass a cell, not its class"),
    ],
)
def test_wrong_types(wrong, part):
    with pytest.raises(TypeError) as caught:
        wrong()
    assert part in str(caught.value)


def gated(update):
    """A cell of one gate with this update."""

    @dataclass(frozen=True)
    class Mine(GatedCell):
        hidden_size: int = H

        def init(self, key, input_size):
            return dense(key, input_size, self.hidden_size, gates=1)

    Mine.update = lambda self, params, a, state: update(a)
    return Mine()


@pytest.mark.parametrize(
    "update, got",
    [
        (lambda a: a, "got [3, 4] of float32"),
        (lambda a: HiddenState(h=a[:, :2]), "got HiddenState(h [3, 2]) of float32"),
        (lambda a: HiddenState(h=a.astype("bfloat16")), "got HiddenState(h [3, 4]) of bfloat16"),
        (lambda a: LSTMState(h=a, c=a), "got LSTMState(h [3, 4], c [3, 4]) of float32, float32"),
        (lambda a: None, "got None"),
    ],
)
def test_an_update_must_return_a_state(update, got):
    cell = gated(update)
    expected = "Mine.update must return a state like the one it gets, HiddenState(h [3, 4]) of float32, "
    with pytest.raises(TypeError, match=re.escape(expected + got)):
        run(cell, cell.init(jax.random.key(0), D))


def test_a_step_must_return_a_state_and_an_output():
    class Stateless(ResetBeforeGRU):
        def step(self, params, state, z):
            return super().step(params, state, z)[0]

    cell = Stateless(H)
    with pytest.raises(TypeError, match=r"Stateless.step must return \(state, output\), got HiddenState\(h \[3, 4\]\)"):
        run(cell, cell.init(jax.random.key(0), D))


def test_a_cell_that_is_no_dataclass_is_told_so():
    class Undecorated(GatedCell):
        hidden_size: int

    class Inherited(LSTM):
        extra: int = 0

    class Fine(LSTM):
        pass

    for cell in (Undecorated, Inherited):
        with pytest.raises(TypeError, match=rf"{cell.__name__} is not a dataclass: put @dataclass\(frozen=True\)"):
            cell(4)
    assert Fine(4).hidden_size == 4


def test_a_missing_method_is_named():
    with pytest.raises(NotImplementedError, match=r"NoUpdate must define update\(self, params, a, state\) -> state"):
        run(cell=NoUpdate())


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint32"])
def test_lengths_of_a_narrow_type(dtype):
    """No type is too narrow to count to T."""
    xs = jnp.ones((300, 2, D))
    outputs, _ = run(xs=xs, lengths=np.array([100, 3], dtype))
    assert (np.any(np.asarray(outputs), axis=-1).sum(axis=0) == [100, 3]).all()


def test_lengths_are_clamped_under_jit():
    clamped = jax.jit(lambda lengths: run(lengths=lengths))(jnp.array([99, -3, 2]))
    expected = run(lengths=jnp.array([T, 0, 2]))
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), clamped, expected))


def test_an_init_that_cannot_be_traced_is_no_error():
    cell = Untraceable(H)
    outputs, _ = unroll(cell, cell.init(jax.random.key(0), D), XS)
    assert outputs.shape == (T, B, H)
