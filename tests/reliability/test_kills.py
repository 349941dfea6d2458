"""A run that is killed again and again, at random instants and in the middle of saving, ends with the same bits.

KILLS says how often (3 in CI, 50 in scripts/nightly). Not part of scripts/test.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from lstm_jax.train.writers import read

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("KILLS", "3"))
COMMAND = [sys.executable, "-m", "experiments.adding", "--length", "12", "--cell.hidden-size", "8", "--batch-size", "8"]
COMMAND += ["--optimizer.learning-rate", "1e-6", "--evaluation-size", "50", "--cores", "2", "--checkpoint-every", "0.1"]
# At this rate it never solves the task, and so never ends early.
TIMES = {"seconds"}


def _start(workdir: Path, steps: int, cache: Path) -> subprocess.Popen:
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "XLA_FLAGS": "",
        "JAX_ENABLE_COMPILATION_CACHE": "true",
        "JAX_COMPILATION_CACHE_DIR": str(cache),
    }
    command = [*COMMAND, "--steps", str(steps), "--workdir", str(workdir)]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def _saving(workdir: Path) -> bool:
    folder = workdir / "checkpoints"
    return folder.is_dir() and any("tmp" in path.name for path in folder.iterdir())


def _last_step(workdir: Path) -> int:
    path = workdir / "metrics.jsonl"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return json.loads(lines[-1])["step"] if lines else 0


def _records(workdir: Path) -> list[dict]:
    return [{name: value for name, value in record.items() if name not in TIMES} for record in read(workdir)]


def _kill_once(process: subprocess.Popen, workdir: Path, reached: int, draw: random.Random) -> str:
    """Wait for something new, and then for a random moment or, every other time, for a save that is under way."""
    deadline = time.monotonic() + 120
    while process.poll() is None and _last_step(workdir) <= reached and time.monotonic() < deadline:
        time.sleep(0.01)
    mid_save = draw.random() < 0.5
    if mid_save:
        while process.poll() is None and not _saving(workdir) and time.monotonic() < deadline:
            pass
    else:
        time.sleep(draw.uniform(0, 1.0))
    found = "mid-save" if _saving(workdir) else "running"
    process.kill()
    said = process.communicate()[1]
    assert process.returncode == -signal.SIGKILL, f"it ended before it was killed: {said}"
    return found


def test_killed_again_and_again(tmp_path):
    draw, cache = random.Random(0), tmp_path / "cache"
    steps = 1500 * KILLS
    whole = _start(tmp_path / "whole", steps, cache)
    said = whole.communicate(timeout=1200)[1]
    assert whole.returncode == 0, said

    killed, reached = [], 0
    for _ in range(KILLS):
        process = _start(tmp_path / "killed", steps, cache)
        killed.append(_kill_once(process, tmp_path / "killed", reached, draw))
        reached = _last_step(tmp_path / "killed")
    last = _start(tmp_path / "killed", steps, cache)
    said = last.communicate(timeout=1200)[1]
    assert last.returncode == 0, said

    print(
        f"{len(killed)} kills, {killed.count('mid-save')} of them while a checkpoint was being written, up to {reached}"
    )
    assert killed.count("mid-save") >= KILLS // 5
    assert _records(tmp_path / "killed") == _records(tmp_path / "whole")
    results = [json.loads((tmp_path / name / "result.json").read_text()) for name in ("whole", "killed")]
    for name in ("metrics", "steps", "best_step", "solved", "stopped", "sequences"):
        assert results[0][name] == results[1][name]
