"""Dropout inside of a gated cell: on its inputs and state, on what enters its memory, on its recurrent weights.

Dropout between layers is `Stack`'s. Without a key none of these does anything.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from inspect import signature
from typing import Any

import jax.numpy as jnp
from flax import struct

from lstm_jax.cell import Array, BatchShape, Cell, Key, Params, State, fold_in, kept, row_keys
from lstm_jax.options import names, one_of, rate
from lstm_jax.wrappers.wrapper import Inside, Wrapper


@struct.dataclass
class VariationalParams:
    """Parameters of a `VariationalDropout`, and what it draws once a sequence."""

    cell: Any
    """The cell's."""
    rows: Key | None = None
    """A key for each row's input mask ``[*batch]``."""
    mask_h: Array | None = None
    """Of the state on its way to the products ``[*batch, H]``."""


@dataclass(frozen=True)
class VariationalDropout(Inside):
    """One mask a sequence for the inputs and one for ``state.h`` on its way to the recurrent product.

    Gal & Ghahramani 2016, "A Theoretically Grounded Application of Dropout in Recurrent Neural Networks", section 4,
    with tied weights: all gates share a mask. Deviation: kept values are scaled by 1 / (1 - rate).
    """

    cell: Cell
    inputs: float = 0.0
    """Rate for the inputs."""
    recurrent: float = 0.0
    """Rate for ``state.h``."""

    def __post_init__(self) -> None:
        super().__post_init__()
        rate("inputs", self.inputs)
        rate("recurrent", self.recurrent)

    def init(self, key: Key, input_size: int) -> VariationalParams:
        return VariationalParams(self.cell.init(key, input_size))

    def inner(self, params: VariationalParams) -> Params:
        """``params.cell``."""
        return params.cell

    def prepare(
        self, params: VariationalParams, batch_shape: BatchShape, *, key: Key | None = None
    ) -> VariationalParams:
        prepared = super().prepare(params, batch_shape, key=key)
        if key is None:
            return prepared
        h = self.cell.initial_state(params.cell, ()).h
        rows = row_keys(fold_in(key, 1), batch_shape)
        mask_h = kept(row_keys(fold_in(key, 2), batch_shape), self.recurrent, *h.shape)
        return replace(prepared, rows=rows, mask_h=mask_h)

    def project(self, params: VariationalParams, xs: Array, *, keys: Key | None = None) -> Any:
        if params.rows is not None and self.inputs:
            mask = kept(params.rows, self.inputs, *xs.shape[xs.ndim - self.feature_axes :])
            xs = xs * jnp.broadcast_to(mask.astype(xs.dtype), xs.shape)
        return super().project(params, xs, keys=keys)

    def mix(self, params: VariationalParams, state: State) -> Any:
        """The cell's, of the state that is left."""
        return super().mix(params, self._masked(params, state))

    def inspect(self, params: VariationalParams, z: Any, state: State) -> dict[str, Any]:
        return super().inspect(params, z, self._masked(params, state))

    def _masked(self, params: VariationalParams, state: State) -> State:
        return state if params.mask_h is None else replace(state, h=state.h * params.mask_h.astype(state.h.dtype))


@dataclass(frozen=True)
class RecurrentDropout(Inside):
    """Dropout on what is about to enter the memory, the candidate g (or n), so that nothing remembered is lost.

    Semeniuta, Severyn & Barth 2016, "Recurrent Dropout without Memory Loss", eqs. 12-14; one mask a step. For cells
    whose ``update`` takes a ``candidate``.
    """

    cell: Cell
    rate: float = 0.25
    """Share that is dropped; the rest is scaled by 1 / (1 - rate)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        rate("rate", self.rate)
        inner: Any = self.cell
        while inner is not None:
            if "candidate" not in signature(inner.update).parameters:
                raise ValueError(
                    "RecurrentDropout needs a cell whose update takes a candidate, and wrappers that pass it on; that "
                    f"of {type(inner).__name__} does not."
                )
            inner = inner.cell if isinstance(inner, Wrapper) else None

    def project(self, params: Params, xs: Array, *, keys: Key | None = None) -> tuple[Any, Array | None]:
        zs = super().project(params, xs, keys=keys)
        if keys is None:
            return zs, None
        own = self.cell.initial_state(self.inner(params), ())
        memory = getattr(own, "c", own.h)
        return zs, kept(fold_in(keys, 1), self.rate, *memory.shape).astype(memory.dtype)

    def join(self, z: tuple[Any, Array | None], u: Any) -> tuple[Any, Array | None]:
        """The cell's, and the draws."""
        return super().join(z[0], u), z[1]

    def update(
        self, params: Params, a: tuple[Any, Array | None], state: State, candidate: Array | None = None
    ) -> State:
        """The cell's, with the candidate dropped in part."""
        inner, mask = a
        both = mask if candidate is None else candidate if mask is None else mask * candidate
        return super().update(params, inner, state, both)

    def output(self, params: Params, a: tuple[Any, Any], state: State) -> Any:
        """The cell's."""
        return super().output(params, a[0], state)

    def inspect(self, params: Params, z: tuple[Any, Any], state: State) -> dict[str, Any]:
        return super().inspect(params, z[0], state)


@dataclass(frozen=True)
class WeightDrop(Inside):
    """Recurrent weights dropped once a sequence, the same ones for every row.

    Merity, Keskar & Socher 2018, "Regularizing and Optimizing LSTM Language Models", section 2 (DropConnect on the
    hidden-to-hidden weights). Kept weights are scaled by 1 / (1 - rate).
    """

    cell: Cell
    rate: float = 0.5
    """Share of the weights that is dropped."""
    names: tuple[str, ...] = ("w_h",)
    """Which of the cell's parameters."""

    def __post_init__(self) -> None:
        super().__post_init__()
        rate("rate", self.rate)
        names("names", self.names, "w_h")

    def init(self, key: Key, input_size: int) -> Params:
        params = self.cell.init(key, input_size)

        def checked(own: Params) -> Params:
            for name in self.names:
                one_of("names", name, [field.name for field in fields(own)])
            return own

        return _of_the_cell(self.cell, params, checked)

    def prepare(self, params: Params, batch_shape: BatchShape, *, key: Key | None = None) -> Params:
        prepared = super().prepare(params, batch_shape, key=key)
        if key is None:
            return prepared

        def dropped(own: Params) -> Params:
            new = {}
            for number, name in enumerate(self.names):
                w = getattr(own, name)
                new[name] = w * kept(fold_in(key, number + 1), self.rate, *w.shape).astype(w.dtype)
            return replace(own, **new)

        return _of_the_cell(self.cell, prepared, dropped)


def _of_the_cell(cell: Any, params: Params, change: Callable[[Params], Params]) -> Params:
    """``params`` with those of the cell within all wrappers changed."""
    if not isinstance(cell, Wrapper):
        return change(params)
    inner = cell.inner(params)
    new = _of_the_cell(cell.cell, inner, change)
    return new if inner is params else replace(params, cell=new)
