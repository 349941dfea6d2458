"""What is made of cells: stacks, both directions, and what wraps one cell."""

from lstm_jax.wrappers.bidirectional import Bidirectional
from lstm_jax.wrappers.dropout import RecurrentDropout, VariationalDropout, WeightDrop
from lstm_jax.wrappers.initial_state import LearnedInitialState
from lstm_jax.wrappers.output_norm import OutputNorm
from lstm_jax.wrappers.reset_by_flag import ResetByFlag
from lstm_jax.wrappers.residual import Highway, Residual
from lstm_jax.wrappers.stack import Stack
from lstm_jax.wrappers.wrapper import Around, Inside
from lstm_jax.wrappers.zoneout import Zoneout

__all__ = [
    "Around",
    "Bidirectional",
    "Highway",
    "Inside",
    "LearnedInitialState",
    "OutputNorm",
    "RecurrentDropout",
    "ResetByFlag",
    "Residual",
    "Stack",
    "VariationalDropout",
    "WeightDrop",
    "Zoneout",
]
