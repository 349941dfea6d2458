"""The arguments of the commands that only read, by argparse: they work without tyro."""

import argparse
from typing import NoReturn

from lstm_jax.flags import FlagError


class Parser(argparse.ArgumentParser):
    """Argparse whose errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        """Say it in one sentence; argparse would print the usage, too."""
        raise FlagError(f"{self.prog}: {message}.")
