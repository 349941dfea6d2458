"""The cells: one recurrence a file."""

from lstm_jax.cells.activations import once
from lstm_jax.cells.elman import Elman
from lstm_jax.cells.gru import GRU, ResetBeforeGRU
from lstm_jax.cells.lstm import LSTM, LSTMState

AnyCell = LSTM | GRU | ResetBeforeGRU | Elman
"""The type of a setting that takes any of these cells: on the command line ``cell:lstm``, ``cell:gru`` ..."""

__all__ = ["GRU", "LSTM", "AnyCell", "Elman", "LSTMState", "ResetBeforeGRU", "once"]
