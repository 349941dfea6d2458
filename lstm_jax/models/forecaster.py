"""Forecasts of several rows to come, in one of three ways."""

from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from lstm_jax.adapters.linen import Recurrent
from lstm_jax.cell import Cell
from lstm_jax.cells.lstm import LSTM
from lstm_jax.driver import step, unroll
from lstm_jax.models.encoder import Dropout, one_cell
from lstm_jax.models.heads import Head, Point
from lstm_jax.options import one_of, positive

Array = jax.Array
STRATEGIES = ("direct", "recursive", "seq2seq")
LEVELS = ("last", "mean", "none")


class Forecaster(nn.Module):
    """Recurrent layers read the rows that are known, and the rows to come are answered.

    - ``direct``: a dense layer on the last output answers all rows to come at once.
    - ``recursive``: a dense layer answers one row, which is then read as if it were known, and so on. It is trained on
      windows of one row to come; how far it forecasts is a matter of the inputs.
    - ``seq2seq``: other layers begin with the state of the first ones, and read, row by row, what is known of the rows
      to come and how far ahead they are; a dense layer answers each (the encoder and decoder of Sutskever, Vinyals and
      Le, 2014, without its own answers as inputs).

    Ben Taieb, Bontempi, Atiya and Sorjamaa (2012) review the first two.
    """

    cells: tuple[Cell, ...] = (LSTM(32),)
    """The recurrent layers, the first one first."""
    context: int = 28
    """T, how many rows are known."""
    targets: int = 1
    """C: the first C columns are the ones to forecast."""
    known: int = 0
    """K: the last K columns are known for the rows to come, too."""
    head: Head = Point()
    """What is said of each number."""
    strategy: Literal["direct", "recursive", "seq2seq"] = "direct"
    """The way."""
    relative_to: Literal["last", "mean", "none"] = "last"
    """Each target column is seen, and answered, relative to its last value or to its mean in the context, in units of
    its own spread there, so that a series may grow beyond what training saw; none: as it is."""
    linear_path: bool = False
    """Add a linear map of each target column's context, one for all of them (as in LSTNet: Lai, Chang, Yang and Liu,
    2018)."""
    dropout: float = 0.0
    """Rate on the outputs of the recurrent layers."""

    @nn.compact
    def __call__(self, xs: Array, *, lengths: Array | None = None) -> Array:
        """Answer for the rows to come.

        Args:
            xs: ``[T + H, B, D]``: T known rows, then H to come, in which only the last K columns count.
            lengths: not looked at, for all windows are equally long.

        Returns:
            ``[B, H, C, head.size]``.

        Raises:
            ValueError: there is no cell, a setting is unknown, or there is no row to come.
        """
        self._check(xs)
        values = xs[: self.context, :, : self.targets]
        level, spread = self._frame(values)
        seen = xs.at[: self.context, :, : self.targets].set((values - level) / spread)
        past, known = seen[: self.context], seen[self.context :, :, xs.shape[-1] - self.known :]
        raw = getattr(self, f"_{self.strategy}")(past, known)
        raw = raw.reshape(*raw.shape[:2], self.targets, self.head.size)  # [H, B, C, size]
        if self.linear_path:
            kernel = self.param("linear_path", nn.initializers.zeros, (self.context, len(known)))
            level = level + spread * jnp.einsum("tbc,th->hbc", past[..., : self.targets], kernel)
        level, spread = (jnp.broadcast_to(part, raw.shape[:-1]) for part in (level, spread))
        return jnp.moveaxis(self.head.answer(raw, level, spread), 0, 1)

    def _check(self, xs: Array) -> None:
        one_of("strategy", self.strategy, STRATEGIES)
        one_of("relative_to", self.relative_to, LEVELS)
        positive("context", self.context)
        positive("targets", self.targets)
        if len(xs) <= self.context:
            raise ValueError(f"A window of {len(xs)} rows leaves none to come after a context of {self.context}.")
        if self.linear_path and self.strategy == "recursive":
            raise ValueError("A recursive forecast has no linear path: choose direct or seq2seq, or leave it out.")

    def _frame(self, values: Array) -> tuple[Array, Array]:
        """Level and spread ``[B, C]`` of contexts ``[T, B, C]``."""
        if self.relative_to == "none":
            return jnp.zeros_like(values[0]), jnp.ones_like(values[0])
        level = values[-1] if self.relative_to == "last" else values.mean(axis=0)
        # A tenth of the series' own spread: of a flat context nothing is blown up.
        return level, jnp.std(values, axis=0) + 0.1

    def _direct(self, past: Array, known: Array) -> Array:
        ys, _ = Recurrent(one_cell(self))(past)
        horizon, batch = known.shape[:2]
        ahead = jnp.moveaxis(known, 0, 1).reshape(batch, -1)
        raw = nn.Dense(horizon * self.targets * self.head.size)(
            jnp.concatenate([Dropout(self.dropout)(ys[-1]), ahead], axis=-1)
        )
        return jnp.moveaxis(raw.reshape(batch, horizon, -1), 0, 1)

    def _seq2seq(self, past: Array, known: Array) -> Array:
        _, state = Recurrent(one_cell(self), name="encoder")(past)
        far = jnp.arange(1, len(known) + 1) / len(known)
        far = jnp.broadcast_to(far[:, None, None], (*known.shape[:2], 1)).astype(known.dtype)
        ys, _ = Recurrent(one_cell(self), name="decoder")(jnp.concatenate([known, far], axis=-1), state)
        return nn.Dense(self.targets * self.head.size)(Dropout(self.dropout)(ys))

    def _recursive(self, past: Array, known: Array) -> Array:
        cell = one_cell(self)
        # Not by modules: linen's cannot be called inside of lax.scan.
        params: Any = self.param("cell", cell.init, past.shape[-1])
        key = self.make_rng("dropout") if self.has_rng("dropout") else None
        ys, state = unroll(cell, params, past, key=key)
        outputs = self.targets * self.head.size
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (ys.shape[-1] + self.known, outputs))
        bias = self.param("bias", nn.initializers.zeros, (outputs,))

        def answer(y: Array, known: Array) -> Array:
            return jnp.concatenate([y, known], axis=-1) @ kernel + bias

        def advance(carry: tuple[Any, Array], known: tuple[Array, Array]) -> tuple[tuple[Any, Array], Array]:
            state, raw = carry
            raw = raw.reshape(*raw.shape[:-1], self.targets, self.head.size)
            frame = jnp.zeros_like(raw[..., 0]), jnp.ones_like(raw[..., 0])
            row = self.head.point(self.head.answer(raw, *frame))
            # What was forecast is marked as nothing missing.
            blank = jnp.zeros((*row.shape[:-1], past.shape[-1] - self.targets - self.known), row.dtype)
            y, state = step(cell, params, jnp.concatenate([row, blank, known[0]], axis=-1), state)
            raw = answer(y, known[1])
            return (state, raw), raw

        first = answer(Dropout(self.dropout)(ys[-1]), known[0])
        _, rest = lax.scan(advance, (state, first), (known[:-1], known[1:]))
        return jnp.concatenate([first[None], rest])
