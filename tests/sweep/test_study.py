"""A study in one process: who gets which trial, what becomes of it, and that nothing is lost or done twice."""

import dataclasses
import json
import math
import os
import time
import types

import numpy as np
import pytest

from lstm_jax.sweep import Study, prepare, work
from lstm_jax.sweep import patience as patience_module
from lstm_jax.sweep.command import outcome, status, sweep_command
from lstm_jax.sweep.display import chosen
from lstm_jax.train import Interrupted, RunError, train
from lstm_jax.train.find import find_experiment
from tests.sweep.made import LINE, RATES, asked, worked

pytest.importorskip("tyro")
optuna = pytest.importorskip("optuna")


def _alone(study, trial, seed=0):
    config = study.space.config(trial.values)
    return train(find_experiment(LINE).build(config), seed=seed, quiet=True)


@pytest.mark.parametrize(
    "sampler", ["grid", *(pytest.param(name, marks=pytest.mark.proof) for name in ("random", "tpe"))]
)
def test_each_trial_is_what_a_lone_run_of_its_settings_is(tmp_path, sampler):
    space = (
        ("optimizer.learning_rate=0.01,0.1", "start=0,1")
        if sampler == "grid"
        else (RATES, "start=-1..1.0", "squared=True,False")
    )
    study, trials, _ = worked(tmp_path / "study", sampler=sampler, space=space)
    assert [trial.number for trial in trials] == [0, 1, 2, 3]
    assert len({str(trial.values) for trial in trials}) == 4
    for trial in trials:
        alone = _alone(study, trial)
        assert (trial.state, trial.value, trial.scores) == ("done", alone.validation["error"], alone.metrics)
        there = json.loads((trial.folder / "seed-0" / "result.json").read_text())
        assert there["config"] == alone.config
    best = study.best_of(trials)
    assert best.value == min(trial.value for trial in trials)
    assert f"trial {best.number} done" in outcome(study)


def test_random_trials_depend_on_the_sweeps_seed_alone_and_more_can_be_asked_for(tmp_path):
    values = [t.values for t in worked(tmp_path / "a", trials=3)[1]]
    assert len({t["optimizer.learning_rate"] for t in values}) == 3
    study = prepare(asked(trials=5), study=tmp_path / "a")
    assert [trial.state for trial in study.trials()] == ["done"] * 3 + ["waiting"] * 2
    assert [t.values for t in prepare(asked(trials=5), study=tmp_path / "b").trials()] == [
        t.values for t in study.trials()
    ]
    assert [t.values for t in study.trials()][:3] == values
    assert prepare(asked(trials=3, seed=1), study=tmp_path / "c").trials()[0].values != values[0]
    with pytest.raises(RunError, match=r"holds a study with another seed: 0 there, 1 here\. Choose another --study"):
        prepare(asked(trials=3, seed=1), study=tmp_path / "a")
    with pytest.raises(RunError, match="another space"):
        prepare(asked(space=("start=1,2",)), study=tmp_path / "a")


@pytest.mark.proof
def test_the_objective_is_the_mean_over_seeds(tmp_path):
    study, trials, _ = worked(tmp_path / "study", trials=2, seeds=3)
    for trial in trials:
        results = [_alone(study, trial, seed) for seed in range(3)]
        assert trial.value == pytest.approx(np.mean([result.validation["error"] for result in results]), rel=1e-12)
        assert sorted(path.name for path in trial.folder.glob("seed-*")) == ["seed-0", "seed-1", "seed-2"]


