"""The cells: one recurrence a file."""

from lstm_jax.cells.elman import Elman
from lstm_jax.cells.gru import GRU, ResetBeforeGRU
from lstm_jax.cells.lstm import LSTM, LSTMState

__all__ = ["GRU", "LSTM", "Elman", "LSTMState", "ResetBeforeGRU"]
