"""Runs what results/lines.toml and results/applications.toml list, and writes what came out beside what is published.

    python scripts/reproduce.py                              the quick lines, one seed each: 30 minutes at most
    python scripts/reproduce.py --budget full                every line that needs no GPU, with all its seeds: hours
    python scripts/reproduce.py --only adding-200 'chrono-*' these lines, with all their seeds
    python scripts/reproduce.py --missing                    the seeds that results/ lacks, of every line without a GPU
    python scripts/reproduce.py --list

One run on each core at a time, each in a process of its own and in a folder under --runs. Stopped and started again, it
goes on where it was. Writes results/NAME.json, pictures of the runs that lie there, results/README.md, and the table of
docs/applications.md; `--write` does that alone. Seeds that were run elsewhere keep what is written of them.
"""

import argparse
import fnmatch
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from results_lines import BUDGETS, Line, read_lines

CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


@dataclass(frozen=True)
class Job:
    """A line and a seed."""

    line: Line
    seed: int
    folder: Path

    @property
    def finished(self) -> bool:
        """Whether it has a result."""
        return (self.folder / "result.json").exists()

    def start(self, core: int) -> subprocess.Popen:
        """Run it in a process of its own, on one core."""
        self.folder.mkdir(parents=True, exist_ok=True)
        shown = [os.path.expandvars(word) for word in shlex.split(self.line.command.replace("{seed}", str(self.seed)))]
        command = [sys.executable, *shown[1:], "--seed", str(self.seed), "--workdir", str(self.folder)]

        with (self.folder / "log.txt").open("a", encoding="utf-8") as log:
            environment = os.environ | {"OMP_NUM_THREADS": "1"}
            if self.line.budget != "gpu":  # one core each; an accelerator is not to be shared out
                environment["JAX_PLATFORMS"] = "cpu"
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,  # Ctrl-C reaches it once, from here
            )
        if CORES and self.line.budget != "gpu":  # before it has imported JAX, which looks at how many cores it may use
            os.sched_setaffinity(process.pid, {CORES[core]})
        return process


def main() -> None:
    """Run what is asked for, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="lines by name; * stands for anything")
    parser.add_argument("--seeds", type=int, help="seeds 0 to N - 1 of each line")
    parser.add_argument("--budget", choices=BUDGETS, help="default quick; with --only or --missing, what needs no GPU")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "reproduce", help="default runs/reproduce")
    parser.add_argument("--missing", action="store_true", help="only seeds that results/ has no result of")
    parser.add_argument("--list", action="store_true", help="list the lines")
    parser.add_argument("--write", action="store_true", help="run nothing, write down what there is")
    asked = parser.parse_args()
    if asked.seeds is not None and asked.seeds < 1:
        parser.error(f"--seeds must be at least 1, got {asked.seeds}.")
    try:
        lines = read_lines()
    except ValueError as error:
        fail(str(error))
    for name in asked.only or []:
        if not any(fnmatch.fnmatch(line.name, name) for line in lines):
            parser.error(f"there is no line {name!r}; --list lists them, and * stands for anything.")
    full = asked.only or asked.missing
    budget = asked.budget or ("full" if full else "quick")
    wanted = {"quick": ("quick",), "full": ("quick", "full"), "gpu": ("gpu",)}[budget]
    named = [line for line in lines if not asked.only or any(fnmatch.fnmatch(line.name, name) for name in asked.only)]
    chosen = [line for line in named if line.budget in wanted]
    if not chosen:
        parser.error(f"{named[0].name} is of the budget {named[0].budget}: add --budget {named[0].budget}.")
    for line in [line for line in chosen if "$" in os.path.expandvars(line.command) and not asked.list]:
        print(f"{line.name} is left out: set the variable in {line.command}")
        chosen.remove(line)
    one_seed = not full and budget == "quick"
    counts = {line.name: asked.seeds or (1 if one_seed else line.seeds) for line in chosen}
    # All first seeds before all second ones: stopped early, every line has something.
    ordered = sorted((seed, place) for place, line in enumerate(chosen) for seed in range(counts[line.name]))
    jobs = [Job(chosen[place], seed, chosen[place].folder(asked.runs, seed)) for seed, place in ordered]
    from results_page import recorded, write

    if asked.missing:
        jobs = [job for job in jobs if job.seed not in recorded(job.line, ROOT / "results")]
    if asked.list:
        for line in chosen if full or asked.budget else lines:
            seeds = [str(job.seed) for job in jobs if job.line is line] if full or asked.budget else range(line.seeds)
            if seeds:
                print(f"{line.name:40} {line.budget:6} seeds {' '.join(map(str, seeds)):12} {line.command}")
        return
    if not asked.write:
        run(jobs)
    write(lines, asked.runs, ROOT / "results")


def run(jobs: list[Job]) -> None:
    """Run the jobs, one on each core; Ctrl-C and SIGTERM stop them all, saved."""
    cores = 1 if any(job.line.budget == "gpu" for job in jobs) else max(1, len(CORES))
    waiting = [job for job in jobs if not job.finished]
    print(f"{len(jobs)} runs, {len(jobs) - len(waiting)} of them done; {cores} at a time.", flush=True)
    running: dict[int, tuple[Job, subprocess.Popen]] = {}
    done = len(jobs) - len(waiting)
    # Also where it was started in the background, where Ctrl-C is ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        while waiting or running:
            for core in [core for core in range(cores) if core not in running]:
                if waiting:
                    job = waiting.pop(0)
                    running[core] = job, job.start(core)
            time.sleep(0.2)
            for core, (job, process) in list(running.items()):
                if process.poll() is None:
                    continue
                del running[core]
                done += 1
                print(f"[{done}/{len(jobs)}] {job.line.name} seed {job.seed}: {outcome(job, process)}", flush=True)
    except KeyboardInterrupt:
        fail("Stopped; the same command goes on.", 130)
    finally:
        for _, process in running.values():
            process.send_signal(signal.SIGINT)
        for _, process in running.values():
            process.wait()


def outcome(job: Job, process: subprocess.Popen) -> str:
    """How a run ended, in a few words; a failure is kept beside its log."""
    result = read_result(job.folder)
    if result is not None:
        (job.folder / "failed.txt").unlink(missing_ok=True)
        score = result["metrics"].get(job.line.score, float("nan"))
        solved = {True: "solved", False: "not solved", None: "finished"}[result["solved"]]
        return f"{solved}, {job.line.score} {score:.4g}, {result['seconds'] / 60:.1f} min"
    log = (job.folder / "log.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    reason = log[-1] if log else "no output"
    reason = f"exit code {process.returncode}: {reason}"
    (job.folder / "failed.txt").write_text(reason + "\n", encoding="utf-8")
    return f"failed, {reason}"


def read_result(folder: Path) -> dict[str, Any] | None:
    """The content of result.json, if the run is finished."""
    path = folder / "result.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def fail(sentence: str, code: int = 2) -> NoReturn:
    """End with a sentence."""
    sys.stderr.write(sentence + "\n")
    raise SystemExit(code)


if __name__ == "__main__":
    main()
