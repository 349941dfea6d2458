"""The package as a whole: what it says of itself, who may import whom, what importing it costs."""

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import lstm_jax

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

# The house (docs/architecture.md), lowest floor first: a room imports from floors below its own, and from itself.
# "lstm_jax" is the package's own __init__: what is above that floor may write `from lstm_jax import unroll`.
FLOORS = [
    {"lstm_jax.options", "lstm_jax.flags"},
    {"lstm_jax.cores", "lstm_jax.metrics"},
    {"lstm_jax.data"},
    {"lstm_jax.cell"},
    {"lstm_jax.initializers"},
    {"lstm_jax.cells"},
    {"lstm_jax.kernels"},
    {"lstm_jax.driver"},
    {"lstm_jax.wrappers"},
    {"lstm_jax.gradients", "lstm_jax.adapters", "lstm_jax.convert"},
    {"lstm_jax"},
    {"lstm_jax.tasks", "lstm_jax.models"},
    {"lstm_jax.train"},
    {"lstm_jax.sweep"},
    {"lstm_jax.report"},
    {"lstm_jax.fitted"},
    {"lstm_jax.cli"},
    {"lstm_jax.__main__", "experiments"},
]
# Doors between two rooms of one floor: (who imports, whom).
DOORS: set[tuple[str, str]] = set()

FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
FILES = sorted([*(ROOT / "lstm_jax").rglob("*.py"), *(ROOT / "experiments").rglob("*.py")])
MOST_LINES = 400  # of any file; a leaf stays under about 200

# What `import lstm_jax` leaves to the moment when it is used (unless jax or flax bring it along anyway).
HEAVY = [
    "orbax", "tensorstore", "optax", "chex", "tyro", "rich", "matplotlib", "tensorboardX", "jinja2", "safetensors",
    "optuna", "grain", "pandas", "scipy", "torch", "keras", "h5py", "onnx", "experiments",
]  # fmt: skip


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in FILES}


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[0] if parts[0] == "experiments" else ".".join(parts[:2])


def imports(path: Path) -> Iterator[str]:
    """The modules of this repository that a file imports, wherever in the file it does."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for block in [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]:
        tree.body.remove(block)  # seen by type checkers alone
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path.relative_to(ROOT)}:{node.lineno}: write the import out from its root."
            submodules = [f"{node.module}.{alias.name}" for alias in node.names]
            found = [name if name in MODULES else str(node.module) for name in submodules]
        else:
            continue
        yield from (name for name in found if name.split(".")[0] in {"lstm_jax", "experiments", "tests"})


def allowed(importer: str, imported: str) -> bool:
    if importer == imported or (importer, imported) in DOORS:
        return True
    return imported in FLOOR_OF and FLOOR_OF[imported] < FLOOR_OF[importer]


def test_one_version() -> None:
    version = PYPROJECT["project"]["version"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert lstm_jax.__version__ == version
    assert importlib.metadata.version("lstm-jax") == version
    assert re.search(r"^version: (.+)$", citation, re.MULTILINE).group(1) == version
    assert f"## [{version}]" in changelog


def test_ships_its_types() -> None:
    assert (Path(lstm_jax.__file__).parent / "py.typed").is_file()


def test_all_is_what_is_there() -> None:
    missing = [name for name in lstm_jax.__all__ if not hasattr(lstm_jax, name)]
    assert not missing
    assert len(set(lstm_jax.__all__)) == len(lstm_jax.__all__)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_downward(module: str) -> None:
    room = room_of(module)
    assert room in FLOOR_OF, f"{room} has no floor: place it in FLOORS."
    wrong = [name for name in imports(MODULES[module]) if not allowed(room, room_of(name))]
    assert not wrong, f"{module} is in {room}, which may not import {', '.join(wrong)}."


def test_the_direction_test_can_fail() -> None:
    assert not allowed("lstm_jax.cells", "lstm_jax.driver")
    assert not allowed("lstm_jax.wrappers", "lstm_jax")
    assert not allowed("lstm_jax.tasks", "lstm_jax.models")
    assert not allowed("lstm_jax.cli", "experiments")
    assert not allowed("lstm_jax.train", "tests")
    assert allowed("experiments", "lstm_jax.train")
    assert allowed("lstm_jax.models", "lstm_jax")


@pytest.mark.parametrize("module", MODULES)
def test_files_stay_small(module: str) -> None:
    lines = len(MODULES[module].read_text(encoding="utf-8").splitlines())
    assert lines <= MOST_LINES, f"{MODULES[module].relative_to(ROOT)} has {lines} lines: split it."


def test_no_utils() -> None:
    names = {"utils", "util", "helpers", "common", "misc"}
    assert not [module for module in MODULES if names & set(module.split("."))], "Name a file after what is in it."


def loaded_after(statement: str) -> set[str]:
    """Top-level packages in a fresh interpreter after ``statement``."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import_is_light() -> None:
    brought = loaded_after("import lstm_jax") - loaded_after("import jax, flax, flax.linen")
    assert not brought & set(HEAVY)
    assert "lstm_jax" in brought
