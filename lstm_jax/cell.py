"""The contract of a recurrent cell, and the glossary. Read this first.

Axes: ``T`` time, ``B`` batch (any number of batch axes, none included), ``D`` input size, ``H`` hidden size.
One layout everywhere, time first: inputs ``xs [T, *batch, D]``, outputs ``[T, *batch, features]``.

A cell is a frozen, hashable dataclass of *settings*; it holds no arrays. Its arrays live in two pytrees:

* ``params``: what is learned, made by ``init`` from a key;
* ``state``: what is carried from step to step, with *named* fields (``state.h``, ``state.c``), never positions.

One step is split by what it may look at, because that decides how fast it can run::

    z = project(params, xs)         everything that depends on the inputs alone   batched over time
    u = mix(params, state)          the matrix work on the recurrent path         one step at a time
    a = join(z, u)                  linear                                        one step at a time
    new = update(params, a, state)  gates, norms: arithmetic local to the step    one step at a time
    y = output(params, a, new)      what leaves the cell, from the new state      batched over time

A `GatedCell` gives ``init`` and ``update``; the rest has defaults. A recurrence that multiplies matrices again after
a gate does not fit this split: it is a `Cell` with ``init`` and ``step``. `lstm_jax.unroll` runs both over a sequence.

Randomness enters in ``prepare`` (drawn once a sequence) and ``project`` (drawn at every step and row), nowhere else.
No key *is* evaluation mode; there is no ``train`` flag.
"""

from dataclasses import fields, is_dataclass
from typing import Any, ClassVar, Self, overload

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from lstm_jax.options import one_of, positive

Array = jax.Array
Key = jax.Array
"""A typed key of `jax.random.key`."""
Params = Any
State = Any
BatchShape = tuple[int, ...]
BATCH_AXIS = "batch"
"""The axis of a device mesh over which the rows of a batch are laid out (`jax.set_mesh`)."""
DTYPES = ("float32", "bfloat16", "float16", "float64")


@struct.dataclass
class DenseParams:
    """Parameters of a cell with G gates: the names that the defaults of `GatedCell` use."""

    w_x: Array
    """Input weights ``[D, G*H]``."""
    w_h: Array
    """Recurrent weights ``[H, G*H]``."""
    b: Array
    """Bias ``[G*H]``."""


@struct.dataclass
class HiddenState:
    """The state of a cell that carries its output alone."""

    h: Array
    """Hidden state ``[*batch, H]``."""


