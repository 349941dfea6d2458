"""Cells on top of one another.

Graves 2013, "Generating Sequences With Recurrent Neural Networks". Dropout between the layers: Zaremba et al. 2014,
"Recurrent Neural Network Regularization" (one mask a step), or with ``variational=True`` Gal & Ghahramani 2016, "A
Theoretically Grounded Application of Dropout in Recurrent Neural Networks" (one mask a sequence; between layers only,
not on the recurrent path).
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from lstm_jax.cell import Array, BatchShape, Cell, Key, Params, State, fold_in, kept, row_keys
from lstm_jax.driver.unroll import Run
from lstm_jax.options import rate, yes_or_no


@struct.dataclass
class StackParams:
    """Parameters of a stack."""

    layers: tuple[Params, ...]
    """One entry a layer, the first sees the inputs."""
    masks: tuple[Array, ...] | None = None
    """What `Stack.prepare` drew for variational dropout ``[*batch, H]``, one between each two layers; not learned."""


@dataclass(frozen=True)
class Stack(Cell):
    """Layers of cells or `Bidirectional`s; a cell itself, with a ``step``, as long as it holds only cells.

    Unrolled, it runs layer after layer, so that each layer's matrix products are batched over time.
    """

    cells: tuple[Cell, ...]
    dropout: float = 0.0
    """Rate at which the outputs of every layer but the last are dropped; the kept ones are scaled by 1 / (1 - rate)."""
    variational: bool = False
    """One dropout mask for all steps of a sequence instead of one a step."""

    def __post_init__(self) -> None:
        if isinstance(self.cells, list):
            object.__setattr__(self, "cells", tuple(self.cells))
        if not isinstance(self.cells, tuple) or not self.cells or not all(isinstance(c, Cell) for c in self.cells):
            raise ValueError(f"Stack takes a tuple of cells, such as Stack((LSTM(64), LSTM(64))), got {self.cells!r}.")
        rate("dropout", self.dropout)
        yes_or_no("variational", self.variational)
        if len({cell.feature_axes for cell in self.cells}) > 1:
            raise ValueError(f"Stack takes cells of vectors alone, or of images alone, got {self.cells!r}.")

    @property
    def output_size(self) -> int:
        """The last layer's."""
        return self.cells[-1].output_size

    @property
    def feature_axes(self) -> int:
        """The first layer's."""
        return self.cells[0].feature_axes

    def init(self, key: Key, input_size: int) -> StackParams:
        """Draw every layer's parameters; a layer's input size is the output size of the one below."""
        sizes = [input_size, *(cell.output_size for cell in self.cells)]
        keys = jax.random.split(key, len(self.cells))
        return StackParams(tuple(cell.init(k, d) for cell, k, d in zip(self.cells, keys, sizes[:-1], strict=True)))

    def initial_state(self, params: StackParams, batch_shape: BatchShape) -> tuple[State, ...]:
        """A tuple, one state a layer."""
        return tuple(c.initial_state(p, batch_shape) for c, p in zip(self.cells, params.layers, strict=True))

    def prepare(self, params: StackParams, batch_shape: BatchShape, *, key: Key | None = None) -> StackParams:
        """Prepare every layer, and draw the variational masks between them."""
        layers = tuple(
            c.prepare(p, batch_shape, key=fold_in(key, i))
            for i, (c, p) in enumerate(zip(self.cells, params.layers, strict=True))
        )
        if key is None or not (self.dropout and self.variational):
            return StackParams(layers)
        rows = row_keys(fold_in(key, len(self.cells)), batch_shape)
        return StackParams(layers, masks=tuple(self._mask(rows, i) for i in range(len(self.cells) - 1)))

    def _mask(self, keys: Key, layer: int) -> Array:
        return kept(fold_in(keys, len(self.cells) + layer), self.dropout, self.cells[layer].output_size)

    def _between(self, layer: int, params: StackParams, ys: Array, keys: Key | None) -> Array:
        """Dropout on the outputs of ``layer`` on their way to the next."""
        if params.masks is not None:
            mask = params.masks[layer]
        elif keys is not None and self.dropout and not self.variational:
            mask = self._mask(keys, layer)
        else:
            return ys
        # Of an image whole channels are dropped.
        places = (1,) * (self.cells[layer].feature_axes - 1)
        mask = mask.reshape(*mask.shape[:-1], *places, mask.shape[-1])
        return ys * jnp.broadcast_to(mask.astype(ys.dtype), ys.shape)

    def compose(
        self, run: Run, params: StackParams, xs: Array, state: State, initial: State, keys: Key | None
    ) -> tuple[Array, tuple[State, ...]]:
        """Run layer after layer."""
        last = []
        for i, cell in enumerate(self.cells):
            ys, after = run(cell, params.layers[i], xs, state[i], initial[i], fold_in(keys, i))
            last.append(after)
            xs = self._between(i, params, ys, keys) if i + 1 < len(self.cells) else ys
        return xs, tuple(last)

    def project(self, params: StackParams, xs: Array, *, keys: Key | None = None) -> tuple[Any, Key | None]:
        """The first layer's projection, and the keys for what lies above it."""
        return self.cells[0].project(params.layers[0], xs, keys=fold_in(keys, 0)), keys

    def step(self, params: StackParams, state: State, z: tuple[Any, Key | None]) -> tuple[tuple[State, ...], Array]:
        """One step of every layer, from the bottom up."""
        inner, keys = z
        new = []
        x = None
        for i, cell in enumerate(self.cells):
            if x is not None:
                over_time = cell.project(params.layers[i], x[None], keys=_one_step(fold_in(keys, i)))
                inner = jax.tree.map(lambda leaf: leaf[0], over_time)
            after, y = cell.step(params.layers[i], state[i], inner)
            new.append(after)
            x = self._between(i, params, y, keys) if i + 1 < len(self.cells) else y
        return tuple(new), x  # type: ignore[return-value]


def _one_step(keys: Key | None) -> Key | None:
    return None if keys is None else keys[None]
