"""Workers on a cluster: an sbatch script with an array of them."""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lstm_jax.sweep.study import WORKERS, Study
from lstm_jax.train.errors import RunError
from lstm_jax.train.folder import write_text

SCRIPT = "workers.sbatch"


def submit(study: Study, workers: int, options: Sequence[str] = ()) -> str:
    """Write the script of ``workers`` workers into the study's folder, and hand it to ``sbatch``.

    A job that SLURM ends before its time is sent SIGTERM a minute ahead, saves, and is put into the queue again.

    Args:
        study: what they work on.
        workers: the array's size.
        options: more lines of ``#SBATCH``, such as ``--time=4:00:00``.

    Returns:
        What sbatch says.

    Raises:
        RunError: there is no sbatch here, or it refuses.
    """
    folder = study.folder.resolve()
    lines = [
        f"--job-name=sweep-{study.name}",
        f"--array=0-{workers - 1}",
        "--ntasks=1",
        "--cpus-per-task=1",
        "--signal=TERM@60",
        "--requeue",
        "--open-mode=append",
        f"--output={folder / WORKERS}/%A-%a.log",
        *options,
    ]
    command = [sys.executable, "-m", "lstm_jax", "sweep", "--join", str(folder)]
    script = folder / SCRIPT
    text = "#!/bin/bash\n" + "".join(f"#SBATCH {line}\n" for line in lines)
    # exec: SLURM's signals reach the worker itself. A database's password comes from the environment or ~/.pgpass.
    text += f"\ncd {shlex.quote(str(Path.cwd()))}\nexport OMP_NUM_THREADS=1\nexec {shlex.join(command)}\n"
    write_text(script, text)
    if shutil.which("sbatch") is None:
        raise RunError(f"There is no sbatch here: on a machine of the cluster, sbatch {script} starts the workers.")
    done = subprocess.run(["sbatch", str(script)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RunError(f"sbatch refuses: {(done.stderr or done.stdout).strip()}. Its script is {script}.")
    return done.stdout.strip()
