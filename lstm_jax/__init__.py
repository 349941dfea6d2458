"""lstm_jax: recurrent networks on JAX. Any cell written as a few pure functions is fast, exact and resumable."""

import importlib
from typing import TYPE_CHECKING, Any

from lstm_jax.cell import Cell, DenseParams, GatedCell, HiddenState
from lstm_jax.cells import GRU, LSTM, Elman, LSTMState, ResetBeforeGRU
from lstm_jax.cores import use_cpu_cores
from lstm_jax.driver import step, unroll
from lstm_jax.wrappers import Bidirectional, Stack

if TYPE_CHECKING:
    from lstm_jax.fitted import evaluate, fit, load, predict, save
    from lstm_jax.train import load_run

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
    "evaluate",
    "fit",
    "load",
    "load_run",
    "predict",
    "save",
    "step",
    "unroll",
    "use_cpu_cores",
]

_LATER = {"load_run": "lstm_jax.train"} | dict.fromkeys(
    ("evaluate", "fit", "load", "predict", "save"), "lstm_jax.fitted"
)


def __getattr__(name: str) -> Any:
    """What needs optax and orbax is imported when it is first used: `import lstm_jax` stays light."""
    if name == "models":
        return importlib.import_module("lstm_jax.models")
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LATER[name]), name)