class Cell:
    """A recurrence that is known by its ``step``. Subclass it as ``@dataclasses.dataclass(frozen=True)``.

    ``init`` and ``step`` must be given. ``step`` gets one time step of what ``project`` returns and must work with
    any batch axes, none included, so that `jax.vmap` and Jacobians apply to it directly.

    Dtypes: parameters are made in ``param_dtype``. Arithmetic runs in ``dtype``, or in the parameters' own dtype where
    that is None. Of the state, ``h`` has the arithmetic's dtype and every other field at least float32, so that a
    bfloat16 LSTM accumulates its cell state in float32. A cell that offers the choice declares ``param_dtype`` and
    ``dtype`` as fields, makes its parameters in the first, and casts those of its own that it uses in ``update``
    (``params.p.astype(state.c.dtype)``), because a new state must have the dtypes of the old one.
    """

    hidden_size: int
    """H, the size of ``state.h``."""
    param_dtype: str = "float32"
    """The dtype of the parameters."""
    dtype: str | None = None
    """The dtype of the arithmetic; None: the parameters' own."""
    state_type: ClassVar[type] = HiddenState
    """The class of the state: a `flax.struct.dataclass` whose fields are arrays ``[*batch, H]``."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Refuse a class that declares settings but is not a dataclass, before Python does so in other words."""
        del args, kwargs
        if "__dataclass_fields__" not in vars(cls) and (vars(cls).get("__annotations__") or not is_dataclass(cls)):
            raise TypeError(f"{cls.__name__} is not a dataclass: put @dataclass(frozen=True) above it.")
        return super().__new__(cls)

    @property
    def gated(self) -> bool:
        """Whether the cell has the methods of `GatedCell`, which is what the fast path goes by."""
        return False

    @property
    def output_size(self) -> int:
        """Size of the last axis of an output."""
        return self.hidden_size

    @property
    def feature_axes(self) -> int:
        """How many of the last axes of an input belong to one row: 1, D; more where a row is an image."""
        return 1

    def init(self, key: Key, input_size: int) -> Params:
        """Draw the parameters for inputs of ``input_size`` features."""
        raise NotImplementedError(f"{type(self).__name__} must define init(self, key, input_size) -> params.")

    def initial_state(self, params: Params, batch_shape: BatchShape) -> State:
        """The state before the first step, for every row of the batch: zeros, unless the cell says otherwise."""
        dtype = self.compute_dtype(params)
        dtypes = {f.name: _state_dtype(f.name, dtype) for f in fields(self.state_type)}
        return self.state_type(
            **{name: jnp.zeros((*batch_shape, self.hidden_size), dtype=d) for name, d in dtypes.items()}
        )

    def prepare(self, params: Params, batch_shape: BatchShape, *, key: Key | None = None) -> Params:
        """Draw what stays the same for a whole sequence (dropout masks shared over time, dropped weights).

        Returns parameters of the same structure as ``params``. Draw what differs from row to row with `row_keys`.
        """
        del batch_shape, key
        return params

    def project(self, params: Params, xs: Array, *, keys: Key | None = None) -> Any:
        """What depends on the inputs alone, all steps at once: ``xs [T, *batch, D]`` to leaves ``[T, *batch, ...]``.

        ``keys [T, *batch]``: one key for each step and row, or None (evaluation). Each step from its own ``x_t`` alone:
        the driver passes the sequence in pieces, so what looks at other steps (a convolution over time) belongs
        before `unroll`.
        """
        del keys
        return xs.astype(self.compute_dtype(params))

    def step(self, params: Params, state: State, z: Any) -> tuple[State, Any]:
        """One step without randomness: the new state and the output."""
        raise NotImplementedError(
            f"{type(self).__name__} must define step(self, params, state, z) -> (state, output); "
            "or be a GatedCell and define update(self, params, a, state) -> state."
        )

    def inspect(self, params: Params, z: Any, state: State) -> dict[str, Any]:
        """Named inner values of one step, from its *previous* state, for ``unroll(..., collect=...)``.

        Fields of the new state can always be collected and need not be named here.
        """
        del params, z, state
        return {}

    def compute_dtype(self, params: Params) -> np.dtype:
        """The dtype of this cell's arithmetic."""
        if self.dtype is not None:
            return jnp.dtype(self.dtype)
        leaves = [leaf.dtype for leaf in jax.tree.leaves(params) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
        return _widest(*leaves) if leaves else jnp.dtype(self.param_dtype)


class GatedCell(Cell):
    """A recurrence whose matrix work does not wait for a gate: the fast path.

    ``init`` and ``update`` must be given. ``update`` may have one argument more, ``candidate=None``: a factor for what
    is about to enter the memory, which `RecurrentDropout` draws. The defaults of the other methods are the dense ones:
    they use ``params.w_x``, ``params.w_h`` and ``params.b`` (`DenseParams`) and return ``state.h``.
    """

    @property
    def gated(self) -> bool:
        """It is."""
        return True

    def project(self, params: Params, xs: Array, *, keys: Key | None = None) -> Any:
        """``z = x W_x + b`` for all steps at once."""
        del keys
        return affine(xs.astype(self.compute_dtype(params)), params.w_x, params.b)

    def mix(self, params: Params, state: State) -> Any:
        """``u = h W_h``: the matrix work on the recurrent path of one step."""
        return state.h @ params.w_h.astype(state.h.dtype)

    def join(self, z: Any, u: Any) -> Any:
        """``a = z + u``. Override it where something acts on one of the two alone; it must stay linear."""
        return z + u

    def update(self, params: Params, a: Any, state: State) -> State:
        """The new state from the pre-activations ``a`` and the previous state.

        It is computed twice, once more for the gradient: a matrix product here (a projection) costs twice as well.
        """
        raise NotImplementedError(f"{type(self).__name__} must define update(self, params, a, state) -> state.")

    def output(self, params: Params, a: Any, state: State) -> Any:
        """What leaves the cell, from the *new* state."""
        del params, a
        return state.h

    def step(self, params: Params, state: State, z: Any) -> tuple[State, Any]:
        """One step: mix, join, update, output."""
        a = self.join(z, self.mix(params, state))
        new = self.update(params, a, state)
        return new, self.output(params, a, new)


def check_settings(cell: Cell) -> None:
    """Refuse a hidden size that is no number of units, and dtypes that no arithmetic runs in: for ``__post_init__``."""
    positive("hidden_size", cell.hidden_size)
    for setting, value in (("param_dtype", cell.param_dtype), ("dtype", cell.dtype)):
        if value is not None:
            one_of(setting, value if isinstance(value, str) else jnp.dtype(value).name, DTYPES)


def batch_axes(cell: Cell, xs: Array) -> BatchShape:
    """The batch's shape, of inputs ``xs [T, *batch, D]``, or ``[T, *batch, *space, D]`` for a cell on images."""
    return xs.shape[1 : xs.ndim - cell.feature_axes]


def affine(xs: Array, w: Array, b: Array) -> Array:
    """``xs [..., D] @ w [D, F] + b [F]``, in the dtype of ``xs``."""
    ys = xs @ w.astype(xs.dtype)
    return ys + jnp.broadcast_to(b.astype(xs.dtype), ys.shape)


def row_keys(key: Key, batch_shape: BatchShape) -> Key:
    """One key for each row of the batch, ``[*batch]``, that depends on the row's number alone.

    A row draws the same whatever the size of the batch and however it is laid out over devices.
    """
    rows = jnp.arange(int(np.prod(batch_shape, dtype=np.int64)))
    if BATCH_AXIS in jax.sharding.get_abstract_mesh().manual_axes:
        # Inside `jax.shard_map` these are one device's share of the rows.
        rows += jax.lax.axis_index(BATCH_AXIS).astype(rows.dtype) * rows.size
    return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, rows).reshape(batch_shape)


