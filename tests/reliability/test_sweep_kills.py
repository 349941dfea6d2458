"""A sweep whose launcher and workers are killed at random ends as one that nothing has disturbed.

ROUNDS says how often (1 in CI, 10 in scripts/nightly). Not part of scripts/test.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lstm_jax.sweep import Study

pytest.importorskip("optuna")

ROOT = Path(__file__).parents[2]
ROUNDS = int(os.environ.get("ROUNDS", "1"))
WORKERS, TRIALS = 4, 4 if ROUNDS == 1 else 8
COMMAND = [sys.executable, "-m", "lstm_jax", "sweep", "experiments.adding", "--space", "cell=lstm,gru"]
COMMAND += ["optimizer.learning_rate=log:1e-7..1e-6", "--sampler", "random", "--trials", str(TRIALS)]
COMMAND += ["--workers", str(WORKERS), "--checkpoint-every", "0.2", "--retries", "20"]
# At these rates it never solves the task, and so never ends early.
FIXED = ["--length", "12", "--cell.hidden-size", "8", "--batch-size", "8", "--evaluation-size", "50"]


def _start(folder: Path, cache: Path) -> subprocess.Popen:
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "XLA_FLAGS": "",
        "JAX_ENABLE_COMPILATION_CACHE": "true",
        "JAX_COMPILATION_CACHE_DIR": str(cache),
    }
    command = [*COMMAND, "--study", str(folder), "--", *FIXED, "--steps", str(2000 + 1000 * ROUNDS)]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _workers(folder: Path) -> list[int]:
    """The processes that work on a study."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode().split("\0")
        except OSError:  # it has ended
            continue
        if "--join" in words and str(folder) in words:
            found.append(int(process.name))
    return sorted(found)


def _steps(folder: Path) -> int:
    """How many records all runs have written."""
    return sum(path.read_bytes().count(b"\n") for path in folder.glob("trials/*/seed-0/metrics.jsonl"))


def _wait_until(condition, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)


def _results(folder: Path) -> dict[str, dict]:
    names = ("config", "seed", "metrics", "validation", "steps", "best_step", "stopped")
    found = {}
    for path in sorted(folder.glob("trials/*/seed-0/result.json")):
        result = json.loads(path.read_text())
        found[path.parts[-3]] = {name: result[name] for name in names}
    return found


def test_a_sweep_killed_again_and_again(tmp_path):
    draw, cache = random.Random(1), tmp_path / "cache"
    whole = _start(tmp_path / "whole", cache)
    told, said = whole.communicate(timeout=1500)
    assert whole.returncode == 0, said
    assert f"{TRIALS}/{TRIALS} trials, {TRIALS} done" in told

    folder, killed = tmp_path / "killed", 0
    for _ in range(ROUNDS):
        launcher, before = _start(folder, cache), _steps(folder)
        _wait_until(
            lambda before=before, launcher=launcher: _steps(folder) > before or launcher.poll() is not None, 120
        )
        time.sleep(draw.uniform(0, 3))
        workers = _workers(folder)
        victims = draw.sample(workers, (len(workers) + 1) // 2)
        assert launcher.poll() is None and victims, "it ended before it was killed"
        for process in draw.sample([launcher.pid, *victims], len(victims) + 1):
            os.kill(process, signal.SIGKILL)
            killed += 1
        launcher.communicate()
        _wait_until(lambda: not _workers(folder), 60)  # those that are left save, and end
        assert not _workers(folder)
    assert any(trial.state in ("waiting", "stopped") for trial in Study(folder).trials())
    last = _start(folder, cache)
    told, said = last.communicate(timeout=1500)
    assert last.returncode == 0, said
    print(f"{ROUNDS} rounds, {killed} processes killed")

    study = Study(folder)
    states = [trial.state.name for trial in study.frozen()]
    assert states == ["COMPLETE"] * TRIALS
    assert _results(folder) == _results(tmp_path / "whole")
    ours, theirs = ([(t.values, t.value) for t in Study(tmp_path / name).trials()] for name in ("killed", "whole"))
    assert ours == theirs


def test_ctrl_c_stops_a_sweep_within_seconds(tmp_path):
    folder = tmp_path / "study"
    launcher = _start(folder, tmp_path / "cache")
    _wait_until(lambda: _steps(folder) > 100 or launcher.poll() is not None, 120)
    begun = time.monotonic()
    launcher.send_signal(signal.SIGINT)
    _, said = launcher.communicate(timeout=60)
    assert launcher.returncode == 130, said
    assert "Stopped, everything saved in" in said and "the same command goes on" in said
    assert "Traceback" not in said
    assert time.monotonic() - begun < 30
    assert not _workers(folder)
    trials = Study(folder).trials()
    assert "stopped" in {trial.state for trial in trials}
    assert all(t.user_attrs["attempt"]["released"] for t in Study(folder).frozen() if t.state.name == "RUNNING")
