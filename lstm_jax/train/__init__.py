"""Training: an `Experiment` (data and pure functions) goes in, a `Result` and a run folder come out."""

from lstm_jax.train.errors import Interrupted, NonFiniteError, RunError
from lstm_jax.train.experiment import Experiment
from lstm_jax.train.loop import Member, train, train_population
from lstm_jax.train.optimizer import Optimizer
from lstm_jax.train.result import Result
from lstm_jax.train.run import Run, load_run
from lstm_jax.train.supervised import predict, supervised_experiment
from lstm_jax.train.task_experiment import task_experiment

__all__ = [
    "Experiment",
    "Interrupted",
    "Member",
    "NonFiniteError",
    "Optimizer",
    "Result",
    "Run",
    "RunError",
    "load_run",
    "predict",
    "supervised_experiment",
    "task_experiment",
    "train",
    "train_population",
]
