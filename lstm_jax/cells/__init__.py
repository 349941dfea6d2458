"""The cells: one recurrence a file. `registry` has them all by name."""

from lstm_jax.cells.activations import once
from lstm_jax.cells.conv_lstm import ConvLSTM
from lstm_jax.cells.elman import IRNN, Elman
from lstm_jax.cells.full_gate import FullGateLSTM
from lstm_jax.cells.greff import CIFG, NFG, NIAF, NIG, NOAF, NOG, NP
from lstm_jax.cells.gru import GRU, ResetBeforeGRU
from lstm_jax.cells.indrnn import IndRNN
from lstm_jax.cells.layer_norm import LayerNormLSTM
from lstm_jax.cells.lstm import LSTM, LSTMState, with_chrono
from lstm_jax.cells.lstm_1997 import LSTM1997
from lstm_jax.cells.mgu import MGU
from lstm_jax.cells.multiplicative import MultiplicativeLSTM
from lstm_jax.cells.peephole import PeepholeLSTM
from lstm_jax.cells.projected import ProjectedLSTM
from lstm_jax.cells.registry import CELLS, AnyCell
from lstm_jax.cells.ur_lstm import URLSTM

__all__ = [
    "CELLS",
    "CIFG",
    "GRU",
    "IRNN",
    "LSTM",
    "LSTM1997",
    "MGU",
    "NFG",
    "NIAF",
    "NIG",
    "NOAF",
    "NOG",
    "NP",
    "URLSTM",
    "AnyCell",
    "ConvLSTM",
    "Elman",
    "FullGateLSTM",
    "IndRNN",
    "LSTMState",
    "LayerNormLSTM",
    "MultiplicativeLSTM",
    "PeepholeLSTM",
    "ProjectedLSTM",
    "ResetBeforeGRU",
    "once",
    "with_chrono",
]
