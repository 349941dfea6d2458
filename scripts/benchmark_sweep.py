"""How long a sweep takes, and what a population of 16 gains: prints what docs/sweeps.md tells under "Measured".

    python scripts/benchmark_sweep.py               some minutes, on a machine that does nothing else
    python scripts/benchmark_sweep.py --what sweep

Sweep: 40 random trials of adding (T = 100, 500 steps, three sizes, LSTM and GRU), a worker for each core, nothing in
the compilation cache. Population: 16 learning rates of one LSTM, as 16 processes, one on each core at a time; as one
population of 16 on one core; and as a population on each core.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
STEPS = 500
SIZES = ((100, 32),)
"""T and H of the populations."""


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--what", nargs="+", choices=("sweep", "population"), default=("sweep", "population"))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if "sweep" in asked.what:
            measure_sweep(Path(folder))
        if "population" in asked.what:
            for length, hidden in SIZES:
                measure_population(Path(folder), length, hidden)


def run(arguments: list[str], folder: Path, core: int | None = None) -> "subprocess.Popen[bytes]":
    """Start ``lstm-jax`` with a compilation cache of its own."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "lstm_jax", *arguments], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(process.pid, {core})
    return process


def finished(process: "subprocess.Popen[bytes]") -> None:
    """Wait for it."""
    if process.wait():
        sys.exit(f"{process.args} failed.")


def results(folder: Path) -> list[dict]:
    """All results in a folder."""
    return [json.loads(path.read_text()) for path in sorted(folder.rglob("result.json"))]


def measure_sweep(folder: Path) -> None:
    """Forty trials."""
    study = folder / "forty"
    space = ["optimizer.learning_rate=log:1e-4..1e-1", "cell.hidden_size=32,64,128", "cell=lstm,gru"]
    flags = ["--sampler", "random", "--trials", "40", "--workers", str(len(CORES)), "--study", str(study)]
    begun = time.monotonic()
    finished(
        run(
            ["sweep", "experiments.adding", "--space", *space, *flags, "--", "--length", "100", "--steps", str(STEPS)],
            folder,
        )
    )
    seconds = time.monotonic() - begun
    found = results(study)
    inside = sum(result["seconds"] - result["compile_seconds"] for result in found)
    compiling = sum(result["compile_seconds"] for result in found)
    print(
        f"40 trials of adding, T = 100, up to {STEPS} steps, {len(CORES)} workers: {seconds / 60:.1f} minutes, "
        f"{sum(result['steps'] for result in found)} steps; of the core time {inside / seconds / len(CORES):.0%} "
        f"in training and validation, {compiling / seconds / len(CORES):.0%} in tracing and compiling."
    )


def measure_population(folder: Path, length: int, hidden: int) -> None:
    """Sixteen runs, three ways."""
    rates = [1e-4 * 1000 ** (number / 15) for number in range(16)]
    # At most so many steps: with a bar that no rate meets in them, all runs are of one length.
    fixed = ["--length", str(length), "--cell.hidden-size", str(hidden), "--steps", "200", "--evaluation-size", "100"]
    name = f"{length}-{hidden}"
    warm = run(["run", "experiments.adding", *fixed, "--workdir", str(folder / name / "warm")], folder)
    finished(warm)

    begun, waiting, running = time.monotonic(), list(enumerate(rates)), {}
    while waiting or running:
        for core in [core for core in CORES if core not in running and waiting]:
            number, rate = waiting.pop(0)
            flags = ["--optimizer.learning-rate", repr(rate), "--workdir", str(folder / name / f"lone-{number}")]
            running[core] = run(["run", "experiments.adding", *fixed, *flags], folder, core)
        time.sleep(0.02)
        for core, process in list(running.items()):
            if process.poll() is not None:
                finished(running.pop(core))
    told = {"16 processes": time.monotonic() - begun}

    listed = ",".join(map(repr, rates))
    for label, workers in (
        ("a population of 16, one core", 1),
        (f"{len(CORES)} workers, populations of 8", len(CORES)),
    ):
        study = folder / name / f"study-{workers}"
        flags = [
            "--sampler",
            "grid",
            "--workers",
            str(workers),
            "--population",
            str(16 // workers),
            "--study",
            str(study),
        ]
        sweep = ["sweep", "experiments.adding", "--space", f"optimizer.learning_rate={listed}", *flags, "--", *fixed]
        begun = time.monotonic()
        finished(run(sweep, folder))
        told[label] = time.monotonic() - begun
    for label, seconds in told.items():
        rate = f"{16 * 200 / seconds:.0f} steps/s"
        print(f"T = {length}, H = {hidden}, 16 runs of 200 steps, {label}: {seconds:.0f} s, {rate}")


if __name__ == "__main__":
    main()
