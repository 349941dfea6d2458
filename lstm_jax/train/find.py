"""An experiment by its name: a module such as ``experiments.adding``, or a file such as ``path/to/mine.py``."""

import dataclasses
import difflib
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from lstm_jax.train.errors import RunError
from lstm_jax.train.run import module_at

EXPERIMENTS = "experiments"
REPOSITORY = "lstm_jax"


def find_experiment(name: str) -> ModuleType:
    """The module of an experiment, with its ``Config`` and ``build``.

    Raises:
        RunError: there is none of that name (names the nearest), or it is no experiment.
    """
    if name.endswith(".py"):
        module = module_at(name)
    else:
        # A console script does not have the current folder, or the checkout around it, on its path; `python -m` does.
        sys.path[:0] = [str(place) for place in (Path.cwd(), *Path.cwd().parents) if (place / EXPERIMENTS).is_dir()]
        sys.path.insert(0, str(Path.cwd()))
        try:
            found = importlib.util.find_spec(name)
        except ModuleNotFoundError:
            found = None
        if found is None:
            near = difflib.get_close_matches(name.removeprefix(f"{EXPERIMENTS}."), _names(_folder()), n=1)
            hint = f" Did you mean {EXPERIMENTS}.{near[0]}?" if near else ""
            raise RunError(f"There is no experiment {name!r}.{hint} {known_experiments()}")
        module = importlib.import_module(name)
    missing = [part for part in ("Config", "build") if not hasattr(module, part)]
    if missing:
        raise RunError(f"{name} is no experiment: it has no {' and no '.join(missing)}.")
    if not dataclasses.is_dataclass(module.Config):
        raise RunError(f"{name} is no experiment: its Config is no dataclass; put @dataclass(frozen=True) above it.")
    return module


def short_name(name: str) -> str:
    """What an experiment is called in folders: ``adding`` for ``experiments.adding``, ``mine`` for ``to/mine.py``."""
    return Path(name).stem if name.endswith(".py") else name.removeprefix(f"{EXPERIMENTS}.")


def known_experiments() -> str:
    """A sentence that lists the experiments of the checkout that the current folder is in.

    Raises:
        RunError: there is no checkout.
    """
    return f"The experiments are: {', '.join(f'{EXPERIMENTS}.{name}' for name in _names(_folder()))}."


def _folder() -> Path:
    here = Path.cwd()
    places = [p for p in (here, *here.parents) if (p / EXPERIMENTS).is_dir() and (p / "lstm_jax").is_dir()]
    if not places:
        raise RunError(
            f"There is no checkout of {REPOSITORY} here, and the installed package does not hold the {EXPERIMENTS}: "
            "clone the repository with git and run the command inside it."
        )
    return places[0] / EXPERIMENTS


def _names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))
