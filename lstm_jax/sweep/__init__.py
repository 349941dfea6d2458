"""Sweeps: many runs of one experiment, from one laptop to a cluster, with nothing lost (docs/sweeps.md)."""

from lstm_jax.sweep.launcher import launch, prepare, sweep
from lstm_jax.sweep.settings import Sweep
from lstm_jax.sweep.study import Study
from lstm_jax.sweep.trial import TrialView
from lstm_jax.sweep.worker import work

__all__ = ["Study", "Sweep", "TrialView", "launch", "prepare", "sweep", "work"]
