"""The command line: ``lstm-jax run EXPERIMENT --flag value``, ``python -m experiments.NAME``, ``lstm-jax sweep`` ...

EXPERIMENT is a module (``experiments.adding``) or a file (``path/to/mine.py``) with a ``Config`` and a ``build``.

Exit codes: 0 finished, 1 the run failed, 2 wrong arguments, 130 and 143 stopped by Ctrl-C and SIGTERM.
"""

import dataclasses
import hashlib
import importlib.metadata
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from lstm_jax.flags import EXTRA, FlagError, parse

EXPERIMENTS = "experiments"
USAGE = f"""\
usage: lstm-jax run {EXPERIMENTS}.NAME [--flag value ...]
       lstm-jax run path/to/mine.py [--flag value ...]

       lstm-jax sweep {EXPERIMENTS}.NAME --space FIELD=VALUES ... --trials N [--hours H] [--workers N] [-- --flag ...]
       lstm-jax sweep FILE.toml
       lstm-jax sweep --status STUDY
       lstm-jax sweep --retry failed --study STUDY
       lstm-jax sweep --join STUDY

       lstm-jax report RUN_OR_STUDY ... [--out FILE]
       lstm-jax compare FOLDER ... [--out FILE]
       lstm-jax cells [NAME ...] [--input-size D] [--hidden-size H] [--markdown]

  run        run an experiment, or go on with it; its flags: lstm-jax run {EXPERIMENTS}.NAME --help
  sweep      try settings of an experiment, or go on with that; its flags: lstm-jax sweep --help
  report     show runs and studies in one HTML page: question, curves, trials, the best command
  compare    draw learning curves over one another, and list medians with confidence intervals
  cells      list the cells: equations, papers, settings, parameters at a size
  --version  print the version
"""


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """Where and how the run takes place."""

    seed: int = 0
    """All randomness of the run: initial parameters, data, noise."""
    workdir: str = ""
    """The run folder; empty: runs/NAME/ and a hash of the settings. A run that is there goes on."""
    fresh: bool = False
    """Start over: a run that is there is moved to a folder beside it."""
    checkpoint_every: float = 30.0
    """Seconds between two checkpoints."""
    cores: int = 0
    """CPU cores to share the batch out over, one device each; 0: all that this process may use."""
    wandb: str = ""
    """A project of Weights & Biases that gets the metrics, too; empty: none."""


