"""Workers as an array of SLURM jobs, with a program in sbatch's place."""

import os
import subprocess
from pathlib import Path

import pytest

from lstm_jax.sweep.command import sweep_command
from lstm_jax.sweep.study import Study
from lstm_jax.train import RunError

pytest.importorskip("tyro")
pytest.importorskip("optuna")

LINE = str(Path(__file__).with_name("line.py"))
ROOT = Path(__file__).parents[2]


def _command(folder, *more):
    space = ["--space", "optimizer.learning_rate=0.01,0.1", "--sampler", "grid"]
    return [LINE, *space, "--study", str(folder), "--slurm", *more]


def _stub(folder, script):
    path = folder / "bin" / "sbatch"
    path.parent.mkdir()
    path.write_text(f"#!/bin/bash\n{script}\n")
    path.chmod(0o755)
    return f"{path.parent}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.proof
def test_the_script_is_handed_in_and_runs_a_worker(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", _stub(tmp_path, f'cp "$1" {tmp_path}/handed-in; echo "Submitted batch job 7"'))
    study = tmp_path / "a study".replace(" ", "-")
    told = sweep_command(_command(study, "--workers", "3", "--slurm-options=--time=1:00:00", "--", "--steps", "10"))
    assert told.startswith("Submitted batch job 7\nHow it stands: lstm-jax sweep --status")
    text = (tmp_path / "handed-in").read_text()
    for line in ("--array=0-2", "--cpus-per-task=1", "--requeue", "--signal=TERM@60", "--time=1:00:00"):
        assert f"#SBATCH {line}\n" in text
    assert "exec " in text and f"--join {study}" in text
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    script = ["bash", tmp_path / "handed-in"]
    done = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [trial.state for trial in Study(study).trials()] == ["done", "done"]


def test_what_sbatch_refuses_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", _stub(tmp_path, 'echo "sbatch: error: invalid partition" >&2; exit 1'))
    with pytest.raises(RunError, match=r"sbatch refuses: sbatch: error: invalid partition\. Its script is"):
        sweep_command(_command(tmp_path / "study"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        RunError, match=r"There is no sbatch here: on a machine of the cluster, sbatch .*workers\.sbatch"
    ):
        sweep_command(_command(tmp_path / "study"))