@pytest.mark.proof
def test_another_objective(tmp_path):
    study, trials, _ = worked(tmp_path / "a", trials=2, objective="slope", direction="max")
    assert study.best_of(trials).value == max(trial.value for trial in trials)
    assert worked(tmp_path / "b", trials=1, objective="steps")[1][0].value == 40
    with pytest.raises(RunError, match=r"Is a lower or a higher slope better\? --direction min or max"):
        prepare(asked(objective="slope"), study=tmp_path / "c")
    with pytest.raises(RunError, match="objective='eror' is not known: did you mean 'error'"):
        prepare(asked(objective="eror"), study=tmp_path / "c")
    with pytest.raises(RunError, match=r"start must be at most 100, got 200\.0"):
        prepare(asked(space=("start=0..200.0",)), study=tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_bad_trial_stops_nothing(tmp_path):
    """A crash is tried again and then shown as failed; what is not finite is pruned, with its reason."""
    study, trials, told = worked(
        tmp_path / "study", sampler="grid", trials=None, space=("ends=nan,crash,well",), retries=2
    )
    nan, crash, well = trials
    assert (crash.state, nan.state, well.state) == ("failed", "pruned", "done")
    assert crash.reason == "ZeroDivisionError: this one crashes (tried 3 times)"
    assert "this one crashes" in (crash.folder / "crash-3.txt").read_text()
    assert "stopped at step 1: the loss is" in nan.reason
    assert (nan.folder / "seed-0" / "metrics.jsonl").exists()
    # It does not hold the others up.
    ends = [line for line in told if ": " in line and ("done" in line or "crashed" in line or "pruned" in line)]
    assert [line.split(":")[0] for line in ends] == ["trial 0", "trial 1", "trial 2", "trial 1", "trial 1"]
    assert "failed" in status(study) and "ZeroDivisionError" in outcome(study)


def test_a_trial_that_crashed_waits_with_its_reason(tmp_path):
    study = prepare(asked(trials=2), study=tmp_path / "study")
    (claim,) = study.claim(1)
    claim.crashed("ZeroDivisionError: this one crashes", "")
    crashed, other = study.trials()
    assert (crashed.state, crashed.begun) == ("waiting", True)
    assert (other.state, other.begun, other.reason) == ("waiting", False, "")
    assert status(study).splitlines()[0].endswith("(to be tried again: ZeroDivisionError: this one crashes)")
    assert status(study).splitlines()[1] == "0/2 trials, 2 waiting"
    assert chosen(study, study.trials()) == [crashed]
    claims = study.claim(2)
    assert [trial.state for trial in study.trials()] == ["running"] * len(claims)


@pytest.mark.proof
def test_who_may_only_read_sees_how_a_study_stands(tmp_path, monkeypatch):
    study = worked(tmp_path / "a study of #1" / "study", trials=2)[0]
    told = status(study)
    (study.folder / "lock").unlink()
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != study.folder and allowed(path, mode))
    assert sweep_command(["--status", str(study.folder)]) == told
    reader = Study(study.folder)
    with pytest.raises(RunError, match="readonly"):
        reader.patiently(lambda: reader.optuna.enqueue_trial({}))
    assert not (study.folder / "lock").exists()


def test_failed_trials_are_tried_again_when_asked(tmp_path):
    study, trials, _ = worked(tmp_path / "study", sampler="grid", trials=None, space=("ends=well,crash",), retries=0)
    assert [trial.state for trial in trials] == ["done", "failed"]
    assert sweep_command(["--retry", "failed", "--study", str(study.folder)]).startswith(
        "1 failed trial will be tried again"
    )
    again = study.trials()
    assert [trial.state for trial in again] == ["done", "waiting"]
    work(study.folder, told=[].append)
    assert [trial.state for trial in study.trials()] == ["done", "failed"]
    assert sum(trial.state.name == "COMPLETE" for trial in study.frozen()) == 1


@pytest.mark.proof
def test_bad_trials_are_pruned(tmp_path):
    """By the median of those before, at the first validations."""
    space = ("ends=well,bad", "start=0,0.1,0.2,0.3,0.4,0.5")
    _, trials, _ = worked(tmp_path / "study", sampler="grid", trials=None, space=space, pruner="median")
    good, bad = trials[:6], trials[6:]
    assert [trial.state for trial in good[:5]] == ["done"] * 5
    assert {trial.state for trial in bad} == {"pruned"}
    assert "no better than others at step 10 (error" in bad[0].reason
    steps = [json.loads(line)["step"] for line in (bad[0].folder / "seed-0" / "metrics.jsonl").read_text().splitlines()]
    assert max(steps) == 10
    assert not (bad[0].folder / "seed-0" / "result.json").exists()
    with pytest.raises(RunError, match="Pruning goes by validations, which do not have steps"):
        prepare(asked(objective="steps", pruner="median"), study=tmp_path / "other")


