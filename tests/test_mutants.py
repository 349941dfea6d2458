"""The table of mutants fits the files that it speaks of; whether the tests kill them, scripts/mutate.py looks."""

import ast
import importlib
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
MUTANTS = importlib.import_module("mutants").MUTANTS


@cache
def functions_of(file: str) -> set[str]:
    """Names of the functions in a file of tests."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_fits_its_file(mutant):
    source = (ROOT / mutant.file).read_text(encoding="utf-8")
    mutated = mutant.apply(source)
    assert ast.dump(ast.parse(mutated)) != ast.dump(ast.parse(source)), "nothing but layout was changed"
    for test in mutant.tests:
        file, _, name = test.partition("::")
        assert name.partition("[")[0] in functions_of(file), f"there is no {test}"


def test_every_mutant_has_its_own_name():
    names = [mutant.name for mutant in MUTANTS]
    assert len(names) == len(set(names))


def test_a_text_that_is_not_there_exactly_once_is_refused():
    mutant = MUTANTS[0]
    for source, times in (("", 0), (2 * mutant.text, 2)):
        with pytest.raises(ValueError, match=f"must occur once in {mutant.file}, but does {times} times"):
            mutant.apply(source)
