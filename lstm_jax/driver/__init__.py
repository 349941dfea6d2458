"""The driver: runs any cell over a sequence."""

from lstm_jax.driver.unroll import step, unroll
from lstm_jax.driver.watched import watch

__all__ = ["step", "unroll", "watch"]