def test_nobody_gets_what_somebody_has(tmp_path):
    study = prepare(asked(trials=6), study=tmp_path / "study")
    other = Study(study.folder)
    mine, theirs = study.claim(2), other.claim(3)
    assert [claim.number for claim in mine] == [0, 1] and [claim.number for claim in theirs] == [2, 3, 4]
    assert [claim.number for claim in study.claim(5)] == [5]
    assert study.claim(5) == []
    assert [trial.state for trial in study.trials()] == ["running"] * 6


@pytest.mark.parametrize("sampler", ["random", pytest.param("tpe", marks=pytest.mark.proof)])
def test_a_trial_that_lost_its_worker_goes_on_from_its_checkpoint(tmp_path, sampler):
    """A worker that ends without a word lets go of its locks; that is all that is known of it."""
    undisturbed = worked(tmp_path / "whole", trials=2, sampler=sampler)[1]
    study = prepare(asked(trials=2, sampler=sampler), study=tmp_path / "study")
    (claim,) = study.claim(1)

    class KilledError(BaseException):
        pass

    def kill(record):
        if record["step"] == 20:
            raise KilledError

    experiment = find_experiment(LINE).build(study.space.config(claim.values))
    with pytest.raises(KilledError):
        train(experiment, workdir=claim.folder / "seed-0", watch=kill, quiet=True, checkpoint_every=0)
    claim.unlock()
    (trial, *_) = study.trials()
    assert (trial.state, trial.step) == ("stopped", 20)
    work(study.folder, told=[].append)
    for ours, whole in zip(study.trials(), undisturbed, strict=True):
        assert (ours.state, ours.values, ours.value, ours.scores) == ("done", whole.values, whole.value, whole.scores)
    assert len(study.frozen()) == 2


def test_a_trial_that_was_taken_before_its_settings_were_chosen_gets_them(tmp_path):
    study = prepare(asked(trials=1), study=tmp_path / "study")
    drawn = study.trials()[0].values
    assert study.optuna.ask().params == {}  # and then the process dies
    (claim,) = study.claim(1)
    assert claim.values == drawn


def test_a_trial_whose_workers_die_again_and_again_has_failed(tmp_path):
    study = prepare(asked(trials=1, retries=2), study=tmp_path / "study")
    for _ in range(3):
        (claim,) = study.claim(1)
        claim.unlock()
    assert study.claim(1) == []
    (trial,) = study.trials()
    assert trial.state == "failed" and "Its worker ended 3 times without a word" in trial.reason
    released = prepare(asked(trials=1, retries=0), study=tmp_path / "released")
    for _ in range(4):  # stopped, and not dead: as often as you like
        (claim,) = released.claim(1)
        claim.release()
    assert released.trials()[0].state == "stopped"


def test_a_signal_leaves_everything_to_the_next_worker(tmp_path, monkeypatch):
    study = prepare(asked(trials=2), study=tmp_path / "study")

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("lstm_jax.sweep.worker.train", stop)
    with pytest.raises(Interrupted):
        work(study.folder, told=[].append)
    monkeypatch.undo()
    assert [trial.state for trial in study.trials()] == ["stopped", "waiting"]
    work(study.folder, deadline=time.time() - 1, told=[].append)
    assert study.trials()[0].state == "stopped"
    work(study.folder, told=[].append)
    assert [trial.state for trial in study.trials()] == ["done", "done"]


@pytest.mark.proof
def test_populations_give_what_lone_runs_give(tmp_path):
    space = (RATES, "squared=True,False")
    study, trials, told = worked(
        tmp_path / "study", trials=6, seeds=2, population=4, space=space, fixed=("--start", "1.5")
    )
    shapes = {trial.values["squared"] for trial in trials}
    assert len(shapes) == 2
    for trial in trials:
        results = [_alone(study, trial, seed) for seed in range(2)]
        mean = np.mean([result.validation["error"] for result in results])
        assert trial.state == "done" and trial.value == pytest.approx(mean, rel=1e-4, abs=1e-7)
    # Four are taken before one has ended.
    assert ["done" in line for line in told[:2]] == [False, False]


