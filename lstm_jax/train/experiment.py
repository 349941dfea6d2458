"""What an experiment is: settings and pure functions, nothing that runs by itself."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import jax

from lstm_jax.data.buckets import Buckets
from lstm_jax.data.host_batches import HostBatches
from lstm_jax.options import one_of, positive
from lstm_jax.train.optimizer import Optimizer

Array = jax.Array
Key = jax.Array
Metrics = Mapping[str, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
    """One training task: where data, loss and scores come from, and when it is done. `lstm_jax.train.train` runs it.

    ``init``, ``batch``, ``loss``, ``evaluate`` and ``test`` are pure and are traced by `jax.jit`; everything random
    comes from the key that they are given. Arrays that they close over (a data set in memory) become arguments of the
    compiled program.
    """

    name: str
    """Names the run in files and messages."""
    init: Callable[[Key], Any]
    """``init(key) -> params``."""
    batch: Callable[[Key, Array], Any] | Buckets | HostBatches
    """``batch(key, step) -> batch``: the training data of one step, a pytree. ``key`` is the same in all steps of a
    run: fold the step in to generate data, or draw an epoch's order from it (`lstm_jax.data.epoch_rows`). Sequences of
    different lengths: `lstm_jax.data.Buckets`, one compiled branch a bucket. Data larger than memory:
    `lstm_jax.data.HostBatches`, read by the host while the device computes."""
    loss: Callable[..., tuple[Any, ...]]
    """``loss(params, batch, key) -> (loss, metrics)``: scalars; ``key`` differs in each step (dropout and the like).
    With ``carry``: ``loss(params, batch, key, carry) -> (loss, metrics, carry)``."""
    evaluate: Callable[[Any, Key], Mapping[str, Any]]
    """``evaluate(params, key) -> metrics``: scalars, on validation data, of what `complete` gives. ``key`` is the same
    at every validation of a run, so that its scores compare."""
    test: Callable[[Any, Key], Mapping[str, Any]] | None = None
    """``test(params, key) -> metrics``, called once, after training. None: ``evaluate`` on another key, which is right
    for data that are drawn from the key."""
    carry: Callable[[Any], Any] | None = None
    """``carry(params) -> carry``: what goes from each step to the next beside the parameters, at first: such as the
    recurrent state of truncated backpropagation through time. No gradient flows through it. None: nothing."""
    complete: Callable[[Any, Any], Any] | None = None
    """``complete(params, carry) -> params``: what is validated, tested, reported and returned, where that takes more
    than the optimised parameters: such as the running statistics of batch normalisation, which the carry holds. None:
    the parameters."""
    optimizer: Optimizer = Optimizer()
    steps: int
    """How many optimiser steps at most."""
    batch_size: int
    """How many sequences ``batch`` gives; to count them."""
    metric: str
    """The entry of ``evaluate``'s metrics that decides which parameters are the best, and are tested; but those of a
    validation that ends the training by ``stop`` are it in any case."""
    goal: Literal["min", "max"] = "min"
    """Whether a lower or a higher ``metric`` is better."""
    baseline: float | None = None
    """What a trivial model scores; None: that is not known."""
    solved: Callable[[Metrics], bool] | None = None
    """Whether these metrics solve the task; None: there is no telling."""
    stop: Callable[[Metrics], bool] | None = None
    """Whether these validation metrics end the training; ``solved`` if None. A stricter rule than ``solved`` keeps
    a run from stopping at a lucky validation score that the test data do not confirm."""
    patience: int | None = None
    """Training also ends after this many validations in a row that are no better than the best; None: never."""
    target: float | None = None
    """The score from which on the task counts as solved: a line in the picture."""
    evaluate_every: int = 50
    """Steps between two validations."""
    steps_per_call: int = 25
    """Steps that run inside one jitted call: between two looks at the clock, the metrics and the signals."""
    log_every: int = 1
    """Steps between two training records of ``metrics.jsonl``."""
    scores_on_host: Callable[[Any], Mapping[str, float]] | None = None
    """``scores_on_host(params) -> metrics``: further scores on the test data, in NumPy, once, beside ``test``'s: those
    that are no mean over examples."""
    report: Callable[[Any, Path], None] | None = None
    """``report(params, folder)``: draws pictures and writes tables into the run folder, after the test."""
    notes: tuple[str, ...] = ()
    """Sentences for the person who starts the run, such as how many values are missing."""
    fingerprint: str = ""
    """Tells one data set from another: a run does not go on with other data than it began with."""
    config: Any = None
    """The settings that the experiment was built from, a dataclass or mapping: they identify a run."""

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        for setting in ("steps", "batch_size", "evaluate_every", "steps_per_call", "log_every"):
            positive(setting, getattr(self, setting))
        if self.patience is not None:
            positive("patience", self.patience)
        one_of("goal", self.goal, ("min", "max"))
        if not isinstance(self.optimizer, Optimizer):
            raise TypeError(
                "Experiment.optimizer must be a lstm_jax.train.Optimizer, such as Optimizer('adam', learning_rate="
                f"1e-3), or a subclass of it with a transformation of your own; got {type(self.optimizer).__name__}."
            )
        self.optimizer.check(self.steps)

    def stops(self, metrics: Metrics) -> bool:
        """Whether these validation metrics end the training."""
        rule = self.stop or self.solved
        return rule is not None and bool(rule(metrics))

    def better(self, score: float, than: float) -> bool:
        """Whether a score of ``metric`` beats another one; a NaN beats nothing, and anything beats it."""
        if than != than:
            return score == score
        return score < than if self.goal == "min" else score > than
