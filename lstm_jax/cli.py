"""The command line: ``lstm-jax run EXPERIMENT --flag value``, ``python -m experiments.NAME``, ``lstm-jax cells``.

EXPERIMENT is a module (``experiments.adding``) or a file (``path/to/mine.py``) with a ``Config`` and a ``build``.

Exit codes: 0 finished, 1 the run failed, 2 wrong arguments, 130 and 143 stopped by Ctrl-C and SIGTERM.
"""

import contextlib
import dataclasses
import difflib
import hashlib
import importlib
import importlib.metadata
import importlib.util
import io
import json
import os
import re
import sys
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

EXPERIMENTS = "experiments"
EXTRA = "pip install 'lstm-jax[experiments]'"
REPOSITORY = "lstm_jax"
USAGE = f"""\
usage: lstm-jax run {EXPERIMENTS}.NAME [--flag value ...]
       lstm-jax run path/to/mine.py [--flag value ...]

       lstm-jax cells [NAME ...] [--input-size D] [--hidden-size H] [--markdown]

  run        run an experiment, or go on with it; its flags: lstm-jax run {EXPERIMENTS}.NAME --help
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
        case ["run"]:
            _fail(f"Which experiment? {_known(_experiments_folder())}")
        case ["run", "-h" | "--help", *_]:
            sys.stdout.write(f"{USAGE}\n{_known(_experiments_folder())}\n")
        case ["run", name, *flags]:
            module = _load(name)
            short = Path(name).stem if name.endswith(".py") else name.removeprefix(f"{EXPERIMENTS}.")
            run_experiment(module.Config, module.build, name=short, command=f"lstm-jax run {name}", argv=flags)
        case ["cells", *flags]:
            from lstm_jax.report.cells import list_cells

            try:
                sys.stdout.write(list_cells(flags))
            except ValueError as error:
                _fail(str(error))
        case [command, *_]:
            _fail(f"lstm-jax knows no command {command!r}; it knows: run, cells.")


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
        import tyro
    except ImportError:
        _fail(f"Running experiments needs the extra packages of {EXTRA}.", 1)
    bare = tyro.conf.arg(name="")
    fields = [("experiment", Annotated[config_type, bare]), ("run", Annotated[RunOptions, bare])]
    both = dataclasses.make_dataclass("Run", fields, frozen=True)
    module = sys.modules.get(config_type.__module__)

    def parse(flags: list[str]) -> Any:
        return tyro.cli(
            both,
            prog=command,
            description=getattr(module, "__doc__", None),
            args=flags,
            # Flags may stand in any order, those of a chosen cell too; --fresh has no opposite.
            config=(tyro.conf.CascadeSubcommandArgs, tyro.conf.FlagCreatePairsOff),
        )

    if {"-h", "--help"} & set(arguments):
        parse(arguments)
    told = io.StringIO()
    # What is chosen comes first: the flags of a cell may stand before or after its name.
    names = {field.name.replace("_", "-") for field in dataclasses.fields(config_type)}
    chosen = [at for at, argument in enumerate(arguments) if _is_choice(argument, names)]
    ordered = [arguments[at] for at in sorted(range(len(arguments)), key=lambda at: at not in chosen)]
    try:
        with contextlib.redirect_stderr(told), contextlib.redirect_stdout(told), _wide():
            parsed = parse(ordered)
    except SystemExit:
        _fail(_unknown(arguments, names, parse) or f"{_first_sentence(told.getvalue())} All flags: {command} --help")
    return parsed.experiment, parsed.run


@contextlib.contextmanager
def _wide() -> Generator[None]:
    """A terminal on which tyro breaks no line: what it says is taken apart."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "10000"
    try:
        yield
    finally:
        os.environ.pop("COLUMNS") if before is None else os.environ.update(COLUMNS=before)


def _unknown(arguments: list[str], names: set[str], parse: Callable[[list[str]], Any]) -> str | None:
    """A sentence on the first flag, or choice like ``cell:lstm``, that there is not; None where all are known."""
    flags, choices = set(), set()
    for chosen in ([], *([choice] for choice in _help(parse, [], r"[\w.]+:[a-z][\w-]*"))):
        flags |= _help(parse, chosen, r"--[\w.-]+")
        choices |= set(chosen)
    for argument in arguments:
        name = argument.split("=")[0]
        if re.match(r"--\w", name) and name.replace("_", "-") not in flags:
            return f"There is no flag {name}.{_nearest(name, flags)}"
    for argument in arguments:
        if _is_choice(argument, names) and argument not in choices:
            return f"There is no {argument}.{_nearest(argument, choices)}"
    return None


def _is_choice(argument: str, names: set[str]) -> bool:
    """Whether it chooses among the kinds of a setting, like ``cell:lstm``."""
    setting, _, kind = argument.partition(":")
    return setting.split(".")[0].replace("_", "-") in names and re.fullmatch(r"[\w-]+", kind) is not None


def _help(parse: Callable[[list[str]], Any], chosen: list[str], pattern: str) -> set[str]:
    """What of the help text has this form."""
    told = io.StringIO()
    with contextlib.redirect_stdout(told), _wide(), contextlib.suppress(SystemExit):
        parse([*chosen, "--help"])
    text = told.getvalue()
    usage = text[: text.find("\n\n")] if ":" in pattern else text
    return set(re.findall(pattern, usage))


def _nearest(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f" Did you mean {near[0]}?" if near else f" There is {', '.join(sorted(known))}."


def _first_sentence(told: str) -> str:
    """What tyro says in its box, up to the first rule, without frame and title."""
    rows = [row.strip(" \u2502|") for row in told.splitlines()[1:]]
    said = []
    for row in rows:
        if set(row) <= set("-\u2500\u2570\u256f+ "):
            if said:
                break
            continue
        said.append(row)
    sentence = re.sub(r"^Error parsing (experiment|run)\.?[\w.]*: ", "", " ".join(said))
    return sentence if sentence.endswith((".", "?")) else f"{sentence}."


def _picture(workdir: Path) -> str:
    from lstm_jax.report.figures import learning_curve

    try:
        return f"Learning curve: {learning_curve(workdir)}"
    except ImportError:
        return f"For a picture of the learning curve: {EXTRA}."


def _load(name: str) -> Any:
    """The module of an experiment: of a file, or by its dotted name."""
    if name.endswith(".py"):
        from lstm_jax.train import RunError
        from lstm_jax.train.run import module_at

        try:
            module = module_at(name)
        except RunError as error:
            _fail(str(error))
    else:
        # A console script does not have the current folder, or the checkout around it, on its path; `python -m` does.
        sys.path[:0] = [str(place) for place in (Path.cwd(), *Path.cwd().parents) if (place / EXPERIMENTS).is_dir()]
        sys.path.insert(0, str(Path.cwd()))
        try:
            found = importlib.util.find_spec(name)
        except ModuleNotFoundError:
            found = None
        if found is None:
            folder = _experiments_folder()
            near = difflib.get_close_matches(name.removeprefix(f"{EXPERIMENTS}."), _names(folder), n=1)
            hint = f" Did you mean {EXPERIMENTS}.{near[0]}?" if near else ""
            _fail(f"There is no experiment {name!r}.{hint} {_known(folder)}")
        module = importlib.import_module(name)
    missing = [part for part in ("Config", "build") if not hasattr(module, part)]
    if missing:
        _fail(f"{name} is no experiment: it has no {' and no '.join(missing)}.")
    if not dataclasses.is_dataclass(module.Config):
        _fail(f"{name} is no experiment: its Config is no dataclass; put @dataclass(frozen=True) above it.")
    return module


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
