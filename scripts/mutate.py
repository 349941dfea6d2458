"""Puts one mistake at a time into a copy of the checkout and looks whether the tests notice it.

    python scripts/mutate.py                  all mutants of scripts/mutants/
    python scripts/mutate.py --only NAME ...  some
    python scripts/mutate.py --list           their names, files and tests; runs nothing

Runs in an environment with the extras experiments and test (scripts/nightly makes one), on the CPU, two workers with a
copy each. First the named tests must pass without any mutant. Then for each mutant pytest runs its tests, and the table
says: killed (a test failed, as it should), SURVIVED (none did: the suite is blind there), or ERROR (pytest could not
run them). Exit status: 0 where all were killed, 1 where one survived or could not be judged, 2 where nothing could be
judged. On 2 cores: 3 minutes, twice that where they are busy.
"""

import argparse
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from mutants import MUTANTS, Mutant

CHECKOUT = Path(__file__).resolve().parent.parent
WORKERS = 2
TIMEOUT = 300  # seconds for one mutant, which needs about 10
PASSED, FAILED = 0, 1  # pytest's exit status; any other means that it did not get to judge


def copy_checkout(folder: Path) -> Path:
    """The checkout without what tools and runs left in it."""

    def left_behind(parent: str, names: list[str]) -> set[str]:
        environments = {name for name in names if (Path(parent) / name / "pyvenv.cfg").exists()}
        return environments | {name for name in names if name.startswith(".") or name in {"__pycache__", "runs"}}

    return Path(shutil.copytree(CHECKOUT, folder, ignore=left_behind))


def run_tests(folder: Path, tests: Iterable[str], *options: str, timeout: float | None = TIMEOUT) -> tuple[int, str]:
    """Pytest's exit status and what it said, in a copy; -1 where it did not come to an end."""
    # No bytecode: it goes by a file's size and time in whole seconds, which a mutant may share with its predecessor.
    settings = {
        "JAX_PLATFORMS": "cpu",
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(folder),
    }
    environment = {k: v for k, v in os.environ.items() if k != "PYTEST_ADDOPTS"} | settings
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--hypothesis-profile=unshrunk",
        *options,
        *tests,
    ]
    try:
        done = subprocess.run(
            command, check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout
        )
    except subprocess.TimeoutExpired:
        return -1, f"no end after {timeout:.0f} s"
    return done.returncode, done.stdout + done.stderr


def judge(folder: Path, mutant: Mutant) -> tuple[str, float, str]:
    """Put the mistake into the copy, run its tests there, take it out: verdict, seconds, and what there is to say."""
    file = folder / mutant.file
    original = file.read_text(encoding="utf-8")
    start = time.perf_counter()
    file.write_text(mutant.apply(original), encoding="utf-8")
    try:
        status, said = run_tests(folder, mutant.tests, "-x")
    finally:
        file.write_text(original, encoding="utf-8")
    seconds = time.perf_counter() - start
    if status == FAILED:
        return "killed", seconds, ""
    if status == PASSED:
        return "SURVIVED", seconds, f"{mutant.file}: {mutant.text!r} as {mutant.replacement!r} passes {mutant.tests}"
    return "ERROR", seconds, said


def check_unmutated(folders: list[Path], mutants: list[Mutant]) -> None:
    """Stop where a test fails by itself: it would kill everything."""
    tests = sorted({test for mutant in mutants for test in mutant.tests})
    shares = [share for share in (tests[k :: len(folders)] for k in range(len(folders))) if share]
    start = time.perf_counter()
    with ThreadPoolExecutor(len(folders)) as pool:
        done = list(pool.map(lambda folder, share: run_tests(folder, share, timeout=None), folders, shares))
    for status, said in done:
        if status != PASSED:
            print(f"{said}\nThe tests must pass without any mutant, and did not.", file=sys.stderr)
            sys.exit(2)
    print(f"{len(tests)} tests pass without any mutant, {time.perf_counter() - start:.0f} s", flush=True)


def judge_all(mutants: list[Mutant]) -> bool:
    """Print the table; whether every mutant was killed."""
    with tempfile.TemporaryDirectory() as temporary:
        folders = [copy_checkout(Path(temporary) / str(k)) for k in range(WORKERS)]
        check_unmutated(folders, mutants)
        free: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for folder in folders:
            free.put(folder)

        def one(mutant: Mutant) -> tuple[str, float, str]:
            folder = free.get()
            try:
                return judge(folder, mutant)
            finally:
                free.put(folder)

        verdicts = []
        start = time.perf_counter()
        with ThreadPoolExecutor(WORKERS) as pool:
            running = {pool.submit(one, mutant): mutant for mutant in mutants}
            try:
                for future in as_completed(running):
                    verdict, seconds, said = future.result()
                    verdicts.append(verdict)
                    print(f"{verdict:<8}  {seconds:5.1f} s  {running[future].name}", flush=True)
                    if said:
                        print("    " + said.strip().replace("\n", "\n    "), flush=True)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    counts = ", ".join(f"{verdicts.count(v)} {v}" for v in ("killed", "SURVIVED", "ERROR") if v in verdicts)
    print(f"{len(verdicts)} mutants: {counts}, {time.perf_counter() - start:.0f} s")
    return verdicts.count("killed") == len(verdicts)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="the mutants to run")
    parser.add_argument("--list", action="store_true", help="list the mutants and run nothing")
    asked = parser.parse_args()
    unknown = set(asked.only or ()) - {mutant.name for mutant in MUTANTS}
    if unknown:
        parser.error(f"there is no mutant {', '.join(sorted(unknown))}: --list shows those that there are.")
    mutants = [mutant for mutant in MUTANTS if not asked.only or mutant.name in asked.only]
    if asked.list:
        for mutant in mutants:
            print(f"{mutant.name:<48}{mutant.file:<38}{' '.join(mutant.tests)}")
        return 0
    # All of the table at once, before any test: a text that is no longer there must not come up minutes later.
    wrong = []
    for mutant in mutants:
        try:
            mutant.apply((CHECKOUT / mutant.file).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            wrong.append(str(error))
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return 2
    # Told to stop, remove the copies.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    return 0 if judge_all(mutants) else 1


if __name__ == "__main__":
    sys.exit(main())
