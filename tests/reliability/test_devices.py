"""One run on several devices and in several processes: the same numbers as on one, and one folder for all."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from lstm_jax import load_run
from lstm_jax.train import train
from lstm_jax.train.writers import read
from tests.train.recurrent import experiment
from tests.train.tiny import losses

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.xdist_group("devices")


def _start(workdir, *arguments):
    command = [sys.executable, "tests/train/distributed.py", str(workdir), *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE)


def _finish(*processes):
    for process in processes:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said.decode()


def _free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The same hundred steps on 1, 2 and 8 devices, and on 2 x 2 in two processes."""
    folder = tmp_path_factory.mktemp("devices")
    _finish(*(_start(folder / str(devices), devices) for devices in (1, 2, 8)))
    port = _free_port()
    _finish(*(_start(folder / "processes", 2, 2, index, port) for index in range(2)))
    return {name: folder / name for name in ("1", "2", "8", "processes")}


@pytest.mark.parametrize("name", ["2", "8", "processes"])
def test_the_same_losses_as_on_one_device(runs, name):
    expected, got = (np.array(losses(read(runs[key]))) for key in ("1", name))
    assert len(expected) == 100
    np.testing.assert_allclose(got, expected, rtol=1e-4)
    results = [json.loads((runs[key] / "result.json").read_text()) for key in ("1", name)]
    np.testing.assert_allclose(results[1]["metrics"]["mse"], results[0]["metrics"]["mse"], rtol=1e-4)
    assert results[1]["device"].startswith({"2": "2 x", "8": "8 x", "processes": "4 x"}[name])


@pytest.mark.parametrize("name", ["1", "8", "processes"])
def test_a_checkpoint_is_restored_on_any_number_of_devices(runs, name):
    """The suite's process has four."""
    result = train(experiment(), workdir=runs[name], quiet=True)
    assert result.steps == 100
    run = load_run(runs[name], experiment())
    for one, other in zip(jax.tree.leaves(run.params), jax.tree.leaves(result.params), strict=True):
        np.testing.assert_array_equal(one, other)
        assert len(one.devices()) == 1
    longer = train(experiment(steps=130), workdir=runs[name], quiet=True)
    assert [step for step, *_ in losses(longer.history)] == list(range(1, 131))
