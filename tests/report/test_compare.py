"""Several settings beside one another: curves in one picture, medians with intervals in a table."""

import json
import re
import shutil
import statistics

import pytest

from lstm_jax.cli import main
from lstm_jax.report.compare import compare
from lstm_jax.report.interval import half_interval
from lstm_jax.sweep import Study
from lstm_jax.train import RunError
from tests.report.made import a_run, a_study

pytest.importorskip("matplotlib")


@pytest.fixture
def seeds(tmp_path):
    """A folder of three runs by seed, and one of another learning rate."""
    for seed in range(3):
        a_run(tmp_path / "slow" / f"seed-{seed}", seed=seed)
    a_run(tmp_path / "fast", rate=0.2)
    return tmp_path


def _results(folder):
    return [json.loads(path.read_text()) for path in sorted(folder.glob("**/result.json"))]


def _rows(told):
    return {row[0]: row[1:] for line in told.splitlines() if len(row := re.split(r"  +", line.strip())) > 3}


def test_medians_intervals_and_a_picture(seeds, monkeypatch, capsys):
    monkeypatch.chdir(seeds)
    shutil.copytree("slow/seed-0", "slow/seed-0.old1")  # moved aside by --fresh: it does not count
    main(["compare", "slow", "fast"])
    told = capsys.readouterr().out
    assert told.endswith("The picture: comparison.png\n") and "Student's t" in told
    assert (seeds / "comparison.png").read_bytes().startswith(b"\x89PNG")
    rows = _rows(told)
    shutil.rmtree("slow/seed-0.old1")
    found = _results(seeds / "slow")
    scores = [result["metrics"]["mse"] for result in found]
    mean, half = statistics.fmean(scores), 4.302653 * statistics.stdev(scores) / 3**0.5
    assert rows["seeds"][0] == "median test mse"
    assert rows["slow"] == [
        "3",
        f"{statistics.median(scores):.4g}",
        f"{mean - half:.4g} to {mean + half:.4g}",
        f"{statistics.median(result['best_step'] for result in found):.0f}",
        f"{statistics.median(result['seconds'] for result in found):.1f}",
    ]
    [fast] = _results(seeds / "fast")
    assert rows["fast"][:3] == ["1", f"{fast['metrics']['mse']:.4g}", "one seed has none"]


def test_runs_that_have_not_ended_are_told_and_drawn(seeds):
    (seeds / "slow" / "seed-1" / "result.json").unlink()
    (seeds / "fast" / "result.json").unlink()
    rows = _rows(compare([seeds / "slow", seeds / "fast"], seeds / "x.png"))
    assert rows["slow"][0] == "2 (1 not finished)"
    assert "fast" not in rows  # the row has no scores
    (seeds / "fast" / "metrics.jsonl").unlink()
    with pytest.raises(RunError, match="fast holds no validation"):
        compare([seeds / "fast"], seeds / "x.png")


@pytest.mark.proof
def test_of_a_study_the_best_trial_counts(tmp_path):
    pytest.importorskip("optuna")
    pytest.importorskip("tyro")
    folder = a_study(tmp_path)
    best = min((t for t in Study(folder).trials() if t.state == "done"), key=lambda trial: trial.value)
    told = compare([folder], tmp_path / "x.png")
    assert f"{folder} is a study: its best trial, {best.number}, stands for it." in told
    [row] = [row for name, row in _rows(told).items() if name == "steps"]
    assert row[:2] == ["2", f"{best.scores['mse']:.4g}"]


def test_what_cannot_be_compared_is_refused(seeds, capsys, monkeypatch):
    monkeypatch.chdir(seeds)
    a_run(seeds / "other", name="other")
    about = json.loads((seeds / "other" / "config.json").read_text())
    a_run(seeds / "mixed" / "a")
    a_run(seeds / "mixed" / "b", noise=0.2)
    (seeds / "renamed").mkdir()
    (seeds / "renamed" / "config.json").write_text(json.dumps(about | {"experiment": "tiny", "metric": "nats"}))
    (seeds / "empty").mkdir()
    for name in ("seed-0", "again"):
        shutil.copytree(seeds / "slow" / "seed-0", seeds / "twice" / name)
    for words, sentence in (
        (["fast", "other"], "Only runs of one experiment can be compared, but fast has tiny and other has other."),
        (["fast", "renamed"], "Only runs of one metric can be compared, but fast has mse and renamed has nats."),
        (["fast", "./fast"], "A folder is named twice: name each once."),
        (
            ["mixed"],
            "mixed holds runs of different settings (a and b differ in noise): name the run folders themselves.",
        ),
        (["empty"], "empty holds no run, no study and no folders of runs: it has no config.json and no study.json."),
        (["twice"], "twice holds several runs of seed 0: name the run folders themselves."),
        ([], "lstm-jax compare: the following arguments are required: FOLDER."),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["compare", *words])
        assert stop.value.code == 2
        assert capsys.readouterr().err.strip() == sentence
    assert not (seeds / "comparison.png").exists()


def test_half_of_students_interval():
    assert half_interval([1.0, 2.0, 3.0]) == pytest.approx(4.302653 / 3**0.5)
    assert half_interval([0.0, 1.0] * 10) == pytest.approx(2.093024 * statistics.stdev([0.0, 1.0] * 10) / 20**0.5)
    assert half_interval([1.0]) != half_interval([1.0])  # NaN
