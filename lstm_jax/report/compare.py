"""``lstm-jax compare``: validation curves of several settings over one another, and what they scored."""

import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lstm_jax.report.arguments import Parser
from lstm_jax.report.bands import learning_curves
from lstm_jax.report.interval import half_interval
from lstm_jax.report.study_figures import runs_of
from lstm_jax.report.study_section import finished
from lstm_jax.sweep.display import shown
from lstm_jax.sweep.study import QUESTION, Study
from lstm_jax.train.errors import RunError
from lstm_jax.train.folder import CONFIG, identity, read_json

PICTURE = "comparison.png"
_HEAD = ("", "seeds", "median test {metric}", "95% interval of the mean", "best step", "seconds")


@dataclass(frozen=True)
class Group:
    """The runs of one setting."""

    folders: Sequence[Path]
    note: str = ""
    """What was chosen of what was named."""

    @classmethod
    def find(cls, folder: Path) -> "Group":
        """The runs that a folder stands for: its own, those in it, or those of a study's best trial.

        Raises:
            RunError: it holds none of them, or runs that differ in more than the seed, or not in it.
        """
        if (folder / QUESTION).exists():
            study = Study(folder)
            best = study.best_of(study.trials())
            if best is None:
                raise RunError(f"No trial of the study {folder} is done yet.")
            return cls(runs_of(study, best), f"{folder} is a study: its best trial, {best.number}, stands for it.")
        if (folder / CONFIG).exists():
            return cls([folder])
        # Without those that --fresh has moved aside.
        inside = sorted(p.parent for p in folder.glob(f"*/{CONFIG}") if not re.search(r"\.old\d+$", p.parent.name))
        if not inside:
            raise RunError(
                f"{folder} holds no run, no study and no folders of runs: it has no {CONFIG} and no {QUESTION}."
            )
        first, *others = (identity(_about(run)) | {"seed": None} for run in inside)
        for run, settings in zip(inside[1:], others, strict=True):
            differing = sorted(n for n in first.keys() | settings.keys() if first.get(n) != settings.get(n))
            if differing:
                raise RunError(
                    f"{folder} holds runs of different settings ({inside[0].name} and {run.name} differ in "
                    f"{', '.join(differing)}): name the run folders themselves."
                )
        seeds = [_about(run)["seed"] for run in inside]
        twice = next((seed for seed in seeds if seeds.count(seed) > 1), None)
        if twice is not None:
            raise RunError(f"{folder} holds several runs of seed {twice}: name the run folders themselves.")
        return cls(inside)


def compare_command(words: Sequence[str]) -> str:
    """Do what the words behind ``lstm-jax compare`` say; what is to be printed.

    Raises:
        FlagError: a flag that there is not, or no folder.
        RunError: a folder holds no runs, they cannot be compared, or the picture cannot be written.
        ImportError: matplotlib is not installed.
    """
    parser = Parser(prog="lstm-jax compare", description="Draw learning curves over one another, and list the scores.")
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="a run, a study, or a folder of runs by seed")
    parser.add_argument("--out", metavar="FILE", default=PICTURE, help=f"the picture (default {PICTURE})")
    asked = parser.parse_args(list(words))
    return compare([Path(folder) for folder in asked.folders], Path(asked.out))


def compare(folders: Sequence[Path], path: Path) -> str:
    """Compare what the folders stand for.

    Args:
        folders: each a run, a study or a folder of runs that differ in their seeds alone.
        path: the PNG file with the learning curves.

    Returns:
        The table, and where the picture is.

    Raises:
        RunError: see `compare_command`.
        ImportError: matplotlib is not installed.
    """
    groups = {name: Group.find(folder) for name, folder in zip(_names(folders), folders, strict=True)}
    for name, group in groups.items():
        if not group.folders:
            raise RunError(f"The runs of {name} are gone: the folder of its best trial has none.")
    abouts = {name: _about(group.folders[0]) for name, group in groups.items()}
    experiment, metric = _one("experiment", abouts), _one("metric", abouts)
    try:
        learning_curves(path, {name: g.folders for name, g in groups.items()}, title=experiment)
    except FileNotFoundError as error:
        raise RunError(str(error)) from error
    except OSError as error:
        raise RunError(f"Cannot write the picture {path}: {error.strerror}.") from error
    rows = [[text.format(metric=metric) for text in _HEAD], *(_row(n, g, metric) for n, g in groups.items())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([name.ljust(widths[0]), *(text.rjust(w) for text, w in zip(rest, widths[1:], strict=True))])
        for name, *rest in rows
    ]
    notes = ["Intervals are Student's t over the seeds; best step and seconds are medians."]
    notes += [group.note for group in groups.values() if group.note]
    return "\n".join([*lines, "", *notes, f"The picture: {path}", ""])


def _about(folder: Path) -> dict[str, Any]:
    """The ``config.json`` of a run."""
    about = read_json(folder / CONFIG)
    if about is None:
        raise RunError(f"{folder} holds no run: it has no {CONFIG}.")
    return about


def _names(folders: Sequence[Path]) -> list[str]:
    """Folders by their names, or as they were typed where two have one name."""
    names = [folder.resolve().name for folder in folders]
    told = [name if names.count(name) == 1 else str(folder) for name, folder in zip(names, folders, strict=True)]
    if len(set(told)) < len(told):
        raise RunError("A folder is named twice: name each once.")
    return told


def _one(field: str, abouts: Mapping[str, dict[str, Any]]) -> str:
    """What all have in common.

    Raises:
        RunError: they differ.
    """
    (first, one), *others = ((name, about[field]) for name, about in abouts.items())
    for name, other in others:
        if other != one:
            raise RunError(f"Only runs of one {field} can be compared, but {first} has {one} and {name} has {other}.")
    return one


def _row(name: str, group: Group, metric: str) -> list[str]:
    """A group in the table; runs that have not ended count for nothing but the curves."""
    results = [result for _, result in finished(group.folders)]
    unfinished = len(group.folders) - len(results)
    seeds = f"{len(results)}" + f" ({unfinished} not finished)" * bool(unfinished)
    if not results:
        return [name, seeds, "", "", "", ""]
    scores = [float(result["metrics"].get(metric, math.nan)) for result in results]
    half, mean = half_interval(scores), statistics.fmean(scores)
    interval = "one seed has none" if math.isnan(half) else f"{shown(mean - half)} to {shown(mean + half)}"
    steps, seconds = (statistics.median(result[field] for result in results) for field in ("best_step", "seconds"))
    return [name, seeds, shown(statistics.median(scores)), interval, f"{steps:.0f}", f"{seconds:.1f}"]
