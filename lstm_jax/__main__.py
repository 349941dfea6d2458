"""``python -m lstm_jax``: the command line, where its script is not on the path."""

from lstm_jax.cli import main

main()
