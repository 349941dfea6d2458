"""The command line: what it runs, and the one sentence it has for each mistake."""

import json
import os
import signal
import sys
from pathlib import Path

import jax.numpy as jnp
import pytest

from lstm_jax.cli import main, run_experiment
from tests.train import tiny

ROOT = Path(__file__).parents[1]
ADDING = ["run", "experiments.adding", "--length", "4", "--hidden-size", "2", "--batch-size", "2", "--steps", "3"]


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
    for flags in (["--steps", "4"], ["--steps", "4", "--seed", "1"], ["--steps", "5"], ["--steps", "4"]):
        run_experiment(tiny.Config, _build, name="tiny", argv=flags)
    folders = list((tmp_path / "runs" / "tiny").iterdir())
    assert len(folders) == 3
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
        return tiny.experiment(config, learning_rate=jnp.inf)

    with pytest.raises(SystemExit) as stop:
        run_experiment(tiny.Config, build, name="tiny", argv=["--workdir", str(tmp_path)])
    assert stop.value.code == 1
    assert "tiny stopped at step 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--length", "1"], "length must be at least 2, one step for each of the two markers, got 1."),
        (["--hidden-size", "0"], "hidden_size must be a whole number of at least 1, got 0."),
        (["--batch-size", "0"], "batch_size must be a whole number of at least 1, got 0."),
        (["--evaluation-size", "0"], "evaluation_size must be at least 2, to know the score's error, got 0."),
        (["--steps", "-5"], "steps must be a whole number of at least 1, got -5."),
        (["--learning-rate", "nan"], "learning_rate must be at least 0, got nan."),
        (["--clip-norm", "0"], "clip_norm must be above 0, got 0.0."),
        (["--seed", "-1"], "seed must be at least 0 and below 2**31, got -1."),
        (["--checkpoint-every", "-1"], "checkpoint_every must be at least 0, got -1.0."),
    ],
)
def test_a_bad_value_is_one_sentence_before_any_work(capsys, tmp_path, flags, sentence):
    pytest.importorskip("tyro")
    assert _refused(capsys, "run", "experiments.adding", "--workdir", str(tmp_path / "run"), *flags) == sentence
    assert not (tmp_path / "run").exists()


def test_what_cannot_be_parsed_names_the_flag(capsys):
    pytest.importorskip("tyro")
    assert "Perhaps you meant: --length" in _refused(capsys, "run", "experiments.adding", "--lenght", "3")
    assert "--length" in _refused(capsys, "run", "experiments.adding", "--length", "many")
    told = _refused(capsys, "run", "experiments.adding", "--initialization", "crono")
    assert "'chrono', 'forget-bias'" in told


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
    assert told == "There is no experiment 'experiments.nope'. The experiments are: experiments.adding."
    assert "Did you mean experiments.adding?" in _refused(capsys, "run", "experiments.ading")
    assert "Did you mean experiments.adding?" in _refused(capsys, "run", "adding")
    assert "experiments.adding" in _refused(capsys, "run")
    assert _refused(capsys, "rnu") == "lstm-jax knows no command 'rnu'; it knows: run."


def test_outside_a_checkout(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
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
