"""Linen models for whole jobs, made of cells: one job a module."""

from lstm_jax.models.regressor import SequenceRegressor

__all__ = ["SequenceRegressor"]
