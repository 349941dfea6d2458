"""The driver: runs any cell over a sequence."""

from lstm_jax.driver.unroll import step, unroll

__all__ = ["step", "unroll"]
