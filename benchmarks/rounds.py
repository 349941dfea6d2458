"""Frameworks timed against one another: a process each, all built and found to agree, then A B C A B C ...

Other work on a machine doubles times, and some libraries' threads go on spinning after a call: so a round visits every
framework once, with a pause before each visit, and a ratio is taken within a round.
"""

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import Case, work

ROOT = Path(__file__).parent.parent
PAUSE = 0.1
"""Seconds before each visit."""
CALLS = 3
"""Timed calls in a visit, after one that does not count."""


class Worker:
    """The process of one framework."""

    def __init__(self, framework: str) -> None:
        self.framework = framework
        command = [sys.executable, "-m", "benchmarks.worker", framework]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=ROOT,
            env=environment,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout

    def ask(self, **request: Any) -> dict[str, Any]:
        """The answer, with ``error`` where there is none."""
        try:
            self._in.write(json.dumps(request) + "\n")
            self._in.flush()
            line = self._out.readline()
        except BrokenPipeError:
            line = ""
        if line:
            return json.loads(line)
        self._log.seek(0)
        last = self._log.read().decode(errors="replace").strip().splitlines() or ["it ended without a word"]
        return {"error": last[-1][:300]}

    def close(self) -> None:
        """End the process."""
        self._in.close()
        self._process.wait()
        self._log.close()


@dataclasses.dataclass
class Timing:
    """One framework on one case."""

    framework: str
    case: Case
    seconds: list[list[float]] = dataclasses.field(default_factory=list)
    """Of every call, by round."""
    error: str = ""
    """Why there is none; or that it computed something else than the first framework."""

    @property
    def best(self) -> float:
        """The shortest call."""
        return min(min(calls) for calls in self.seconds)

    @property
    def median(self) -> float:
        """Over all calls."""
        return statistics.median(s for calls in self.seconds for s in calls)

    def ratio(self, other: "Timing") -> float:
        """How many times as long as ``other``: the median over the rounds of the ratio of their best calls."""
        pairs = zip(self.seconds, other.seconds, strict=True)
        return statistics.median(min(mine) / min(theirs) for mine, theirs in pairs)

    def share(self, peak: float) -> float:
        """Of the peak: the work's floating-point operations over what the machine does in the best time."""
        return work(self.case) / self.best / peak


def measure(
    cases: Sequence[Case], frameworks: Sequence[str], rounds: int, say: Any
) -> tuple[list[list[Timing]], float]:
    """For every case the timings by framework, and the machine's peak in FLOP/s: best of twelve, median over cases."""
    frameworks = list(frameworks)
    workers = {name: Worker(name) for name in frameworks}
    gauge, peaks = Worker("peak"), []
    try:
        found = []
        for case in cases:
            say(f"{case.mode} {case.label} {case.cell}")
            timings = _built(case, workers)
            peaks.append(max(gauge.ask(peak=12)["flops"]))
            for number in range(rounds):
                # A different one first each round: none always follows the same other one.
                order = frameworks[number % len(frameworks) :] + frameworks[: number % len(frameworks)]
                for name in order:
                    if not timings[name].error:
                        time.sleep(PAUSE)
                        answer = workers[name].ask(run=CALLS)
                        timings[name].error = answer.get("error", "")
                        timings[name].seconds.append(answer.get("seconds", []))
            found.append(list(timings.values()))
            say("  " + ", ".join(f"{t.framework} {t.error or f'{t.best * 1e3:.2f} ms'}" for t in timings.values()))
        return found, statistics.median(peaks)
    finally:
        for worker in [*workers.values(), gauge]:
            worker.close()


def _built(case: Case, workers: dict[str, Worker]) -> dict[str, Timing]:
    timings, first = {}, None
    with tempfile.TemporaryDirectory() as folder:
        for name, worker in workers.items():
            file = str(Path(folder) / f"{name}.npz")
            answer = worker.ask(build=case.to_json(), check=file)
            timings[name] = Timing(name, case, error=answer.get("error", ""))
            if not timings[name].error:
                values = dict(np.load(file))
                first = first or values
                timings[name].error = difference(values, first)
    return timings


def difference(values: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> str:
    """What differs from ``expected``, in one phrase; empty where nothing does."""
    for name, value in expected.items():
        got = values.get(name)
        size = np.abs(value).max()
        if got is None or got.shape != value.shape:
            return f"gives no {name} of shape {list(value.shape)}"
        if not np.allclose(got, value, rtol=1e-3, atol=1e-4 * size):
            return f"computes another {name}: it differs by {np.abs(got - value).max() / size:.2g} of its size"
    return ""
