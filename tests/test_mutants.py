"""The table of mutants fits the files that it speaks of, and rules change what they say and no more.

Whether the tests kill them, scripts/mutate.py looks.
"""

import ast
import importlib
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
MUTANTS = importlib.import_module("mutants").MUTANTS
drawn, equivalent, operators = (
    importlib.import_module(f"mutants.{name}") for name in ("drawn", "equivalent", "operators")
)


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


RULES = [
    ("sign", "return a + b", "(a) - (b)"),
    ("sign", "return -a", "(a)"),
    ("term", "return a + b", "(a)"),
    ("term", "return f * c", "(c)"),
    ("term", "return a - b * c", "-(b * c)"),
    ("term", "return a and b", "(b)"),
    ("number", "return a[1]", "2"),
    ("number", "return a[1]", "(0)"),
    ("flag", "return f(a, keepdims=True)", "False"),
    ("comparison", "return a < b", "a <= b"),
    ("comparison", "return a is None", "a is not None"),
    ("comparison", "return not a", "(a)"),
    ("condition", "return a if b else c", "(c)"),
    ("where", "return jnp.where(a, b, c)", "(b)"),
    ("where", "return select(a, b, c)", "(c)"),
    ("order", "i, f, g = a", "f, i"),
    ("order", "return f(a, b)", "b, a"),
    ("argument", "return f(a, axis=1, dtype=b)", "f(a, dtype=b)"),
]


@pytest.mark.parametrize("kind, line, replacement", RULES, ids=[f"{kind}: {line}" for kind, line, _ in RULES])
def test_a_rule_makes_its_change_and_nothing_else(kind, line, replacement):
    source = f'"""1 + 1"""\n\n\ndef function(a, b=1 + 1):\n    """é + b, {{ü}}"""\n    {line}  # é\n'
    found = [c for c in operators.changes(source) if c.kind == kind and c.replacement == replacement]
    assert len(found) == 1
    assert (found[0].function, found[0].line) == ("function", 6)
    assert found[0].apply(source) == source.replace(line, line.replace(found[0].text, replacement))


LEFT_ALONE = [
    "x = 1 + 1",
    "class A:\n    x: int = 1 + 1",
    "class A:\n    def __post_init__(self):\n        return 1 + 1",
    "def check_a(a):\n    return a + 1",
    "@jit(1, 2)\ndef f(a: Callable[1, 2], b=1 + 1) -> (1, 2):\n    pass",
    "def f(a):\n    if a < 1:\n        raise ValueError(1 + 1)",
    "def f(a):\n    positive('a', a)",
    "def f(a):\n    return f'{a + 1}'",
    "def f(a):\n    return zip(a, strict=True)",
    "def f(a):\n    key_x, key_h = a",
    "def f(a):\n    return g(*a, *b)",
    "def f(a):\n    return a, a",
]


@pytest.mark.parametrize("source", LEFT_ALONE)
def test_rules_leave_alone(source):
    assert operators.changes(source) == []


def test_a_rule_keeps_brackets():
    source = "def f(a, b):\n    return g((a + b), (1 - b) ** a)\n"
    for change in operators.changes(source):
        ast.parse(change.apply(source))


@pytest.fixture(scope="module")
def mutants_drawn():
    return drawn.draw(ROOT)


def test_the_draw_is_the_seed_s(mutants_drawn):
    assert len({mutant.name for mutant in mutants_drawn}) == len(mutants_drawn) == drawn.COUNT >= 200
    assert drawn.draw(ROOT) == mutants_drawn
    fewer = drawn.draw(ROOT, 50)
    assert len(fewer) == 50 and set(fewer) < set(mutants_drawn)
    assert set(drawn.draw(ROOT, 50, seed=drawn.SEED + 1)) != set(fewer)
    assert {mutant.change.kind for mutant in mutants_drawn} == set(operators.KINDS)


def test_the_draw_does_not_depend_on_the_order_of_files(mutants_drawn, monkeypatch):
    files = drawn.files(ROOT)
    monkeypatch.setattr(drawn, "files", lambda root: files[::-1])
    assert drawn.draw(ROOT) == mutants_drawn


def test_drawn_mutants_compile_and_differ(mutants_drawn):
    for mutant in mutants_drawn:
        source = (ROOT / mutant.file).read_text(encoding="utf-8")
        mutated = mutant.apply(source)
        compile(mutated, mutant.file, "exec")
        assert ast.dump(ast.parse(mutated)) != ast.dump(ast.parse(source)), mutant


@pytest.mark.parametrize("file", drawn.files(ROOT))
def test_every_file_drawn_from_has_tests(file):
    found = drawn.tests_of(file)
    assert found
    for test in found:
        path, _, name = test.partition("::")
        assert (ROOT / path).exists()
        assert not name or name.partition("[")[0] in functions_of(path), f"there is no {test}"


def test_equivalent_mutants_are_there():
    """Each that is listed is still a change by rule; one that no longer is must be taken off the list."""
    for file, function, what in equivalent.EQUIVALENT:
        found = operators.changes((ROOT / file).read_text(encoding="utf-8"))
        assert (function, what) in {(change.function, change.what) for change in found}, (file, function, what)
