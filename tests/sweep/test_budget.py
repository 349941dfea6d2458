"""How long a sweep goes on: a number of trials, or the time; and who joins it."""

import itertools
import types

import pytest

from lstm_jax.sweep import Study, launch, prepare, sweep, work
from lstm_jax.sweep.command import status, sweep_command
from lstm_jax.train import RunError
from tests.sweep.made import LINE, asked, worked

pytest.importorskip("tyro")
pytest.importorskip("optuna")

NEITHER = "How many trials, or for how long? --trials 40 or --hours 2"


def _work(study, looks, monkeypatch):
    """Work until the clock has been looked at so often."""
    clock = itertools.count()
    with monkeypatch.context() as patched:
        patched.setattr("lstm_jax.sweep.worker.time", types.SimpleNamespace(time=lambda: next(clock)))
        work(study.folder, deadline=looks, told=[].append)
    return study.trials()


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_without_a_number_trials_are_made_until_the_time_is_up(tmp_path, sampler, monkeypatch):
    study = prepare(asked(trials=None, sampler=sampler), study=tmp_path / "study")
    assert study.trials() == [] and study.expected() is None
    trials = _work(study, 14, monkeypatch)
    assert [trial.state for trial in trials] == ["done", "done", "stopped"]
    assert [trial.number for trial in trials] == [0, 1, 2]
    assert status(study).splitlines()[-1].startswith("3 trials, 1 stopped, 2 done, best error")
    # The same command goes on, and then a number ends it.
    again = _work(prepare(study.sweep, study=study.folder), 10, monkeypatch)
    assert [trial.state for trial in again][:3] == ["done"] * 3
    there = prepare(asked(trials=6, sampler=sampler), study=study.folder)
    work(there.folder, told=[].append)
    assert [trial.state for trial in there.trials()] == ["done"] * 6
    if sampler == "random":
        whole = prepare(asked(trials=6), study=tmp_path / "whole")
        assert [trial.values for trial in there.trials()] == [trial.values for trial in whole.trials()]
    # And the time again.
    (claim,) = prepare(asked(trials=None, sampler=sampler), study=study.folder).claim(1, timed=True)
    assert claim.number == 6


def test_who_has_no_deadline_makes_no_trials_without_end(tmp_path):
    study = prepare(asked(trials=None), study=tmp_path / "study")
    assert study.claim(5) == []
    claims = study.claim(2, timed=True)
    claims[0].release()
    assert [claim.number for claim in study.claim(5)] == [0]
    assert [claim.number for claim in study.claim(3, timed=True)] == [2, 3, 4]


def test_a_grid_ends_whatever_the_time(tmp_path):
    study = prepare(asked(sampler="grid", trials=None, space=("start=0,1",)), study=tmp_path / "study")
    assert (study.expected(), study.sweep.endless) == (2, False)
    assert [claim.number for claim in study.claim(5, timed=True)] == [0, 1]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], NEITHER),
        (["--sampler", "random"], NEITHER),
        (["--slurm"], "How many trials? --trials 200: what SLURM starts goes on until all of them are done."),
    ],
)
def test_a_sweep_has_an_end(tmp_path, words, sentence):
    study = tmp_path / "study"
    with pytest.raises(RunError) as refused:
        sweep_command([LINE, "--space", "start=0,1", "--study", str(study), *words])
    assert sentence in str(refused.value) and not study.exists()
    with pytest.raises(RunError) as refused:
        launch(prepare(asked(trials=None), study=study), workers=1)
    assert NEITHER in str(refused.value)


@pytest.fixture
def joined(monkeypatch):
    """The deadlines of those who join."""
    deadlines = []
    monkeypatch.setattr("lstm_jax.sweep.command.work", lambda folder, deadline: deadlines.append(deadline))
    monkeypatch.setattr("lstm_jax.sweep.command.use_cpu_cores", lambda: None)
    monkeypatch.setattr("lstm_jax.sweep.command.time", types.SimpleNamespace(time=lambda: 1000.0))
    monkeypatch.setattr("lstm_jax.sweep.command.sys", types.SimpleNamespace(platform="none"))
    return deadlines


def test_who_joins_may_say_for_how_long(tmp_path, joined):
    folder = str(prepare(asked(trials=None), study=tmp_path / "study").folder)
    with pytest.raises(RunError) as refused:
        sweep_command(["--join", folder])
    assert NEITHER in str(refused.value)
    with pytest.raises(RunError, match="hours above 0"):
        sweep_command(["--join", folder, "--hours", "0"])
    assert sweep_command(["--join", folder, "--hours", "2"]) == f"{folder}: 0 trials\n"
    assert sweep_command(["--join", folder, "--launched", "--until", "1234.5"]) == ""
    assert joined == [8200.0, 1234.5]


def test_who_joins_a_finished_study_is_told_how_it_stands(tmp_path, joined):
    study = worked(tmp_path / "study", trials=1)[0]
    assert sweep_command(["--join", str(study.folder)]).startswith(f"{study.folder}: 1/1 trials, 1 done, best error")


def test_a_launcher_says_how_to_join_and_that_its_time_is_up(tmp_path, capsys):
    study = prepare(asked(trials=2), study=tmp_path / "study")
    launch(study, workers=0, hours=1e-9)
    told = capsys.readouterr().err.splitlines()
    assert told[0] == f"Others join by lstm-jax sweep --join {study.folder.resolve()} --hours 1e-09"
    assert told[-1] == f"The time is up: everything is saved in {study.folder}, the same command goes on."
    work(study.folder, told=[].append)
    launch(study, workers=1, hours=1e-9)
    assert "The time is up" not in capsys.readouterr().err


def test_the_help_names_the_experiment_and_nothing_that_only_launchers_say(capsys):
    with pytest.raises(SystemExit):
        sweep_command(["--help"])
    told = capsys.readouterr().out
    assert "lstm-jax sweep EXPERIMENT" in told and "--hours" in told
    assert "--until" not in told and "--launched" not in told


@pytest.mark.nightly
def test_a_sweep_by_the_time_alone(tmp_path):
    study = sweep(asked(trials=None, sampler="tpe"), study=tmp_path / "study", hours=20 / 3600, quiet=True)
    states = [trial.state for trial in Study(study.folder).trials()]
    assert states.count("done") >= 2 and set(states) <= {"done", "stopped"}
