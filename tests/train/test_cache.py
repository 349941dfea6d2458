"""The persistent compilation cache: on by default, found by a second process, switched off by JAX's own setting."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = """
import jax
hits = []
jax.monitoring.register_event_listener(lambda event, **_: hits.append(event) if "cache_hits" in event else None)
jax.jit(lambda x: x + 1)(1.0)  # something is compiled before the cache is on
from lstm_jax.train import train
from tests.train.recurrent import experiment
result = train(experiment(steps=2), quiet=True)
print(len(hits), result.metrics["mse"].hex())
"""


def _run(home, **environment):
    command = [sys.executable, "-c", SCRIPT]
    unset = {"JAX_ENABLE_COMPILATION_CACHE", "JAX_COMPILATION_CACHE_DIR", "XLA_FLAGS", "XDG_CACHE_HOME"}
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    environment = kept | {"PYTHONPATH": str(ROOT), "HOME": str(home)} | environment
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    hits, score = done.stdout.split()
    return int(hits), score


def test_a_second_process_finds_what_the_first_one_compiled(tmp_path):
    hits, score = _run(tmp_path)
    assert hits == 0
    [folder] = (tmp_path / ".cache" / "lstm_jax").iterdir()
    assert list(folder.iterdir())
    again, same = _run(tmp_path)
    assert again >= 3  # init, advance, evaluate
    assert same == score


@pytest.mark.proof
def test_it_is_off_where_jax_is_told_so(tmp_path):
    assert _run(tmp_path, JAX_ENABLE_COMPILATION_CACHE="false")[0] == 0
    assert not (tmp_path / ".cache").exists()


@pytest.mark.proof
def test_a_home_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / ".cache").write_text("")
    assert _run(tmp_path)[0] == 0