@pytest.mark.parametrize("population", [1, 4])
def test_when_the_time_is_up_all_is_left_to_the_next_worker(tmp_path, population, monkeypatch):
    study = prepare(asked(trials=2, population=population), study=tmp_path / "study")
    clock = iter([0.0] + [2.0] * 100)  # up after the first look
    monkeypatch.setattr("lstm_jax.sweep.worker.time", types.SimpleNamespace(time=lambda: next(clock)))
    told = []
    work(study.folder, deadline=1.0, told=told.append)
    assert told[-1] == "The sweep's time is up: what was worked on is saved."
    monkeypatch.undo()
    trials = study.trials()
    assert [trial.state for trial in trials] == ["stopped"] * min(population, 2) + ["waiting"] * (population == 1)
    assert not any(trial.reason for trial in trials)


def test_a_population_with_bad_trials(tmp_path):
    space = ("optimizer.learning_rate=0.05,0.1,1e38",)
    _, trials, _ = worked(tmp_path / "study", trials=None, sampler="grid", population=8, space=space, retries=0)
    assert [trial.state for trial in trials] == ["done", "done", "pruned"]


@pytest.mark.proof
def test_learning_rates_compile_once(tmp_path):
    import jax

    from experiments import adding

    compilations = []

    def listen(event, duration_secs, **_):
        del duration_secs
        if "backend_compile" in event:
            compilations.append(event)

    fixed = ("--length", "6", "--steps", "4", "--cell.hidden-size", "2", "--batch-size", "2", "--evaluation-size", "8")
    question = dataclasses.replace(
        asked(space=("optimizer.learning_rate=1e-3..1e-1",), trials=20), experiment="experiments.adding", fixed=fixed
    )
    study = prepare(question, study=tmp_path / "study")
    assert adding.__name__ == study.sweep.experiment
    (claim,) = study.claim(1)
    experiment = adding.build(study.space.config(claim.values))
    train(experiment, workdir=claim.folder / "seed-0", quiet=True)
    claim.release()
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        work(study.folder, told=[].append)
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert [trial.state for trial in study.trials()] == ["done"] * 20
    assert compilations == []


def test_a_database_that_is_away_is_waited_for_and_then_told(tmp_path, monkeypatch, capsys):
    study = prepare(asked(trials=1), study=tmp_path / "study")
    monkeypatch.setattr(patience_module, "FIRST", 0.01)
    real, refusals = study.optuna.get_trials, []

    def away(times):
        def get(**settings):
            if len(refusals) < times:
                refusals.append(1)
                raise optuna.exceptions.StorageInternalError("An exception is raised during the commit.")
            return real(**settings)

        return get

    monkeypatch.setattr(study.optuna, "get_trials", away(3))
    assert len(study.trials()) == 1
    assert capsys.readouterr().err.count("trying again") == 1
    refusals.clear()
    study.patience = 0.05
    monkeypatch.setattr(study.optuna, "get_trials", away(math.inf))
    with pytest.raises(
        RunError, match=r"The study's database refuses .*seconds\. Everything up to here is saved; the same"
    ):
        study.trials()


def test_a_full_disk_is_waited_for(tmp_path, monkeypatch, capsys):
    study = prepare(asked(trials=1), study=tmp_path / "study")
    monkeypatch.setattr(patience_module, "FIRST", 0.01)
    left = [1, 1]

    def full(*arguments, **settings):
        if left:
            left.pop()
            raise RunError("Cannot write the metrics") from OSError(28, "No space left on device")
        return train(*arguments, **settings)

    monkeypatch.setattr("lstm_jax.sweep.worker.train", full)
    work(study.folder, told=[].append)
    assert study.trials()[0].state == "done"
    assert "The disk refuses (No space left on device): trying again" in capsys.readouterr().err


def test_more_trials_may_be_asked_for_by_somebody_else_but_not_fewer(tmp_path):
    for sampler in ("random", "tpe"):
        study = prepare(asked(trials=2, sampler=sampler), study=tmp_path / sampler)
        prepare(asked(trials=3, sampler=sampler), study=study.folder)
        assert study.expected() == 3
        assert prepare(asked(trials=1, sampler=sampler), study=study.folder).expected() == 3
        work(study.folder, told=[].append)
        assert [trial.state for trial in study.trials()] == ["done"] * 3


def test_a_study_may_be_renamed(tmp_path):
    study = worked(tmp_path / "study", trials=2)[0]
    moved = study.folder.rename(tmp_path / "renamed")
    assert [trial.state for trial in prepare(asked(trials=2), study=moved).trials()] == ["done", "done"]
