"""The command line: ``lstm-jax run experiments.NAME --flag value`` and ``python -m experiments.NAME --flag value``.

Exit codes: 0 finished, 1 the run failed, 2 wrong arguments, 130 and 143 stopped by Ctrl-C and SIGTERM.
"""

import dataclasses
import difflib
import hashlib
import importlib
import importlib.metadata
import json
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

EXPERIMENTS = "experiments"
EXTRA = "pip install 'lstm-jax[experiments]'"
REPOSITORY = "lstm_jax"
USAGE = f"""\
usage: lstm-jax run {EXPERIMENTS}.NAME [--flag value ...]

  run        run an experiment, or go on with it; its flags: lstm-jax run {EXPERIMENTS}.NAME --help
  --version  print the version
"""


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """Where and how the run takes place."""

    seed: int = 0
    """All randomness of the run: initial parameters, data, noise."""
    workdir: str = ""
    """The run folder; empty: runs/NAME/ and a hash of the settings. An existing run there goes on."""
    checkpoint_every: float = 30.0
    """Seconds between two checkpoints."""


def main(argv: Sequence[str] | None = None) -> None:
    """The console script ``lstm-jax``."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    match arguments:
        case [] | ["-h" | "--help", *_]:
            sys.stdout.write(USAGE)
        case ["--version", *_]:
            sys.stdout.write(f"lstm-jax {importlib.metadata.version('lstm-jax')}\n")
        case ["run"]:
            _fail(f"Which experiment? {_known(_experiments_folder())}")
        case ["run", "-h" | "--help", *_]:
            sys.stdout.write(f"{USAGE}\n{_known(_experiments_folder())}\n")
        case ["run", name, *flags]:
            module = _load(name)
            run_experiment(module.Config, module.build, name=name.removeprefix(f"{EXPERIMENTS}."), argv=flags)
        case [command, *_]:
            _fail(f"lstm-jax knows no command {command!r}; it knows: run.")


def run_experiment(
    config_type: type[Any],
    build: Callable[[Any], Any],
    *,
    name: str,
    argv: Sequence[str] | None = None,
) -> None:
    """Parse the flags of a configuration, run the experiment and show its result: an experiment's ``__main__``.

    Args:
        config_type: a frozen dataclass; each field is a flag, explained by the docstring below it.
        build: ``build(config) -> Experiment``; a ValueError of it is shown as one sentence.
        name: the experiment's name, for the default run folder and the help text.
        argv: the flags; the process's own if None.

    Raises:
        SystemExit: with the exit code, unless the run finished.
    """
    config, options = _parse(config_type, name, argv)
    # Not before the flags are right: the answer to a typing error should not wait for jax.
    from lstm_jax.train import Interrupted, RunError, train
    from lstm_jax.train.experiment import settings
    from lstm_jax.train.state import check_seed

    try:
        experiment = build(config)
        check_seed(options.seed)
        if not options.checkpoint_every >= 0:
            raise ValueError(f"checkpoint_every must be at least 0, got {options.checkpoint_every}.")
    except ValueError as error:
        _fail(str(error))
    identity = {"seed": options.seed, "config": settings(config)}
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8]
    workdir = Path(options.workdir) if options.workdir else Path("runs") / name / digest
    try:
        result = train(experiment, seed=options.seed, workdir=workdir, checkpoint_every=options.checkpoint_every)
    except Interrupted as stop:
        _fail(str(stop), 128 + stop.signal_number)
    except KeyboardInterrupt:  # a second one, or one before there was anything to save
        _fail("Stopped by Ctrl-C.", 128 + signal.SIGINT)
    except RunError as error:
        _fail(str(error), 1)
    sys.stdout.write(f"{result}\nResult: {workdir / 'result.json'}\n{_picture(workdir)}\n")


def _parse(config_type: type[Any], name: str, argv: Sequence[str] | None) -> tuple[Any, RunOptions]:
    try:
        import tyro
    except ImportError:
        _fail(f"Running experiments needs the extra packages of {EXTRA}.", 1)
    flat = Annotated[config_type, tyro.conf.arg(name="")]
    both = dataclasses.make_dataclass(
        "Run", [("experiment", flat), ("run", Annotated[RunOptions, tyro.conf.arg(name="")])], frozen=True
    )
    module = sys.modules.get(config_type.__module__)
    parsed = tyro.cli(
        both,
        prog=f"python -m {EXPERIMENTS}.{name}",
        description=getattr(module, "__doc__", None),
        args=None if argv is None else list(argv),
    )
    return parsed.experiment, parsed.run


def _picture(workdir: Path) -> str:
    from lstm_jax.report.figures import learning_curve

    try:
        return f"Learning curve: {learning_curve(workdir)}"
    except ImportError:
        return f"For a picture of the learning curve: {EXTRA}."


def _load(name: str) -> Any:
    """The module of the experiment ``experiments.NAME``."""
    folder = _experiments_folder()
    short = name.removeprefix(f"{EXPERIMENTS}.")
    if short == name or short not in _names(folder):
        near = difflib.get_close_matches(short, _names(folder), n=1)
        hint = f" Did you mean {EXPERIMENTS}.{near[0]}?" if near else ""
        _fail(f"There is no experiment {name!r}.{hint} {_known(folder)}")
    # A console script does not have the current folder on its path, `python -m` does.
    sys.path.insert(0, str(folder.parent))
    return importlib.import_module(name)


def _experiments_folder() -> Path:
    """The folder ``experiments`` of the checkout that the current folder is in."""
    here = Path.cwd()
    places = [p for p in (here, *here.parents) if (p / EXPERIMENTS).is_dir() and (p / "lstm_jax").is_dir()]
    if not places:
        _fail(
            f"There is no checkout of {REPOSITORY} here, and the installed package does not hold the {EXPERIMENTS}: "
            "clone the repository with git and run the command inside it."
        )
    return places[0] / EXPERIMENTS


def _names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))


def _known(folder: Path) -> str:
    return f"The experiments are: {', '.join(f'{EXPERIMENTS}.{name}' for name in _names(folder))}."


def _fail(sentence: str, code: int = 2) -> NoReturn:
    sys.stderr.write(sentence.rstrip() + "\n")
    raise SystemExit(code)
