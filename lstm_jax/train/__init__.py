"""Training: an `Experiment` (data and pure functions) goes in, a `Result` and a run folder come out."""

from lstm_jax.train.errors import Interrupted, NonFiniteError, RunError
from lstm_jax.train.experiment import Experiment
from lstm_jax.train.loop import train
from lstm_jax.train.result import Result

__all__ = ["Experiment", "Interrupted", "NonFiniteError", "Result", "RunError", "train"]
