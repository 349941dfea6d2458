"""Settings to JSON and back: equal configurations, readable by people, refused where they mean nothing."""

import json
import sys
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lstm_jax import GRU, LSTM, Bidirectional, Elman, Stack
from lstm_jax.train import Optimizer
from lstm_jax.train.settings import from_json, to_json


@dataclass(frozen=True)
class Leaky(Elman):
    """A cell beside its configuration."""

    leak: float = 0.5


@dataclass(frozen=True)
class Inner:
    sizes: tuple[int, ...] = (3, 4)
    pairs: tuple[tuple[str, float], ...] = (("a", 0.1), ("b", 1e-30))
    deeper: Any = None


@dataclass(frozen=True)
class Config:
    @dataclass(frozen=True)
    class Nested:
        width: int = 3

    cell: Any = LSTM(8)
    cells: tuple[Any, ...] = ()
    inner: Inner = Inner()
    nested: Nested = Nested()
    optimizer: Optimizer = Optimizer()
    file: Path = Path("data/series.csv")
    other_file: Path | None = None
    text: str = "data/series.csv"
    flag: bool = False
    number: float | None = None
    options: dict[str, Any] = field(default_factory=dict)


CONFIGS = {
    "defaults": Config(),
    "plain": Config(file=Path("/a b/ü.csv"), other_file=Path("x"), text="", flag=True, number=-0.1),
    "infinite": Config(number=float("inf")),
    "cell-settings": Config(cell=LSTM(3, chrono=20.0, activation="relu", dtype="bfloat16")),
    "stack": Config(cell=Stack((LSTM(4), GRU(4), Leaky(4)), dropout=0.4)),
    "bidirectional": Config(cell=Bidirectional(LSTM(4), Leaky(3, leak=0.1), merge="concat")),
    "composites": Config(cell=Stack((Bidirectional(GRU(3), Stack((Elman(2), LSTM(3)))), LSTM(2)), variational=True)),
    "tuple-of-cells": Config(cells=(LSTM(2), Leaky(5), Bidirectional(GRU(1), GRU(2)))),
    "own-cell": Config(cell=Leaky(7, leak=0.25)),
    "nested": Config(inner=Inner(sizes=(), pairs=(), deeper=Inner(deeper=Leaky(1))), nested=Config.Nested(9)),
    "optimizer": Config(optimizer=Optimizer("lion", 1e-4, clip_norm=None, schedule="cosine", warmup_steps=5)),
    "mapping": Config(options={"a": 1, "b": (1, 2), "c": {"cell": GRU(2)}, "d": None}),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_there_and_back(name):
    config = CONFIGS[name]
    back = from_json(json.loads(json.dumps(to_json(config))), Config)
    assert back == config
    assert repr(back) == repr(config)  # a list is no tuple, 1 is not True, a string no path


def test_what_is_written():
    written = to_json(Config(cell=Stack((LSTM(4), Leaky(3))), other_file=Path("x"), options={"b": (1, None)}))
    assert "type" not in written
    assert set(written["cell"]) == {"type", "cells", "dropout", "variational"}
    assert written["cell"]["type"] == "lstm_jax.wrappers.stack:Stack"
    assert [cell["type"] for cell in written["cell"]["cells"]] == ["lstm_jax.cells.lstm:LSTM", ":Leaky"]
    assert written["cell"]["cells"][1]["leak"] == 0.5
    assert written["inner"] == {
        "type": ":Inner",
        "sizes": [3, 4],
        "pairs": [["a", 0.1], ["b", 1e-30]],
        "deeper": None,
    }
    assert written["nested"] == {"type": ":Config.Nested", "width": 3}
    assert (written["file"], written["other_file"], written["options"]) == ("data/series.csv", "x", {"b": [1, None]})


SOURCE = """
from dataclasses import dataclass
from lstm_jax import LSTM, Stack

@dataclass(frozen=True)
class Mine(LSTM):
    pass

@dataclass(frozen=True)
class Config:
    cell: Stack = Stack((Mine(3), LSTM(2)))
"""


def test_a_module_has_the_same_settings_under_every_name(monkeypatch):
    """As a script a module is called __main__."""
    modules = []
    for name in ("settings_as_script", "settings_as_module"):
        module = types.ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(SOURCE, name, "exec"), module.__dict__)
        modules.append(module)
    script, imported = modules
    written = to_json(script.Config())
    assert written == to_json(imported.Config())
    back = from_json(written, imported.Config)
    assert back == imported.Config()
    assert type(back.cell.cells[0]) is imported.Mine


def test_what_is_left_out_takes_its_default():
    assert from_json({"flag": True, "inner": {"type": ":Inner", "sizes": [1]}}, Config) == Config(
        flag=True, inner=Inner(sizes=(1,))
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"fla": True}, r"^Config has no setting 'fla'; it has cell, cells, inner, nested, optimizer, file, "),
        ({"inner": {"type": ":Inner", "size": 3}}, r"^Inner has no setting 'size'; it has sizes, pairs, deeper\.$"),
        ({"cell": {"type": "lstm_jax:LSTM", "hidden_size": 0}}, r"hidden_size must be a whole number of at least 1"),
        ({"cell": {"type": ":Leeky"}}, r"^The settings name ':Leeky', which cannot be found here \(.*'Leeky'\)\.$"),
        ({"cell": {"type": "no_such_module:LSTM"}}, r"'no_such_module:LSTM', which cannot be found .*no_such_module"),
        ({"cell": {"type": "lstm_jax"}}, r"^The settings name 'lstm_jax', which cannot be found here"),
        ({"cell": {"type": "lstm_jax:unroll"}}, r"^The settings name 'lstm_jax:unroll', which is no dataclass"),
        ({"cells": [{"type": "os:getcwd"}]}, r"^The settings name 'os:getcwd', which is no dataclass of settings\.$"),
    ],
)
def test_what_cannot_be_read_is_named(content, sentence):
    with pytest.raises(ValueError, match=sentence):
        from_json(content, Config)
