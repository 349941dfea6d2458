"""The command line: what it runs, and the one sentence it has for each mistake."""

import importlib.util
import json
import os
import signal
import sys
from pathlib import Path

import jax.numpy as jnp
import pytest

from lstm_jax import load_run
from lstm_jax.cli import main, run_experiment
from tests.train import tiny

ROOT = Path(__file__).parents[1]
EXPERIMENTS = sorted(f"experiments.{p.stem}" for p in (ROOT / "experiments").glob("*.py") if p.stem != "__init__")
ADDING = ["run", "experiments.adding", "--length", "4", "--cell.hidden-size", "2", "--batch-size", "2", "--steps", "3"]
HELP = "lstm-jax run experiments.adding --help"


@pytest.fixture(autouse=True)
def checkout(monkeypatch):
    """Commands are typed in the checkout."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", [*sys.path])


def _refused(capsys, *arguments, code=2):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == code
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err
    return " ".join(shown.err.replace("│", " ").split())


def test_runs_an_experiment_and_again_gives_its_result(capsys, tmp_path, monkeypatch):
    pytest.importorskip("tyro")
    arguments = [*ADDING, "--evaluation-size", "8", "--seed", "7", "--workdir", str(tmp_path / "run")]
    main(arguments)
    first = capsys.readouterr().out
    assert first.startswith("adding: not solved after 3 steps (6 sequences")
    assert "learning_curve.png" in first
    about = json.loads((tmp_path / "run" / "config.json").read_text())
    assert about["seed"] == 7
    assert about["config"]["length"] == 4
    main(arguments)
    assert capsys.readouterr().out == first
    arguments[arguments.index("4")] = "5"
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 1
    assert "length (4 there, 5 here)" in capsys.readouterr().err


def _build(config):
    return tiny.experiment(config)


def test_the_run_folder_is_named_after_the_settings(capsys, tmp_path, monkeypatch):
    pytest.importorskip("tyro")
    monkeypatch.chdir(tmp_path)
    for flags in (["--steps", "4"], ["--steps", "4", "--seed", "1"], ["--noise", "0.3"], ["--steps", "4"]):
        run_experiment(tiny.Config, _build, name="tiny", argv=flags)
    folders = list((tmp_path / "runs" / "tiny").iterdir())
    assert len(folders) == 3
    capsys.readouterr()
    # More steps are no other run: it goes on.
    run_experiment(tiny.Config, _build, name="tiny", argv=["--steps", "5"])
    assert len(list((tmp_path / "runs" / "tiny").iterdir())) == 3
    assert "tiny: going on after step 4" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run_experiment(tiny.Config, _build, name="tiny", argv=["--steps", "4"])
    assert "has already taken 5 steps, and at most 4 are asked for" in capsys.readouterr().err
    run_experiment(tiny.Config, _build, name="tiny", argv=["--steps", "4", "--fresh"])
    assert len(list((tmp_path / "runs" / "tiny").glob("*.old1"))) == 1
    assert f"Result: {Path('runs/tiny')}" in capsys.readouterr().out


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_with_its_own_code(capsys, tmp_path, number, code):
    pytest.importorskip("tyro")

    def build(config):
        return tiny.experiment(config, stop=lambda metrics: os.kill(os.getpid(), number))

    with pytest.raises(SystemExit) as stop:
        run_experiment(tiny.Config, build, name="tiny", argv=["--workdir", str(tmp_path)])
    assert stop.value.code == code
    assert "the same command goes on from there" in capsys.readouterr().err


def test_a_non_finite_run_fails_with_a_sentence(capsys, tmp_path):
    pytest.importorskip("tyro")

    def build(config):
        return tiny.experiment(config, init=lambda key: {"w": jnp.full(tiny.FEATURES, jnp.inf)})

    with pytest.raises(SystemExit) as stop:
        run_experiment(tiny.Config, build, name="tiny", argv=["--workdir", str(tmp_path)])
    assert stop.value.code == 1
    assert "tiny stopped at step 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--length", "1"], "length must be at least 2, one step for each of the two markers, got 1."),
        (["--cell.hidden-size", "0"], "hidden_size must be a whole number of at least 1, got 0. All flags: " + HELP),
        (["--batch-size", "0"], "batch_size must be a whole number of at least 1, got 0."),
        (["--evaluation-size", "0"], "evaluation_size must be at least 2, to know the score's error, got 0."),
        (["--steps", "-5"], "steps must be a whole number of at least 1, got -5."),
        (
            ["--optimizer.learning-rate", "nan"],
            "optimizer.learning_rate must be at least 0 and finite, got nan. All flags: " + HELP,
        ),
        (
            ["--optimizer.clip-norm", "0"],
            "optimizer.clip_norm must be above 0, or None to leave it out; got 0.0. All flags: " + HELP,
        ),
        (
            ["--optimizer.schedule", "linear", "--optimizer.warmup-steps", "9", "--steps", "9"],
            "optimizer.warmup_steps must be below steps with a linear schedule: got 9, and steps is 9.",
        ),
        (["--seed", "-1"], "seed must be at least 0 and below 2**31, got -1."),
        (["--checkpoint-every", "-1"], "checkpoint_every must be at least 0, got -1.0."),
    ],
)
def test_a_bad_value_is_one_sentence_before_any_work(capsys, tmp_path, flags, sentence):
    pytest.importorskip("tyro")
    assert _refused(capsys, "run", "experiments.adding", "--workdir", str(tmp_path / "run"), *flags) == sentence
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--lenght", "3"], "There is no flag --lenght. Did you mean --length?"),
        (["--lenght=3", "cell:gru"], "There is no flag --lenght. Did you mean --length?"),
        (["--hidden-size", "3"], "There is no flag --hidden-size. Did you mean --cell.hidden-size?"),
        (["--cell.hiden_size", "3"], "There is no flag --cell.hiden_size. Did you mean --cell.hidden-size?"),
        (["cell:grru", "--cell.hidden-size", "3"], "There is no cell:grru. Did you mean cell:gru?"),
        (
            ["--length", "many"],
            "Error parsing --length: invalid literal for int() with base 10: 'many'.",
        ),
        (
            ["--optimizer.name", "adem"],
            "invalid choice 'adem' for argument '--optimizer.name'. Expected one of ('adam', 'nadam', 'rmsprop', "
            "'lion', 'momentum', 'sgd').",
        ),
    ],
)
def test_what_cannot_be_parsed_is_one_sentence(capsys, flags, sentence):
    pytest.importorskip("tyro")
    assert _refused(capsys, "run", "experiments.adding", *flags) == f"{sentence} All flags: {HELP}"


@pytest.mark.proof
@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["task:nonsense", "cell:gru"], "There is no task:nonsense. Did you mean task:two-sequence?"),
        (["task:long-lag2c", "cell:grru"], "There is no cell:grru. Did you mean cell:gru?"),
        (["task:long-lag2c", "--task.lagg", "3"], "There is no flag --task.lagg. Did you mean --task.lag?"),
        (["task:long-lag2c", "--task.lag", "0"], "lag must be a whole number of at least 1, got 0."),
        (
            ["task:embedded-reber", "--optimizer.learning-rate", "abc"],
            "Error parsing --optimizer.learning-rate: could not convert string to float: 'abc'.",
        ),
    ],
)
def test_where_two_things_are_chosen_the_wrong_one_is_told(capsys, flags, sentence):
    pytest.importorskip("tyro")
    assert _refused(capsys, "run", "experiments.hochreiter1997", *flags).startswith(sentence)


def test_a_cell_is_chosen_by_name_and_flags_stand_in_any_order(capsys, tmp_path):
    pytest.importorskip("tyro")
    for number, flags in enumerate((["cell:gru", "--cell.hidden-size", "3"], ["--cell.hidden-size", "3", "cell:gru"])):
        folder = tmp_path / str(number)
        main([*ADDING[:4], *flags, *ADDING[6:], "--evaluation-size", "8", "--workdir", str(folder)])
        cell = json.loads((folder / "config.json").read_text())["config"]["cell"]
        assert (cell["type"], cell["hidden_size"]) == ("lstm_jax.cells.gru:GRU", 3)


MINE = """
from dataclasses import dataclass
from tests.train import tiny
@dataclass(frozen=True)
class Config(tiny.Config):
    "Mine."
    steps: int = 6
