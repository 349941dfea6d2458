"""Anomaly scores of a stream: how unlikely a model's latest errors are beside all of its earlier ones.

After the anomaly likelihood of Lavin & Ahmad (2015), arXiv 1510.03336, section 4: a short mean of the errors in the
tail of a normal distribution that is fitted to the short means of the past. Means that forget exponentially stand for
the windows of the paper, so that a stream needs a state of four numbers.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct

from lstm_jax.adapters.linen import Recurrent
from lstm_jax.cell import Array, Cell
from lstm_jax.cells.lstm import LSTM
from lstm_jax.driver import step
from lstm_jax.models.losses import MAE, MSE, RMSE
from lstm_jax.options import positive


@struct.dataclass
class TailState:
    """What is known of a stream's errors; each ``[*batch]``."""

    count: Array
    """How many there were."""
    recent: Array
    """Mean of the latest ones."""
    mean: Array
    """Mean of ``recent`` so far."""
    variance: Array
    """Variance of ``recent`` so far."""


@dataclasses.dataclass(frozen=True)
class ErrorTail:
    """Turns errors into anomaly scores, one at a time.

    With the n-th error e and r(m) = 1 / min(n, m)::

        recent += r(short) (e - recent)
        score = -log10 Q((recent - mean) / max(deviation, floor)),  Q the upper tail of the normal distribution
        mean, variance: those of recent, with the rate r(long); updated after the score

    A score of 6 says: one in a million. It never depends on later errors.
    """

    short: int = 10
    """Errors that the latest mean is about."""
    long: int = 8640
    """Errors that its mean and deviation are about."""
    floor: float = 0.05
    """The least deviation, in the errors' unit: of a series without any noise the smallest error would be a wonder."""

    def start(self, batch_shape: tuple[int, ...] = ()) -> TailState:
        """The state before the first error."""
        positive("short", self.short)
        positive("long", self.long)
        zeros = jnp.zeros(batch_shape)
        return TailState(zeros, zeros, zeros, zeros)

    def step(self, state: TailState, error: Array) -> tuple[TailState, Array]:
        """The next state, and the score ``[*batch]`` of the next error ``[*batch]``."""
        count = state.count + 1
        recent = state.recent + (error - state.recent) / jnp.minimum(count, self.short)
        away = recent - state.mean
        z = away / jnp.maximum(jnp.sqrt(state.variance), self.floor)
        score = jnp.where(count > self.short, -jax.scipy.special.log_ndtr(-z) / jnp.log(10.0), 0.0)
        rate = 1 / jnp.minimum(count, self.long)
        variance = (1 - rate) * (state.variance + rate * away**2)
        return TailState(count, recent, state.mean + rate * away, variance), score

    def scores(self, errors: Array) -> Array:
        """The scores ``[T, *batch]`` of errors ``[T, *batch]``: the steps, one after the other."""
        errors = jnp.asarray(errors)
        return jax.lax.scan(self.step, self.start(errors.shape[1:]), errors)[1]


class SequenceAutoencoder(nn.Module):
    """Repeats a sequence from one vector: an encoder's last output, given to a decoder at every step.

    Malhotra et al. (2016), "LSTM-based Encoder-Decoder for Multi-sensor Anomaly Detection", arXiv 1607.00148; the
    decoder gets the vector at each step in place of its own last answer.
    """

    LOSS = MSE
    SCORES = (RMSE, MAE)

    cell: Cell = LSTM(32)
    """The encoder and, with parameters of its own, the decoder; its output size is that of the vector."""
    outputs: int = 1
    """How many numbers to repeat at each step."""

    @nn.compact
    def __call__(self, xs: Array, *, lengths: Array | None = None) -> Array:
        """Answers ``[T, *batch, outputs]`` for ``xs [T, *batch, D]``; past ``lengths [*batch]`` they mean nothing."""
        ys, _ = Recurrent(self.cell)(xs, lengths=lengths)
        last = ys[-1] if lengths is None else jnp.take_along_axis(ys, (lengths - 1)[None, ..., None], axis=0)[0]
        code = jnp.broadcast_to(last, ys.shape)
        # Backwards: the latest step, of which the vector knows most, comes first.
        repeated, _ = Recurrent(self.cell)(code, lengths=lengths, reverse=True)
        return nn.Dense(positive("outputs", self.outputs))(repeated)


def stream_forecaster(
    cell: Cell, params: Any, tail: ErrorTail, horizon: int
) -> Callable[[Any, Array], tuple[Any, float]]:
    """Score a stream by the errors of a trained ``SequenceTagger((cell,))`` that forecasts ``horizon`` steps ahead.

    Returns:
        ``next_score(state, x [D]) -> (state, score)``, the first state None; what is forecast is ``x[0]``. A step's
        work does not grow with the length of the stream.
    """
    layer, dense = params["params"]["Recurrent_0"]["cell"], {"params": params["params"]["Dense_0"]}

    @jax.jit
    def forecast(x: Array, state: Any) -> tuple[Array, Any]:
        output, state = step(cell, layer, x, state)
        answer: Any = nn.Dense(1).apply(dense, output)
        return answer[0], state

    tail_step = jax.jit(tail.step)

    def next_score(state: Any, x: Array) -> tuple[Any, float]:
        start: Any = tail.start(), cell.initial_state(layer, ()), ()
        errors, memory, ahead = start if state is None else state
        error = abs(ahead[0] - x[0]) if len(ahead) == horizon else 0.0
        answer, memory = forecast(x, memory)
        errors, score = tail_step(errors, jnp.float32(error))
        return (errors, memory, (*ahead, answer)[-horizon:]), float(score)

    return next_score


def stream_autoencoder(
    cell: Cell, params: Any, tail: ErrorTail, context: int
) -> Callable[[Any, Array], tuple[Any, float]]:
    """Score a stream by the errors of a trained ``SequenceAutoencoder(cell)`` that repeats the last ``context`` steps.

    Returns:
        ``next_score(state, x [D]) -> (state, score)``, the first state None; what is repeated is ``x[0]``.
    """

    @jax.jit
    def mean_error(window: Array) -> Array:
        answers: Any = SequenceAutoencoder(cell).apply(params, window[:, None])
        return jnp.abs(answers[:, 0, 0] - window[:, 0]).mean()

    tail_step = jax.jit(tail.step)

    def next_score(state: Any, x: Array) -> tuple[Any, float]:
        errors, seen = (tail.start(), ()) if state is None else state
        seen = (*seen, jnp.asarray(x))[-context:]
        error = mean_error(jnp.stack(seen)) if len(seen) == context else 0.0
        errors, score = tail_step(errors, jnp.float32(error))
        return (errors, seen), float(score)

    return next_score
