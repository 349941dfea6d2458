"""The registry: every cell is in it, and says of itself what ``lstm-jax cells`` and docs/cells.md tell."""

import dataclasses
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import lstm_jax.cells
from lstm_jax import LSTM, Cell
from lstm_jax.cells.registry import CELLS, describe
from lstm_jax.cli import main
from lstm_jax.report.cells import list_cells

PAGE = Path(__file__).parents[2] / "docs" / "cells.md"


def test_every_cell_of_the_package_is_in_it():
    found = set()
    for module in pkgutil.iter_modules(lstm_jax.cells.__path__):
        members = vars(importlib.import_module(f"lstm_jax.cells.{module.name}")).values()
        found |= {
            m
            for m in members
            if inspect.isclass(m) and issubclass(m, Cell) and m.__module__.startswith("lstm_jax.cells.")
        }
    assert found == set(CELLS.values())
    assert all(getattr(lstm_jax.cells, name) is kind for name, kind in CELLS.items())


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_says_all_of_itself(name):
    told = describe(CELLS[name], 10, 7)
    assert told.summary.endswith(".")
    assert any(year in told.paper for year in map(str, range(1990, 2027)))
    assert "=" in told.equation and "::" not in told.equation
    assert "eviation" in told.deviations
    assert all(meaning for _, meaning in told.settings.values())
    assert told.settings.keys() == {field.name for field in dataclasses.fields(CELLS[name])}


def test_parameters_are_counted_at_the_size_asked_for():
    assert describe(LSTM, 10, 7).parameters == 4 * 7 * (10 + 7 + 1)


def test_the_page_is_the_one_that_the_command_makes():
    same = PAGE.read_text(encoding="utf-8") == list_cells(["--markdown"])
    assert same, "docs/cells.md is out of date: run lstm-jax cells --markdown > docs/cells.md"


def test_names_in_any_spelling():
    assert list_cells(["reset-before-gru"]) == list_cells(["ResetBeforeGRU"])
    assert "840 parameters with D = 10, H = 12" in list_cells(["gru", "--input-size", "10", "--hidden-size", "12"])


MISTAKES = {
    "cell": (["lsm"], "cell='lsm' is not known: did you mean 'LSTM'? choose one of 'LSTM', 'LSTM1997', "),
    "flag": (["--hidden-size"], "lstm-jax cells: argument --hidden-size: expected one argument.\n"),
    "size": (["--hidden-size", "0"], "--hidden-size must be a whole number of at least 1, got 0.\n"),
}


@pytest.mark.parametrize("arguments, sentence", MISTAKES.values(), ids=MISTAKES)
def test_mistakes_get_one_sentence(capsys, arguments, sentence):
    with pytest.raises(SystemExit) as stopped:
        main(["cells", *arguments])
    assert stopped.value.code == 2
    assert capsys.readouterr().err.startswith(sentence)
