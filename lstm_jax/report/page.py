"""``lstm-jax report``: runs and studies as one HTML page that needs nothing but itself."""

import importlib.metadata
import importlib.resources
from collections.abc import Sequence
from pathlib import Path

from lstm_jax.report.arguments import Parser
from lstm_jax.report.blocks import Section
from lstm_jax.report.run_section import run_section
from lstm_jax.report.study_section import study_section
from lstm_jax.sweep.study import QUESTION
from lstm_jax.train.errors import RunError
from lstm_jax.train.folder import CONFIG, write_text

PAGE, TEMPLATE = "report.html", "page.html.j2"


def report_command(words: Sequence[str]) -> str:
    """Do what the words behind ``lstm-jax report`` say; what is to be printed.

    Raises:
        FlagError: a flag that there is not, or no folder.
        RunError: a folder holds neither a run nor a study, or the page cannot be written.
        ImportError: Jinja2 or matplotlib is not installed.
    """
    parser = Parser(prog="lstm-jax report", description="Show runs and studies in one HTML page.")
    parser.add_argument("folders", nargs="+", metavar="RUN_OR_STUDY", help="folders of runs and studies")
    parser.add_argument("--out", metavar="FILE", help=f"the page; else {PAGE} in the one folder, or, of several, here")
    asked = parser.parse_args(list(words))
    folders = [Path(folder) for folder in asked.folders]
    path = Path(asked.out) if asked.out else (folders[0] if len(folders) == 1 else Path()) / PAGE
    return f"The page: {write_page(path, folders)}\n"


def write_page(path: Path, folders: Sequence[Path]) -> Path:
    """Write the page of these runs and studies, a section each, in their order.

    Args:
        path: the HTML file; what is there is replaced.
        folders: of runs and studies, which may still be going on.

    Returns:
        ``path``.

    Raises:
        RunError: a folder holds neither a run nor a study, or the page cannot be written.
        ImportError: Jinja2 or matplotlib is not installed.
    """
    from jinja2 import Environment, StrictUndefined

    # Names, reasons and commands come from elsewhere: nothing in them becomes a part of the page.
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    source = importlib.resources.files("lstm_jax.report").joinpath(TEMPLATE).read_text(encoding="utf-8")
    sections = [_section(folder) for folder in folders]
    version = importlib.metadata.version("lstm-jax")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, environment.from_string(source).render(sections=sections, version=version))
    except OSError as error:
        raise RunError(f"Cannot write the page {path}: {error.strerror}.") from error
    return path


def _section(folder: Path) -> Section:
    if (folder / QUESTION).exists():
        return study_section(folder)
    if (folder / CONFIG).exists():
        return run_section(folder)
    inside = sorted((path.parent for path in folder.glob(f"*/{CONFIG}")), key=lambda run: (len(run.name), run.name))
    if inside:
        raise RunError(f"{folder} holds no run itself, but {len(inside)} in folders of it: name them, as {inside[0]}.")
    raise RunError(f"{folder} holds no run and no study: it has no {CONFIG} and no {QUESTION}.")
