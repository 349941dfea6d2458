"""What is made of cells: stacks and both directions."""

from lstm_jax.wrappers.bidirectional import Bidirectional
from lstm_jax.wrappers.stack import Stack

__all__ = ["Bidirectional", "Stack"]
