"""lstm_jax: recurrent networks on JAX. Any cell written as a few pure functions is fast, exact and resumable."""

from lstm_jax.cell import Cell, DenseParams, GatedCell, HiddenState
from lstm_jax.cells import GRU, LSTM, Elman, LSTMState, ResetBeforeGRU
from lstm_jax.driver import step, unroll
from lstm_jax.wrappers import Bidirectional, Stack

__version__ = "0.1.0"

__all__ = [
    "GRU",
    "LSTM",
    "Bidirectional",
    "Cell",
    "DenseParams",
    "Elman",
    "GatedCell",
    "HiddenState",
    "LSTMState",
    "ResetBeforeGRU",
    "Stack",
    "step",
    "unroll",
]