@overload
def fold_in(keys: Key, data: int) -> Key: ...
@overload
def fold_in(keys: None, data: int) -> None: ...
def fold_in(keys: Key | None, data: int) -> Key | None:
    """`jax.random.fold_in` of one number into a key, an array of keys, or no key at all."""
    if keys is None:
        return None
    flat = jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys.reshape(-1), data)
    return flat.reshape(keys.shape)


def bernoulli(keys: Key, rate: float, *features: int) -> Array:
    """Booleans ``[*keys.shape, *features]``, each true with probability ``rate``, drawn from each key."""
    draw = jax.vmap(lambda key: jax.random.bernoulli(key, rate, features))
    return draw(keys.reshape(-1)).reshape(*keys.shape, *features)


def kept(keys: Key, dropped: float, *features: int) -> Array:
    """Inverted dropout: ``[*keys.shape, *features]``, zero at rate ``dropped``, else 1 / (1 - dropped)."""
    return jnp.where(bernoulli(keys, 1 - dropped, *features), 1 / (1 - dropped), 0.0)


def _state_dtype(field: str, dtype: np.dtype) -> np.dtype:
    return dtype if field == "h" else _widest(dtype, np.dtype("float32"))


def _widest(*dtypes: np.dtype) -> np.dtype:
    # Chosen on purpose, so a user's strict promotion must not refuse it.
    with jax.numpy_dtype_promotion("standard"):
        return jnp.result_type(*dtypes)
