"""What is varied: how it is read, drawn from, turned into flags, and refused."""

import math
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import adding
from lstm_jax.cells import GRU, LSTM
from lstm_jax.sweep.settings import Sweep, toml_flags
from lstm_jax.sweep.space import Dimension, Space
from lstm_jax.train import RunError

pytest.importorskip("tyro")


def _space(*texts, fixed=()):
    return Space.read(texts, fixed, adding.Config)


def test_flags_make_the_configuration():
    space = _space(
        "optimizer.learning_rate=log:1e-4..1e-1", "cell.hidden-size=4..8", "cell=lstm,gru", "chrono=True,False"
    )
    values = {"optimizer.learning_rate": 0.1 + 0.2, "cell.hidden_size": 5, "cell": "gru", "chrono": "False"}
    config = space.config(values)
    assert (config.optimizer.learning_rate, config.cell, config.chrono) == (0.1 + 0.2, GRU(5), False)
    config = space.config(values | {"cell": "lstm", "chrono": "True"})
    assert (config.cell, config.chrono) == (LSTM(5), True)
    fixed = Space.read(["batch_size=8,16"], ["cell:gru", "--cell.hidden-size", "3", "--length", "7"], adding.Config)
    assert fixed.config({"batch_size": "16"}) == adding.Config(length=7, cell=GRU(3), batch_size=16)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 10**6))
def test_draws_lie_inside_and_depend_on_seed_and_number_alone(seed, number):
    dimensions = (
        Dimension.read("a=log:1e-4..1e-1"),
        Dimension.read("b=-2..2.5"),
        Dimension.read("c=3..5"),
        Dimension.read("d=log:2..64"),
        Dimension.read("e=x,y"),
    )
    space = Space(adding.Config, dimensions, (), frozenset(), frozenset())
    values: dict[str, Any] = dict(space.random(seed, number))
    assert values == space.random(seed, number)
    assert 1e-4 <= values["a"] <= 1e-1 and -2 <= values["b"] <= 2.5
    assert values["c"] in (3, 4, 5) and isinstance(values["c"], int)
    assert 2 <= values["d"] <= 64 and isinstance(values["d"], int)
    assert values["e"] in ("x", "y")


def test_draws_are_spread_as_they_should_be():
    rng, logarithmic, whole = random.Random(0), Dimension.read("a=log:1e-4..1e-1"), Dimension.read("c=3..5")
    exponents = [math.log10(logarithmic.draw(rng)) for _ in range(3000)]
    assert abs(sum(exponents) / 3000 + 2.5) < 0.05
    drawn = [whole.draw(rng) for _ in range(3000)]
    assert all(abs(drawn.count(value) - 1000) < 120 for value in (3, 4, 5))


def test_a_grid_has_every_combination_once():
    assert _space("batch_size=8,16", "cell=lstm,gru").grid() == [
        {"batch_size": "8", "cell": "lstm"},
        {"batch_size": "8", "cell": "gru"},
        {"batch_size": "16", "cell": "lstm"},
        {"batch_size": "16", "cell": "gru"},
    ]
    with pytest.raises(RunError, match="A grid needs lists, but length is a range: write length=a,b,c"):
        _space("length=5..9").grid()


def test_each_listed_value_and_end_is_checked():
    configs = _space(
        "cell=lstm,gru", "optimizer.learning_rate=1e-3..1", "batch_size=2,3,4", fixed=["--cell.hidden-size", "3"]
    ).check()
    assert {config.cell for config in configs} == {LSTM(3), GRU(3)}
    assert {config.batch_size for config in configs} == {2, 3, 4}
    assert {config.optimizer.learning_rate for config in configs} == {1e-3, 1.0}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "optimizer.learning_rat=1,2",
            "There is no setting optimizer.learning_rat. Did you mean optimizer.learning_rate?",
        ),
        ("cell=lstm,gruu", "There is no cell:gruu. Did you mean cell:gru?"),
        ("cell.hidden_size=a,b", "--space cell.hidden_size=...: Error parsing cell.hidden_size: invalid literal"),
        (
            "optimizer.name=adam,adem",
            "--space optimizer.name=...: invalid choice 'adem' for argument 'optimizer.name'.",
        ),
        ("length", "--space 'length' is no dimension: write FIELD=a,b,c or FIELD=low..high"),
        ("length=", "--space 'length=' is no dimension"),
        ("length=log:1", "--space 'length=log:1': log: needs a range, such as log:1e-4..1e-1."),
        ("length=log:0..1", "--space 'length=log:0..1': a logarithmic range begins above 0."),
        ("length=9..5", "--space 'length=9..5': a range is low..high, two numbers, the lower one first."),
        ("length=5..x", "--space 'length=5..x': a range is low..high, two numbers"),
        ("length=5,,6", "--space 'length=5,,6': a list has each value once and no empty one."),
        ("length=5,5", "--space 'length=5,5': a list has each value once"),
        ("seed=1,2", "There is no setting seed."),
    ],
)
def test_what_means_nothing_is_refused_in_one_sentence(text, sentence):
    with pytest.raises(RunError) as refused:
        _space(text).check()
    assert sentence in str(refused.value)


def test_a_field_is_varied_once():
    with pytest.raises(RunError, match="--space has length twice"):
        _space("length=5,6", "length=7,8")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"trials": 0}, "trials must be a whole number of at least 1, got 0"),
        ({"seeds": 0}, "seeds must be a whole number of at least 1"),
        ({"experiment": ""}, "Which experiment?"),
        ({"space": ()}, "What is varied?"),
        ({"retries": -1}, "retries and seed must be at least 0"),
        ({"checkpoint_every": math.nan}, "checkpoint_every must be at least 0, got nan"),
        ({"sampler": "tpee"}, "sampler='tpee' is not known: did you mean 'tpe'?"),
    ],
)
def test_a_sweep_that_means_nothing_is_refused(settings, sentence):
    with pytest.raises(RunError) as refused:
        Sweep(**({"experiment": "e", "space": ("a=1,2",), "trials": 3} | settings)).check()
    assert sentence in str(refused.value)


def test_a_toml_file_stands_for_a_command(tmp_path):
    file = tmp_path / "sweep.toml"
    file.write_text(
        'experiment = "experiments.adding"\ntrials = 3\ncheckpoint_every = 1.5\nfixed = "--length 20"\n'
        '[space]\n"optimizer.learning_rate" = "log:1e-3..1e-1"\ncell = ["lstm", "gru"]\n'
        "[space.more]\nx = [1, 2]\n"
    )
    assert toml_flags(file) == [
        *(
            "experiments.adding",
            "--space",
            "optimizer.learning_rate=log:1e-3..1e-1",
            "cell=lstm,gru",
            "more.x=1,2",
        ),
        *("--trials", "3", "--checkpoint-every", "1.5", "--", "--length", "20"),
    ]
    file.write_text("experiment = 3")
    with pytest.raises(RunError, match=r'needs experiment = "experiments\.adding"'):
        toml_flags(file)
    file.write_text("experiment = ")
    with pytest.raises(RunError, match="is no TOML"):
        toml_flags(file)
    with pytest.raises(RunError, match="Cannot read"):
        toml_flags(tmp_path / "none.toml")
