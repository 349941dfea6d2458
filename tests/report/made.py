"""A small study, and runs by seed, for the tests of pages and comparisons."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from lstm_jax.sweep import Sweep, prepare, work
from lstm_jax.train import Optimizer, train
from tests.train import tiny

EVIL = "<script>alert(1)</script>"
FILE = '''"""Which step size finds a sum the soonest? <b>"""

from dataclasses import dataclass

from lstm_jax.train import Optimizer
from tests.train import tiny


@dataclass(frozen=True)
class Config:
    """Settings."""

    optimizer: Optimizer = Optimizer(learning_rate=0.05, clip_norm=None)
    kind: str = "plain"
    noise: float = 0.1
    steps: int = 20


def build(config):
    if config.kind == "<script>alert(1)</script>" and config.optimizer.learning_rate in (0.01, 0.1, 0.9):
        raise OSError("no & such <img src=x> kind")
    return tiny.experiment(config, name="fit", optimizer=config.optimizer, steps=config.steps, target=0.5)
'''
RATES = "0.01", "0.03", "0.1", "0.3", "0.9"


def waiting_study(folder: Path) -> Path:
    """A study that nobody has worked on yet."""
    (folder / "fit_a_sum.py").write_text(FILE)
    question = Sweep(
        experiment=str(folder / "fit_a_sum.py"),
        space=(f"optimizer.learning_rate={','.join(RATES)}", f"kind=plain,{EVIL}"),
        sampler="grid",
        seeds=2,
        population=10,
        retries=0,
        fixed=("--steps", "20"),
    )
    return prepare(question, study=folder / "steps").folder


@functools.cache
def _study() -> Path:
    home = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    folder = waiting_study(Path(home))
    work(folder, told=lambda line: None)
    return folder


def a_study(path: Path) -> Path:
    """A study with seven trials that are done and three that failed, of two seeds each, in ``path/steps``."""
    shutil.copytree(_study(), path / "steps")
    return path / "steps"


def a_run(folder: Path, *, seed: int = 0, rate: float = 0.05, noise: float = 0.1, **settings) -> Path:
    """A finished run."""
    config = tiny.Config(steps=20, noise=noise)
    experiment = tiny.experiment(config, optimizer=Optimizer(learning_rate=rate), **settings)
    train(experiment, seed=seed, workdir=folder, quiet=True)
    return folder
