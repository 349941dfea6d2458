"""Linen models for whole jobs, made of cells: one job a module."""

from lstm_jax.models.classifier import SequenceClassifier
from lstm_jax.models.lstm_fcn import LSTMFCN
from lstm_jax.models.regressor import SequenceRegressor
from lstm_jax.models.tagger import SequenceTagger

__all__ = ["LSTMFCN", "SequenceClassifier", "SequenceRegressor", "SequenceTagger"]