def build(config):
    return tiny.experiment(config, name="mine")
"""


FORGETFUL = MINE.replace("import dataclass\n", "import dataclass, replace\n").replace(
    'return tiny.experiment(config, name="mine")', 'return replace(tiny.experiment(config, name="mine"), config=None)'
)


def test_a_file_that_forgets_its_config_still_has_its_settings(capsys, tmp_path):
    pytest.importorskip("tyro")
    (tmp_path / "forgetful.py").write_text(FORGETFUL)
    command = ["run", str(tmp_path / "forgetful.py"), "--workdir", str(tmp_path / "run")]
    main([*command, "--noise", "0.2"])
    assert "noise (0.2 there, 0.3 here)" in _refused(capsys, *command, "--noise", "0.3", code=1)
    assert load_run(tmp_path / "run").config.noise == 0.2


@pytest.mark.parametrize(
    ("text", "sentence", "code"),
    [
        ("class Config: pass\ndef build(config): pass", "its Config is no dataclass; put @dataclass(frozen=True)", 2),
        (MINE.replace('tiny.experiment(config, name="mine")', "3"), "must return a lstm_jax.train.Experiment", 1),
        (MINE.replace('name="mine"', "loss=lambda p, b, k: 0.0"), "must return (loss, metrics)", 1),
    ],
)
def test_a_file_that_is_no_experiment_is_told_what_is_wrong(capsys, tmp_path, text, sentence, code):
    pytest.importorskip("tyro")
    (tmp_path / "wrong.py").write_text(text)
    assert sentence in _refused(capsys, "run", str(tmp_path / "wrong.py"), "--workdir", str(tmp_path / "r"), code=code)


def test_a_file_of_ones_own(capsys, tmp_path, monkeypatch):
    pytest.importorskip("tyro")
    (tmp_path / "mine.py").write_text(MINE)
    main(["run", str(tmp_path / "mine.py"), "--workdir", str(tmp_path / "run"), "--noise", "0.2"])
    assert capsys.readouterr().out.startswith("mine: finished after 6 steps")
    run = load_run(tmp_path / "run")
    assert (run.config.steps, run.config.noise, run.experiment.name) == (6, 0.2, "mine")
    assert _refused(capsys, "run", str(tmp_path / "nine.py")) == f"There is no file {tmp_path / 'nine.py'}."
    (tmp_path / "empty.py").write_text("")
    told = _refused(capsys, "run", str(tmp_path / "empty.py"))
    assert told == f"{tmp_path / 'empty.py'} is no experiment: it has no Config and no build."


def test_help_explains_every_setting(capsys):
    pytest.importorskip("tyro")
    with pytest.raises(SystemExit) as stop:
        main(["run", "experiments.adding", "--help"])
    assert stop.value.code == 0
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "Can a recurrent network remember two numbers" in told
    for words in ("--length INT", "Steps T of a sequence", "--seed INT", "--workdir", "The run folder"):
        assert words in told


def test_unknown_experiments_and_commands(capsys):
    told = _refused(capsys, "run", "experiments.nope")
    assert told == (f"There is no experiment 'experiments.nope'. The experiments are: {', '.join(EXPERIMENTS)}.")
    assert "Did you mean experiments.adding?" in _refused(capsys, "run", "experiments.ading")
    assert "Did you mean experiments.adding?" in _refused(capsys, "run", "adding")
    assert "experiments.adding" in _refused(capsys, "run")
    assert _refused(capsys, "rnu") == "lstm-jax knows no command 'rnu'; it knows: run, sweep, report, compare, cells."


def test_outside_a_checkout(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    told = _refused(capsys, "run", "experiments.adding")
    assert "the installed package does not hold the experiments" in told
    assert "clone" in told


def test_without_the_extra_it_is_named(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tyro", None)
    assert "pip install 'lstm-jax[experiments]'" in _refused(capsys, *ADDING, code=1)


def test_usage(capsys):
    main([])
    assert "lstm-jax run experiments.NAME" in capsys.readouterr().out
    main(["run", "--help"])
    assert "experiments.adding" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["json", "math", "sys"])
def test_a_file_with_the_name_of_a_python_module_is_refused(capsys, tmp_path, name):
    (tmp_path / f"{name}.py").write_text(MINE)
    assert f"has the name of the Python module {name}" in _refused(capsys, "run", str(tmp_path / f"{name}.py"))


def test_what_is_chosen_may_stand_anywhere(capsys, tmp_path):
    pytest.importorskip("tyro")
    choice = ["--fresh", "cell:gru", "--cell.hidden-size", "3", "--length", "4"]
    main(["run", "experiments.adding", "--steps", "1", "--workdir", str(tmp_path / "fresh"), *choice])
    assert type(load_run(tmp_path / "fresh").config.cell).__name__ == "GRU"


def test_where_the_old_run_went_is_told(capsys, tmp_path):
    pytest.importorskip("tyro")
    (tmp_path / "mine.py").write_text(MINE)
    command = ["run", str(tmp_path / "mine.py"), "--workdir", str(tmp_path / "run")]
    main(command)
    main([*command, "--fresh"])
    assert f"is now in {tmp_path / 'run.old1'}" in capsys.readouterr().err


def test_a_mistake_inside_the_experiment_is_a_traceback(tmp_path):
    pytest.importorskip("tyro")
    (tmp_path / "wrong.py").write_text(MINE.replace('name="mine"', "loss=lambda p, b, k: int('x')"))
    with pytest.raises(ValueError, match="invalid literal"):
        main(["run", str(tmp_path / "wrong.py"), "--workdir", str(tmp_path / "run")])
