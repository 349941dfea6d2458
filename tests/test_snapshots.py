"""Public signatures, parameter trees and initial values, held against what is written in tests/snapshots.

They change only on purpose: after such a change run ``python tests/test_snapshots.py`` and commit what it writes.
"""

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lstm_jax
from lstm_jax import GRU, LSTM, Bidirectional, Cell, Stack, train
from lstm_jax.adapters import linen, nnx
from lstm_jax.cells import registry


def make(name: str, size: int) -> Cell:
    kind = registry.CELLS[name]
    required = [
        f.name for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING and f.name != "hidden_size"
    ]
    return kind(size, **{field: {"projection_size": 2, "space": (2, 3)}[field] for field in required})


FOLDER = Path(__file__).parent / "snapshots"
CELLS = (
    *(make(name, 3) for name in registry.CELLS),
    LSTM(3, chrono=20.0),
    Stack((LSTM(3), GRU(2)), dropout=0.1),
    Bidirectional(LSTM(3), GRU(2)),
)


def signatures() -> Iterator[str]:
    for name in sorted(lstm_jax.__all__):
        value = getattr(lstm_jax, name)
        if not inspect.isclass(value):
            yield f"{name}{arguments(value)}"
            continue
        if dataclasses.is_dataclass(value):
            yield f"{name}{arguments(value)}"
        for method, function in sorted(vars(value).items()):
            if inspect.isfunction(function) and not method.startswith("_") and method != "replace":
                yield f"{name}.{method}{arguments(function)}"
    for adapter in (linen, nnx):
        yield f"{adapter.__name__}.Recurrent.__call__{arguments(adapter.Recurrent.__call__)}"
    for name in sorted(train.__all__):
        if not issubclass(type(value := getattr(train, name)), type) or dataclasses.is_dataclass(value):
            yield f"train.{name}{arguments(value)}"


def arguments(function: Callable) -> str:
    """Names and defaults; types are written differently from one Python to the next."""
    signature = inspect.signature(function)
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return str(inspect.Signature(bare))


def parameters() -> Iterator[str]:
    """Every leaf's path, shape, dtype and, to four digits, the mean of its squares."""
    for cell in CELLS:
        yield repr(cell)
        params = cell.init(jax.random.key(0), 2)
        state = cell.initial_state(params, (4,))
        for name, tree in (("params", params), ("state", state)):
            for path, leaf in jax.tree.flatten_with_path(tree)[0]:
                size = float(jnp.mean(jnp.square(leaf)))
                yield f"  {name}{jax.tree_util.keystr(path)} {list(leaf.shape)} {leaf.dtype} {size:.4g}"


SNAPSHOTS = {"signatures": signatures, "parameters": parameters}


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_snapshot(name):
    got, written = list(SNAPSHOTS[name]()), (FOLDER / f"{name}.txt").read_text().splitlines()
    assert got == written, f"if that was meant: python {Path(__file__).relative_to(Path.cwd())}"


def test_initial_values_differ_between_seeds():
    one, other = (LSTM(3).init(jax.random.key(k), 2).w_x for k in (0, 1))
    assert np.all(np.asarray(one) != np.asarray(other))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, lines in SNAPSHOTS.items():
        (FOLDER / f"{name}.txt").write_text("\n".join(lines()) + "\n")
