"""Training on a CSV file on the disk needs no more memory for a file of gigabytes than for one of 20 MB.

LARGE_CSV_MB says how large the file is (200 MB by default, 2000 in scripts/nightly, which takes some minutes). Not part
of scripts/test.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("grain")
ROOT = Path(__file__).parents[2]
MEGABYTES = int(os.environ.get("LARGE_CSV_MB", "200"))
ALLOWED = 100  # MB beyond the small file's run
RUN = """
import sys
from pathlib import Path
from experiments.stream_forecast import Config, build
from lstm_jax.train import train
config = Config(csv=sys.argv[1], column="load", inputs=("price",), steps=300, evaluate_every=100, held_out=500)
train(build(config), workdir=sys.argv[2], quiet=True)
status = Path("/proc/self/status").read_text()
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
"""


def _write(path: Path, megabytes: int) -> None:
    """The same hundred thousand rows again and again."""
    rows = np.arange(100_000)
    load = 50 + 10 * np.sin(2 * np.pi * rows / 24) + np.random.default_rng(0).normal(size=len(rows))
    price = load**2 / 100
    block = "".join(f"day {row:06},{a:.6f},{b:.6f}\n" for row, a, b in zip(rows, load, price, strict=True)).encode()
    with path.open("wb") as file:
        file.write(b"time,load,price\n")
        while file.tell() < megabytes * 1e6:
            file.write(block)


def _peak(path: Path, workdir: Path) -> float:
    """The most memory in MB that the run of a process of its own held, not of the one that started it."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XLA_FLAGS": "", "JAX_ENABLE_COMPILATION_CACHE": "false"}
    command = [sys.executable, "-c", RUN, str(path), str(workdir)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads((workdir / "result.json").read_text())["steps"] == 300
    return int(done.stdout.split()[-1]) / 1000


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process's own peak of memory")
def test_memory_does_not_grow_with_the_file(tmp_path):
    peaks = {}
    for megabytes in (20, MEGABYTES):
        path = tmp_path / "large.csv"
        _write(path, megabytes)
        peaks[megabytes] = _peak(path, tmp_path / str(megabytes))
        path.unlink()
    print(", ".join(f"{megabytes} MB: at most {peak:.0f} MB of memory" for megabytes, peak in peaks.items()))
    assert peaks[MEGABYTES] < peaks[20] + ALLOWED
