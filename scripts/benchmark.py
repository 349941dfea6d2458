"""How fast lstm_jax is beside PyTorch, Flax, Haiku, Equinox and Keras, and near the machine's limit.

    python scripts/benchmark.py --quick                              under 3 minutes
    python scripts/benchmark.py                                      everything
    python scripts/benchmark.py --what speed --mode forward --shapes small 32,100,8,64
    python scripts/benchmark.py --what compile memory

Needs the extras experiments and peers (a framework that is not installed is left out, and named). Each framework runs
in a process of its own; all are found to agree in outputs and gradients before anything is timed; they take turns.
Writes results.json, results.md and pictures to --out. Leave the machine alone meanwhile.
"""

import argparse
import datetime as dt
import importlib.metadata
import importlib.util
import json
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import report
from benchmarks.cases import MODES, SHAPES, Case, parse_shape
from benchmarks.rounds import Timing, measure

PACKAGES = {
    "lstm_jax_cores": "jax",
    "lstm_jax_one": "jax",
    "plain_scan": "jax",
    "flax_linen": "flax",
    "flax_nnx": "flax",
    "haiku": "haiku",
    "equinox": "equinox",
    "keras_jax": "keras",
    "pytorch": "torch",
}
LAYERED = ("lstm_jax_cores", "lstm_jax_one", "pytorch")
STREAMING = ("lstm_jax_one", "pytorch")
ALONE = ("cells", "family", "options", "chunks", "memory", "compile", "scaling", "population")
WHAT = ("speed", *ALONE)
QUICK = ("small", "ptb")
DEEP = [Case((32, 100, h, h), layers=layers, both=both) for h in (128, 256) for layers, both in ((2, False), (1, True))]
STREAM = [Case((1, 1000, d, h), "stream", name=f"D {d}, H {h}") for d, h in ((32, 64), (128, 256), (512, 512))]


def main() -> None:
    """Measure what is asked for, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--what", nargs="+", choices=WHAT, metavar="WHAT", help=", ".join(WHAT))
    parser.add_argument("--mode", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--shapes", nargs="+", metavar="SHAPE", help=f"{', '.join(SHAPES)}, or B,T,D,H")
    parser.add_argument("--frameworks", nargs="+", choices=PACKAGES, metavar="NAME", help=", ".join(PACKAGES))
    parser.add_argument("--rounds", type=int, default=12, help="visits of each framework (default 12)")
    parser.add_argument("--quick", action="store_true", help="two shapes, three rounds")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "benchmark", help="default runs/benchmark")
    asked = parser.parse_args()
    try:
        shapes = dict(parse_shape(text) for text in asked.shapes or (QUICK if asked.quick else SHAPES))
    except ValueError as error:
        parser.error(str(error))
    if asked.rounds < 1:
        parser.error(f"--rounds must be at least 1, got {asked.rounds}.")
    rounds = min(asked.rounds, 3) if asked.quick else asked.rounds
    what = asked.what or (["speed"] if asked.quick else list(WHAT))
    frameworks = asked.frameworks or list(PACKAGES)
    absent = [name for name in frameworks if importlib.util.find_spec(PACKAGES[name]) is None]
    if absent:
        say(f"Not installed, and left out: {', '.join(absent)} (pip install 'lstm-jax[peers]').")
    frameworks = [name for name in frameworks if name not in absent]
    asked.out.mkdir(parents=True, exist_ok=True)

    content: dict[str, Any] = {
        "date": dt.date.today().isoformat(),
        "command": command(sys.argv[1:]),
        "environment": environment(),
        "peak_gflops": 0.0,
        "speed": {},
        "alone": {},
    }
    if "speed" in what:
        for mode in asked.mode:
            cases = [Case(shape, mode, name=name) for name, shape in shapes.items()]
            if mode == "train" and not asked.quick and not asked.shapes:
                measured(content, "train, 2 layers and bidirectional", DEEP, only(frameworks, LAYERED), rounds)
            if mode == "stream":
                cases = STREAM[: 1 if asked.quick else None]
            measured(content, mode, cases, only(frameworks, STREAMING) if mode == "stream" else frameworks, rounds)
            write(content, asked.out)  # so that nothing is lost
    for name in what:
        if name != "speed":
            say(f"{name} ...")
            content["alone"][name] = alone(name, max(2, rounds // 2))
            write(content, asked.out)
    written = write(content, asked.out)
    say((asked.out / "results.md").read_text())
    say("\n".join(f"Written: {path}" for path in written))


def command(arguments: list[str]) -> str:
    """How to measure the same; where it was written to does not matter."""
    at = arguments.index("--out") if "--out" in arguments else len(arguments)
    return shlex.join(["python", "scripts/benchmark.py", *arguments[:at], *arguments[at + 2 :]])


def only(frameworks: list[str], these: tuple[str, ...]) -> list[str]:
    """Those that can do it."""
    return [name for name in frameworks if name in these]


def measured(content: dict[str, Any], title: str, cases: list[Case], frameworks: list[str], rounds: int) -> None:
    """Add the times of these cases to what is written down."""
    if not frameworks:
        return
    found, peak = measure(cases, frameworks, rounds, say)
    content["peak_gflops"] = max(content["peak_gflops"], peak / 1e9)
    content["speed"][title] = {
        timings[0].case.label: {t.framework: summary(t, timings, peak) for t in timings} for timings in found
    }


def summary(timing: Timing, all_of_them: list[Timing], peak: float) -> dict[str, Any]:
    """A timing as it is written down; ratios are to lstm_jax."""
    told = {"shape": timing.case.shape, "steps": timing.case.shape[1], "error": timing.error}
    if timing.error:
        return told
    ours = next((t for t in all_of_them if t.framework.startswith("lstm_jax") and not t.error), timing)
    share = 0.0 if timing.case.mode == "stream" else timing.share(peak)
    return {**told, "best": timing.best, "median": timing.median, "ratio": timing.ratio(ours), "share": share}


def alone(name: str, turns: int) -> dict[str, Any]:
    """What benchmarks/alone.py measures, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.alone", name, str(turns)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{shlex.join(command)} failed; see above.")
    return json.loads(done.stdout.splitlines()[-1])


def write(content: dict[str, Any], folder: Path) -> list[Path]:
    """Figures, tables and pictures."""
    files = [folder / "results.json", folder / "results.md"]
    files[0].write_text(json.dumps(content, indent=1) + "\n")
    files[1].write_text(report.markdown(content))
    try:
        return files + report.pictures(content, folder)
    except ImportError:
        say("No pictures: matplotlib is not installed (pip install 'lstm-jax[experiments]').")
        return files


def environment() -> dict[str, str]:
    """What the figures depend on."""
    cpu = next((line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "")
    versions = {}
    for name in ("jax", "flax", "torch", "dm-haiku", "equinox", "keras"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"Python": platform.python_version(), **versions, "on": f"{cores} cores of {cpu or platform.processor()}"}


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def say(text: str) -> None:
    """To the terminal."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
