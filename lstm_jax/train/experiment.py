"""What an experiment is: settings and pure functions, nothing that runs by itself."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import optax

from lstm_jax.options import positive

Array = jax.Array
Key = jax.Array
Metrics = Mapping[str, float]


def _never(metrics: Metrics) -> bool:
    del metrics
    return False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
    """One training task: where data, loss and scores come from, and when it is done. `lstm_jax.train.train` runs it.

    All functions are pure and are traced by `jax.jit`; everything random comes from the key that they are given.
    """

    name: str
    """Names the run in files and messages."""
    init: Callable[[Key], Any]
    """``init(key) -> params``."""
    batch: Callable[[Key, Array], Any]
    """``batch(key, step) -> batch``: the training data of one step, a pytree. ``key`` is the same in all steps of a
    run: fold the step in to generate data, or draw an epoch's permutation from it."""
    loss: Callable[[Any, Any, Key], tuple[Array, dict[str, Array]]]
    """``loss(params, batch, key) -> (loss, metrics)``: scalars; ``key`` differs in each step (dropout and the like)."""
    evaluate: Callable[[Any, Key], dict[str, Array]]
    """``evaluate(params, key) -> metrics``: scalars, on the data that ``key`` stands for. Validation always gets the
    same key of a run, so that its scores compare; the test data are drawn from another one, once, after training."""
    optimizer: Callable[[Any], optax.GradientTransformation]
    """From the learning rate to the optax optimiser: ``optax.adam``, or
    ``lambda rate: optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))``. The rate stays an argument of the
    compiled program, so that another one compiles nothing."""
    learning_rate: float | optax.Schedule
    """A number, or an optax schedule of the step (whose own numbers are compiled in)."""
    steps: int
    """How many optimiser steps at most."""
    batch_size: int
    """How many sequences ``batch`` gives; to count them."""
    metric: str
    """The entry of ``evaluate``'s metrics that ``baseline`` and ``target`` speak of."""
    baseline: float
    """What a trivial model scores."""
    solved: Callable[[Metrics], bool] = _never
    """Whether these metrics solve the task."""
    stop: Callable[[Metrics], bool] | None = None
    """Whether these validation metrics end the training; ``solved`` if None. A stricter rule than ``solved`` keeps
    a run from stopping at a lucky validation score that the test data do not confirm."""
    target: float | None = None
    """The score from which on the task counts as solved: a line in the picture."""
    evaluate_every: int = 50
    """Steps between two validations."""
    steps_per_call: int = 25
    """Steps that run inside one jitted call: between two looks at the clock, the metrics and the signals."""
    log_every: int = 1
    """Steps between two training records of ``metrics.jsonl``."""
    config: Any = None
    """The settings that the experiment was built from, a dataclass or mapping: they identify a run."""

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        for setting in ("steps", "batch_size", "evaluate_every", "steps_per_call", "log_every"):
            positive(setting, getattr(self, setting))
        if not callable(self.learning_rate) and not self.learning_rate >= 0:
            raise ValueError(f"learning_rate must be at least 0, got {self.learning_rate}.")
        if not callable(self.optimizer):
            raise TypeError(
                "Experiment.optimizer must be a function of the learning rate, such as optax.adam or "
                "lambda rate: optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate)); "
                f"got {type(self.optimizer).__name__}. The rate itself goes into Experiment.learning_rate."
            )

    def stops(self, metrics: Metrics) -> bool:
        """Whether these validation metrics end the training."""
        return bool((self.stop or self.solved)(metrics))


def settings(config: Any) -> Any:
    """A configuration as JSON can hold it: dataclasses become dictionaries, tuples lists, paths strings."""
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        return {field.name: settings(getattr(config, field.name)) for field in dataclasses.fields(config)}
    if isinstance(config, Mapping):
        return {str(name): settings(value) for name, value in config.items()}
    if isinstance(config, (list, tuple)):
        return [settings(value) for value in config]
    if config is None or isinstance(config, (bool, int, float, str)):
        return config
    return str(config)
