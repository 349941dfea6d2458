"""The section of a page on one run."""

from pathlib import Path
from typing import Any

from lstm_jax.report.blocks import Block, Cell, Picture, Section, Table, asked, environment
from lstm_jax.report.drawing import PAGE_SIZE, as_uri, file_uri, new_figure
from lstm_jax.report.figures import draw_curves, draw_gradient_norms
from lstm_jax.sweep.display import shown
from lstm_jax.train.errors import RunError
from lstm_jax.train.folder import CONFIG, RESULT, identity, read_json
from lstm_jax.train.writers import Record, read

CURVE, MOST = "learning_curve.png", 8
"""What is drawn anew for the page, and at most how many other pictures are shown."""
_COUNTED = ("steps", "best_step", "sequences", "seconds", "compile_seconds")


def run_section(folder: Path) -> Section:
    """All that the files of a run say of it; it may still be going on.

    Raises:
        RunError: the folder holds no run, or a file of it is damaged.
        ImportError: matplotlib is not installed.
    """
    about, records, result = read_json(folder / CONFIG), read(folder), read_json(folder / RESULT)
    if about is None:
        raise RunError(f"{folder} holds no run: it has no {CONFIG}.")
    blocks = [
        *([Block("Question", note=question)] if (question := asked(about["module"])) else []),
        Block("Settings", facts=_settings(about)),
        Block("Command", command=result["command"]) if result is not None else Block("Command", note=_not_yet(records)),
        _scores(about, result),
        Block("Curves", pictures=_pictures(about, records), note="" if records else "There are no records yet."),
        Block("Pictures", pictures=_own(folder), note=_beside(folder)),
        environment([] if result is None else [(folder, result)]),
    ]
    return Section(f"{about['experiment']}, seed {about['seed']}", f"Run in {folder}", blocks)


def _settings(about: dict[str, Any]) -> list[tuple[str, str]]:
    told = {"experiment", "seed", "the data"}
    settings = {name: value for name, value in identity(about).items() if name not in told}
    return [
        ("experiment", about["module"] or about["experiment"]),
        ("seed", str(about["seed"])),
        *((name, shown(value)) for name, value in settings.items() if value not in (None, "")),
        ("steps", f"{about['steps']} at most"),
        ("chosen by", f"validation {about['metric']}, {'lower' if about['goal'] == 'min' else 'higher'} is better"),
    ]


def _not_yet(records: list[Record]) -> str:
    return f"The run has not ended yet; {records[-1]['step'] if records else 0} steps are on record."


def _scores(about: dict[str, Any], result: dict[str, Any] | None) -> Block:
    """Test scores beside what was validated, and what a trivial model has."""
    if result is None:
        return Block("Result", note="No result yet: test data are drawn once, when the run ends.")
    outcome = {True: "Solved", False: "Not solved", None: "Finished"}[result["solved"]]
    rows = [
        [
            Cell.of(name),
            Cell.of(value),
            Cell.of(result["validation"].get(name)),
            Cell.of(about["baseline"] if name == about["metric"] else None),
        ]
        for name, value in result["metrics"].items()
    ]
    table = Table(("score", "test", "validation", "trivial model"), rows)
    facts = [(name.replace("_", " "), shown(result[name])) for name in _COUNTED]
    note = f"{outcome}. The parameters with the best validation score were tested, once."
    return Block("Result", note=note, facts=facts, table=table)


def _own(folder: Path) -> list[Picture]:
    """What the experiment drew, beside the learning curve."""
    drawn = sorted(path for path in (folder / "plots").glob("*.png") if path.name != CURVE)
    return [Picture(file_uri(path), path.stem.replace("_", " ")) for path in drawn[:MOST]]


def _beside(folder: Path) -> str:
    """The files that the experiment wrote."""
    found = sorted(path.name for kind in ("*.csv", "*.html", "*.txt") for path in folder.glob(kind))
    found = [name for name in found if name not in ("log.txt", "report.html")]
    return f"The run folder also holds {', '.join(found)}." if found else ""


def _pictures(about: dict[str, Any], records: list[Record]) -> list[Picture]:
    if not records:
        return []
    curve, norms = new_figure(PAGE_SIZE), new_figure(PAGE_SIZE)
    draw_curves(curve, about, records)
    made = [Picture(as_uri(curve), f"Training loss and validation {about['metric']} over the steps")]
    if draw_gradient_norms(norms, records):
        made.append(Picture(as_uri(norms), "Norm of the gradient over the steps"))
    return made
