"""Two cells over one sequence, one in each direction.

Schuster & Paliwal 1997, "Bidirectional Recurrent Neural Networks". With lengths the backward cell starts at each row's
own last step.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from lstm_jax.cell import Array, BatchShape, Cell, Key, Params, State, fold_in
from lstm_jax.driver.unroll import Run
from lstm_jax.options import one_of

MERGES = ("concat", "sum", "mean")


@struct.dataclass
class BothDirections:
    """Parameters or states of the two cells."""

    forward: Any
    backward: Any


@dataclass(frozen=True)
class Bidirectional(Cell):
    """Unrolls ``forward`` in the order of time and ``backward`` against it, and merges their outputs."""

    forward: Cell
    backward: Cell
    merge: str = "concat"
    """"concat" (forward first), "sum" or "mean"; the last two need equal output sizes."""

    def __post_init__(self) -> None:
        if not isinstance(self.forward, Cell) or not isinstance(self.backward, Cell):
            raise ValueError(
                "Bidirectional takes two cells, such as Bidirectional(LSTM(64), LSTM(64)), "
                f"got {self.forward!r} and {self.backward!r}."
            )
        one_of("merge", self.merge, MERGES)
        if self.forward.feature_axes != self.backward.feature_axes:
            raise ValueError(
                f"Bidirectional takes two cells of vectors, or two of images, got {self.forward!r}, {self.backward!r}."
            )
        sizes = self.forward.output_size, self.backward.output_size
        if self.merge != "concat" and sizes[0] != sizes[1]:
            raise ValueError(
                f"merge={self.merge!r} needs equal output sizes, got forward {sizes[0]}, backward {sizes[1]}."
            )

    @property
    def output_size(self) -> int:
        """The sum of both for "concat", else the size of either."""
        if self.merge == "concat":
            return self.forward.output_size + self.backward.output_size
        return self.forward.output_size

    @property
    def feature_axes(self) -> int:
        """The forward cell's."""
        return self.forward.feature_axes

    def init(self, key: Key, input_size: int) -> BothDirections:
        """Draw both cells' parameters."""
        key_forward, key_backward = jax.random.split(key)
        return BothDirections(self.forward.init(key_forward, input_size), self.backward.init(key_backward, input_size))

    def initial_state(self, params: BothDirections, batch_shape: BatchShape) -> BothDirections:
        """Both cells' initial states."""
        return BothDirections(
            self.forward.initial_state(params.forward, batch_shape),
            self.backward.initial_state(params.backward, batch_shape),
        )

    def prepare(self, params: BothDirections, batch_shape: BatchShape, *, key: Key | None = None) -> BothDirections:
        """Prepare both cells, each with a key of its own."""
        return BothDirections(
            self.forward.prepare(params.forward, batch_shape, key=fold_in(key, 0)),
            self.backward.prepare(params.backward, batch_shape, key=fold_in(key, 1)),
        )

    def compose(
        self, run: Run, params: BothDirections, xs: Array, state: State, initial: State, keys: Key | None
    ) -> tuple[Array, BothDirections]:
        """Run both cells, the backward one against the direction."""
        ys, last = run(self.forward, params.forward, xs, state.forward, initial.forward, fold_in(keys, 0))
        ys_back, last_back = run(
            self.backward, params.backward, xs, state.backward, initial.backward, fold_in(keys, 1), flip=True
        )
        if self.merge == "concat":
            merged = jnp.concatenate([ys, ys_back], axis=-1)
        else:
            merged = ys + ys_back if self.merge == "sum" else (ys + ys_back) / 2
        return merged, BothDirections(last, last_back)

    def project(self, params: Params, xs: Array, *, keys: Key | None = None) -> Any:
        """Refused: see `step`."""
        return self.step(params, None, xs)

    def step(self, params: Params, state: State, z: Any) -> tuple[State, Any]:
        """Refused: the backward cell needs the whole sequence."""
        raise TypeError(
            "Bidirectional has no single step, because its backward cell starts at the end of the sequence: "
            "use unroll on the whole sequence, or a causal cell for streaming."
        )
