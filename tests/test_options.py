"""How wrong settings are refused."""

from dataclasses import dataclass

import pytest

from lstm_jax.options import of_a_file


@dataclass(frozen=True)
class Config:
    csv: str = ""
    column: str = ""
    time: tuple[str, ...] = ()


def test_what_is_said_of_a_file_needs_one():
    of_a_file(Config(), "csv", "column", "time")
    of_a_file(Config(csv="a.csv", column="b"), "csv", "column", "time")
    with pytest.raises(ValueError, match="column is said of a file, but there is none: give it by --csv, or leave it"):
        of_a_file(Config(column="b"), "csv", "column", "time")
    with pytest.raises(ValueError, match="time is said of a file"):
        of_a_file(Config(time=("b",)), "csv", "column", "time")
