"""Builds the wheel, looks inside, and tries it in a fresh environment that has the core dependencies only."""

import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
ALLOWED_IMPORT_SECONDS = 0.3


def run(*command: str | Path, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command and return what it did; stop where it must succeed and does not."""
    done = subprocess.run([*map(str, command)], check=False, cwd=cwd, capture_output=True, text=True)
    if check and done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done


def look_inside(wheel: Path) -> None:
    """The wheel holds lstm_jax and its metadata, nothing else."""
    names = zipfile.ZipFile(wheel).namelist()
    rooms = {name.split("/")[0] for name in names}
    extra = {room for room in rooms if room != "lstm_jax" and not room.endswith(".dist-info")}
    missing = {"lstm_jax/py.typed", "lstm_jax/report/page.html.j2"} - set(names)
    if extra or missing:
        sys.exit(f"{wheel.name} must hold lstm_jax and nothing else; it has {sorted(rooms)}, and lacks {missing}.")
    print(f"{wheel.name}: {len(names)} files, lstm_jax only")


def try_import(python: Path, folder: Path) -> None:
    """``import lstm_jax`` works, from the wheel; what it costs is told, not judged: machines differ."""
    where = run(python, "-W", "error", "-c", "import lstm_jax; print(lstm_jax.__file__)", cwd=folder).stdout.strip()
    if "site-packages" not in where:
        sys.exit(f"lstm_jax was imported from {where}, not from the wheel.")
    timed = "import time, jax, flax; start = time.perf_counter(); import lstm_jax; print(time.perf_counter() - start)"
    cost = min(float(run(python, "-c", timed, cwd=folder).stdout) for _ in range(5))
    print(f"import lstm_jax: {cost:.2f} s over `import jax, flax`; allowed {ALLOWED_IMPORT_SECONDS} s")


def try_command(command: Path, folder: Path, must_say: str) -> None:
    """Without the extra, or the checkout, an experiment is refused in one sentence that says what to do."""
    done = run(command, "run", "experiments.adding", cwd=folder, check=False)
    said = (done.stdout + done.stderr).strip()
    if not done.returncode or "Traceback" in said or len(said.splitlines()) != 1 or must_say not in said:
        sys.exit(f"lstm-jax run experiments.adding must say {must_say!r} in one sentence; it said:\n{said}")
    print(f"lstm-jax run experiments.adding: {said}")


def main() -> None:
    """All of it, in a temporary folder."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder, CHECKOUT, cwd=folder)
        (wheel,) = folder.glob("*.whl")
        look_inside(wheel)
        venv.create(folder / "core", with_pip=True, symlinks=os.name != "nt")
        binaries = folder / "core" / "bin"
        run(binaries / "python", "-m", "pip", "install", "--quiet", wheel, cwd=folder)
        try_import(binaries / "python", folder)
        # A console process wraps no line that it prints for a reader: a wide terminal.
        os.environ["COLUMNS"] = "500"
        try_command(binaries / "lstm-jax", CHECKOUT, must_say="lstm-jax[experiments]")
        try_command(binaries / "lstm-jax", folder, must_say="checkout")


if __name__ == "__main__":
    main()
