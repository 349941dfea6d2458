"""A monitor of a stream: one sample in, a score and perhaps an alarm out, and a state of fixed size."""

import dataclasses
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct

from lstm_jax.cell import Array, Cell, State
from lstm_jax.driver import step
from lstm_jax.models.encoder import one_cell
from lstm_jax.models.tagger import SequenceTagger
from lstm_jax.options import positive


@struct.dataclass
class MonitorState:
    """All that a monitor knows of the past."""

    cells: State
    """The recurrent layers' state."""
    quiet: Array
    """For how many samples the score has been below the threshold, int32; at first, for ever."""


@dataclasses.dataclass(frozen=True, eq=False)
class Monitor:
    """A trained `SequenceTagger` with one output, on one stream, a sample at a time.

    The score is the tagger's logit; it equals what the tagger says at that step of the whole stream, because its cells
    are causal. An alarm is raised where the score reaches the threshold, having been below it for ``hold_off`` samples:
    one that stays up, or flickers, is one alarm.
    """

    model: SequenceTagger
    params: Any
    """The model's."""
    threshold: float | Array
    """Log-odds from which on there is an alarm."""
    hold_off: int = 1
    """Samples, at least 1, for which the score must have been below the threshold before another alarm."""

    def __post_init__(self) -> None:
        """Refuse what is no number of samples."""
        positive("hold_off", self.hold_off)

    def initial_state(self) -> MonitorState:
        """Before the first sample."""
        state = self._cell.initial_state(self.params["params"]["Recurrent_0"]["cell"], ())
        return MonitorState(cells=state, quiet=jnp.int32(jnp.iinfo(jnp.int32).max))

    def step(self, state: MonitorState, sample: Array) -> tuple[MonitorState, Array, Array]:
        """The new state, the score and whether there is an alarm, for one sample ``[D]``."""
        params = self.params["params"]
        ys, cells = step(self._cell, params["Recurrent_0"]["cell"], sample, state.cells)
        answer: Any = nn.Dense(1).apply({"params": params["Dense_0"]}, ys)
        score = answer[..., 0]
        up = score >= self.threshold
        alarm = up & (state.quiet >= self.hold_off)
        longer = jnp.where(state.quiet < jnp.iinfo(jnp.int32).max, state.quiet + 1, state.quiet)
        return MonitorState(cells=cells, quiet=jnp.where(up, 0, longer)), score, alarm

    def watch(self, samples: Array) -> tuple[Array, Array]:
        """The scores and alarms ``[samples]`` of a whole stream ``[samples, D]``, one `step` behind the other."""
        return _watch(self.model, self.hold_off, self.params, jnp.asarray(self.threshold), jnp.asarray(samples))

    @property
    def _cell(self) -> Cell:
        return one_cell(self.model)


@partial(jax.jit, static_argnums=(0, 1))
def _watch(model: SequenceTagger, hold_off: int, params: Any, threshold: Array, samples: Array) -> tuple[Array, Array]:
    monitor = Monitor(model, params, threshold, hold_off)

    def body(state: MonitorState, sample: Array) -> tuple[MonitorState, tuple[Array, Array]]:
        state, score, alarm = monitor.step(state, sample)
        return state, (score, alarm)

    return jax.lax.scan(body, monitor.initial_state(), samples)[1]
