"""Checkpoints that are damaged, half written, of something else, or cannot be written."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax.train import Optimizer, RunError, train
from lstm_jax.train.checkpoint import Checkpoints, digest
from lstm_jax.train.writers import read
from tests.train.tiny import Config, experiment, losses, raising

ROOT = Path(__file__).parents[2]


def _stopped(workdir):
    """A run that was stopped after step 20, with checkpoints of the steps 18 and 20."""
    with pytest.raises(OSError, match="out of luck"):
        train(
            experiment(Config(steps=40), steps_per_call=2, stop=raising(3, lambda: OSError("out of luck"))),
            workdir=workdir,
            checkpoint_every=0,
            quiet=True,
        )
    steps = sorted(int(path.name) for path in (workdir / "checkpoints").iterdir())
    assert len(steps) == 2
    return steps


@pytest.fixture(scope="module")
def whole():
    return train(experiment(steps_per_call=2), quiet=True)


def _files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)


def _cut(folder):
    for path in _files(folder / "saved"):
        os.truncate(path, path.stat().st_size // 2)


def _empty(folder):
    shutil.rmtree(folder / "saved")


def _flip(folder):
    """One bit of the largest file: the arrays themselves."""
    path = max(_files(folder / "saved" / "d"), key=lambda path: path.stat().st_size)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _no_meta(folder):
    for path in _files(folder / "meta"):
        path.write_text("{")


@pytest.mark.parametrize("damage", [_cut, _empty, _flip, _no_meta])
def test_a_damaged_checkpoint_is_told_and_the_one_before_it_used(tmp_path, whole, capfd, damage):
    earlier, last = _stopped(tmp_path)
    damage(tmp_path / "checkpoints" / str(last))
    resumed = train(experiment(steps_per_call=2), workdir=tmp_path)
    told = capfd.readouterr().err
    assert f"The checkpoint of step {last} is damaged (" in told
    assert f"going on on 4 devices after step {earlier}" in told or f"going on after step {earlier}" in told
    assert "Traceback" not in told
    assert losses(resumed.history) == losses(whole.history)
    assert resumed.metrics == whole.metrics
    assert (tmp_path / "damaged" / str(last)).is_dir()


def test_when_none_can_be_read_nothing_is_touched(tmp_path):
    steps = _stopped(tmp_path)
    for step in steps:
        _cut(tmp_path / "checkpoints" / str(step))
    before = read(tmp_path)
    with pytest.raises(RunError, match=r"No checkpoint in .* can be read\. .*Start over with --fresh") as error:
        train(experiment(steps_per_call=2), workdir=tmp_path, quiet=True)
    assert all(f"step {step} is damaged" in str(error.value) for step in steps)
    assert read(tmp_path) == before
    fresh = train(experiment(steps_per_call=2), workdir=tmp_path, fresh=True, quiet=True)
    assert fresh.steps == 40
    assert read(tmp_path.with_name(f"{tmp_path.name}.old1")) == before


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"optimizer": Optimizer("momentum")}, r"state\.opt_state\.\S+ is nothing there and float32\[3\] here"),
        (
            {"init": lambda key: {"w": jnp.zeros(3, jnp.bfloat16)}},
            r"state\.params\.w is float32\[3\] there and bfloat16\[3\] here",
        ),
        ({"init": lambda key: {"v": jnp.zeros(3)}}, r"state\.params\.v is nothing there and float32\[3\] here"),
    ],
)
def test_a_checkpoint_of_something_else_names_the_first_array_that_differs(tmp_path, settings, what):
    _stopped(tmp_path)
    with pytest.raises(RunError, match=f"is of another model or optimiser: {what}"):
        train(experiment(evaluate=lambda params, key: {"mse": 0.0}, **settings), workdir=tmp_path, quiet=True)


def test_everything_round_trips(tmp_path):
    saved = {
        "typed": jax.random.key(3),
        "other": jax.random.key(3, impl="rbg"),
        "bits": jnp.asarray([True, False]),
        "half": jnp.asarray([1.5], jnp.bfloat16),
        "host": np.asarray(7, np.int32),
        "odd": jnp.asarray([jnp.nan, -jnp.inf, -0.0]),
        "empty": jnp.zeros((0, 3)),
    }
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        checkpoints.save(3, saved, {"seconds": 1.5})
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        restored = checkpoints.restore(saved)
    assert digest(restored.saved) == digest(saved)
    assert restored.meta["seconds"] == 1.5
    assert [str(leaf.dtype) for leaf in jax.tree.leaves(restored.saved)] == [
        str(leaf.dtype) for leaf in jax.tree.leaves(saved)
    ]
    assert restored.saved["empty"].shape == (0, 3)


FULL = """
import resource, signal, sys
from lstm_jax.train import RunError, train
from tests.train.tiny import Config, experiment
train(experiment(Config(steps=40)), workdir=sys.argv[1], checkpoint_every=0, quiet=True)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as a full disk does, every write beyond the limit now fails
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    train(experiment(Config(steps=80)), workdir=sys.argv[1], checkpoint_every=0, quiet=True)
except RunError as error:
    print(error)
"""


@pytest.mark.parametrize(("limit", "what"), [(4096, "Cannot write the metrics"), (0, "Cannot write the run folder")])
def test_a_full_disk_is_one_sentence_and_nothing_is_lost(tmp_path, limit, what):
    command = [sys.executable, "-c", FULL, str(tmp_path), str(limit)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XLA_FLAGS": ""}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(what), done.stdout
    assert len(done.stdout.splitlines()) == 1
    resumed = train(experiment(Config(steps=80)), workdir=tmp_path, quiet=True)
    whole = train(experiment(Config(steps=80)), quiet=True)
    np.testing.assert_allclose(losses(resumed.history), losses(whole.history), rtol=1e-4)


def test_a_checkpoint_that_cannot_be_written_is_one_sentence(tmp_path, monkeypatch):
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        checkpoints.save(1, {"w": jnp.zeros(3)}, {})
        checkpoints.wait()
        monkeypatch.setattr(checkpoints._manager, "save", _no_space)
        with pytest.raises(RunError, match=r"Cannot save a checkpoint in .* \(No space left\); that of step 1 is good"):
            checkpoints.save(2, {"w": jnp.zeros(3)}, {})


def _no_space(*args, **kwargs):
    raise ValueError("No space left\nand fifty lines more")