def main(argv: Sequence[str] | None = None) -> None:
    """The console script ``lstm-jax``."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    match arguments:
        case [] | ["-h" | "--help", *_]:
            sys.stdout.write(USAGE)
        case ["--version", *_]:
            sys.stdout.write(f"lstm-jax {importlib.metadata.version('lstm-jax')}\n")
        case ["run", *flags]:
            _run(flags)
        case ["sweep", *words]:
            _sweep(words)
        case ["report", *words]:
            from lstm_jax.report.page import report_command

            _tell(report_command, words)
        case ["compare", *words]:
            from lstm_jax.report.compare import compare_command

            _tell(compare_command, words)
        case ["cells", *words]:
            from lstm_jax.report.cells import list_cells

            try:
                sys.stdout.write(list_cells(words))
            except ValueError as error:
                _fail(str(error))
        case [command, *_]:
            _fail(f"lstm-jax knows no command {command!r}; it knows: run, sweep, report, compare, cells.")


def _tell(command: Callable[[Sequence[str]], str], words: list[str]) -> None:
    """Print what a command says that reads run folders."""
    from lstm_jax.train.errors import RunError

    try:
        sys.stdout.write(command(words))
    except (RunError, FlagError) as error:
        _fail(str(error))
    except ImportError:
        _fail(f"Pages and pictures need the extra packages of {EXTRA}.", 1)


def _run(flags: list[str]) -> None:
    from lstm_jax.train import RunError
    from lstm_jax.train.find import find_experiment, known_experiments, short_name

    try:
        match flags:
            case []:
                _fail(f"Which experiment? {known_experiments()}")
            case ["-h" | "--help", *_]:
                sys.stdout.write(f"{USAGE}\n{known_experiments()}\n")
                return
        module = find_experiment(flags[0])
    except RunError as error:
        _fail(str(error))
    command = f"lstm-jax run {flags[0]}"
    run_experiment(module.Config, module.build, name=short_name(flags[0]), command=command, argv=flags[1:])


def _sweep(words: list[str]) -> None:
    try:
        from lstm_jax.sweep.command import sweep_command
    except ImportError:
        _fail("Sweeps need the extra packages of pip install 'lstm-jax[experiments,sweep]'.", 1)
    from lstm_jax.train import Interrupted, RunError

    try:
        sys.stdout.write(sweep_command(words))
    except Interrupted as stop:
        _fail(str(stop), 128 + stop.signal_number)
    except RunError as error:
        _fail(str(error))


def run_experiment(
    config_type: type[Any],
    build: Callable[[Any], Any],
    *,
    name: str,
    command: str | None = None,
    argv: Sequence[str] | None = None,
) -> None:
    """Parse the flags of a configuration, run the experiment and show its result: an experiment's ``__main__``.

    Args:
        config_type: a frozen dataclass; each field is a flag, explained by the docstring below it.
        build: ``build(config) -> Experiment``; a ValueError of it is shown as one sentence.
        name: the experiment's name, for the default run folder.
        command: how it was started, for the help text; None: ``python -m experiments.NAME``.
        argv: the flags; the process's own if None.

    Raises:
        SystemExit: with the exit code, unless the run finished.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    config, options = _parse(config_type, command or f"python -m {EXPERIMENTS}.{name}", arguments)
    # Not before the flags are right: the answer to a typing error should not wait for jax.
    from lstm_jax.cores import use_cpu_cores
    from lstm_jax.train import Experiment, Interrupted, RunError, train
    from lstm_jax.train.settings import to_json
    from lstm_jax.train.state import check_seed

    try:
        check_seed(options.seed)
        if not options.checkpoint_every >= 0:
            raise ValueError(f"checkpoint_every must be at least 0, got {options.checkpoint_every}.")
        use_cpu_cores(options.cores or None)
    except (ValueError, RuntimeError) as error:
        # Unless asked for, not insisted on: whoever calls this from a notebook has started JAX.
        if isinstance(error, ValueError) or options.cores:
            _fail(str(error))
    try:
        try:
            experiment = build(config)
        except ValueError as error:
            _fail(str(error))
        if not isinstance(experiment, Experiment):
            _fail(f"build(config) must return a lstm_jax.train.Experiment, but it gave {type(experiment).__name__}.", 1)
        if experiment.config is None:  # or the folder could not tell this run from one with other settings
            experiment = dataclasses.replace(experiment, config=config)
        workdir = Path(options.workdir) if options.workdir else _default_folder(name, options.seed, to_json(config))
        result = train(
            experiment,
            seed=options.seed,
            workdir=workdir,
            fresh=options.fresh,
            checkpoint_every=options.checkpoint_every,
            wandb=options.wandb or None,
        )
    except Interrupted as stop:
        _fail(str(stop), 128 + stop.signal_number)
    except KeyboardInterrupt:  # a second one, or one before there was anything to save
        _fail("Stopped by Ctrl-C at once: the steps since the last checkpoint will be taken again.", 130)
    except RunError as error:
        _fail(str(error), 1)
    told = [str(result), f"Result: {workdir / 'result.json'}", _picture(workdir)]
    written = [*sorted(workdir.glob("*.csv")), *sorted((workdir / "plots").glob("*.png"))]
    told += [f"Also: {path}" for path in written if path.name != "learning_curve.png"]
    sys.stdout.write("\n".join(told) + "\n")


def _default_folder(name: str, seed: int, config: Any) -> Path:
    """``runs/NAME/`` and a hash of what identifies a run; more steps continue one, so they are left out."""
    identity = {"seed": seed, "config": {field: value for field, value in config.items() if field != "steps"}}
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8]
    return Path("runs") / name / digest


def _parse(config_type: type[Any], command: str, arguments: list[str]) -> tuple[Any, RunOptions]:
    try:
        config, options = parse(config_type, RunOptions, flags=arguments, command=command)
    except ImportError:
        _fail(f"Running experiments needs the extra packages of {EXTRA}.", 1)
    except FlagError as error:
        _fail(f"{error} All flags: {command} --help")
    return config, options


def _picture(workdir: Path) -> str:
    from lstm_jax.report.figures import learning_curve

    try:
        return f"Learning curve: {learning_curve(workdir)}"
    except ImportError:
        return f"For a picture of the learning curve: {EXTRA}."


def _fail(sentence: str, code: int = 2) -> NoReturn:
    sys.stderr.write(sentence.rstrip() + "\n")
    raise SystemExit(code)
