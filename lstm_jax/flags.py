"""Settings from command-line flags: a dataclass goes in, what was typed comes out, or one sentence on what is wrong.

The only module that knows tyro.
"""

import contextlib
import dataclasses
import difflib
import io
import os
import re
import sys
from collections.abc import Callable, Generator, Sequence
from typing import Annotated, Any

EXTRA = "pip install 'lstm-jax[experiments]'"


class FlagError(ValueError):
    """Flags that mean nothing; the message is one sentence."""


def parse(*settings: type[Any], flags: Sequence[str], command: str, description: str | None = None) -> tuple[Any, ...]:
    """Read the flags of one or several dataclasses; each field is a flag, explained by the docstring below it.

    Args:
        settings: frozen dataclasses, whose fields have different names.
        flags: what was typed. ``--help`` prints the flags, and ends the process.
        command: what comes before the flags, for the help text.
        description: the help text's first words; the docstring of the first dataclass's module if None.

    Returns:
        An instance of each of ``settings``.

    Raises:
        FlagError: a flag or a choice that there is not (names the nearest), a value that does not parse or is refused.
        ImportError: tyro is not installed.
    """
    module = sys.modules.get(settings[0].__module__)
    read = _reader(settings, command, description or getattr(module, "__doc__", None))
    typed = list(flags)
    if {"-h", "--help"} & set(typed):
        read(typed)
    told = io.StringIO()
    # What is chosen comes first: the flags of a cell may stand before or after its name.
    names = {field.name.replace("_", "-") for kind in settings for field in dataclasses.fields(kind)}
    chosen = [at for at, flag in enumerate(typed) if _is_choice(flag, names)]
    ordered = [typed[at] for at in sorted(range(len(typed)), key=lambda at: at not in chosen)]
    try:
        with contextlib.redirect_stderr(told), contextlib.redirect_stdout(told), _wide():
            found = read(ordered)
    except SystemExit:
        # Without the description, which may speak of flags that are none of these.
        unknown = _unknown(typed, names, _reader(settings, command, None))
        raise FlagError(unknown or _first_sentence(told.getvalue())) from None
    return tuple(vars(found).values())


def known_flags(settings: type[Any]) -> tuple[frozenset[str], frozenset[str]]:
    """All flags of a dataclass, ``--steps``, and all choices by kind, ``cell:lstm``."""
    known, choices = _flags_and_choices(_reader((settings,), "", None))
    return frozenset(known), frozenset(choices)


def _reader(settings: tuple[type[Any], ...], command: str, description: str | None) -> Callable[[list[str]], Any]:
    import tyro

    bare = tyro.conf.arg(name="")
    fields = [(f"part{number}", Annotated[kind, bare]) for number, kind in enumerate(settings)]
    together = dataclasses.make_dataclass("Settings", fields, frozen=True)

    def read(flags: list[str]) -> Any:
        return tyro.cli(
            together,
            prog=command,
            description=description,
            args=flags,
            # Flags may stand in any order, those of a chosen cell too; --fresh has no opposite.
            config=(tyro.conf.CascadeSubcommandArgs, tyro.conf.FlagCreatePairsOff),
        )

    return read


@contextlib.contextmanager
def _wide() -> Generator[None]:
    """A terminal on which tyro breaks no line: what it says is taken apart."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "10000"
    try:
        yield
    finally:
        os.environ.pop("COLUMNS") if before is None else os.environ.update(COLUMNS=before)


def _unknown(flags: list[str], names: set[str], read: Callable[[list[str]], Any]) -> str | None:
    """A sentence on the first flag, or choice like ``cell:lstm``, that there is not; None where all are known."""
    known, choices = _flags_and_choices(read)
    for flag in flags:
        name = flag.split("=")[0]
        if re.match(r"--\w", name) and name.replace("_", "-") not in known:
            return f"There is no flag {name}.{_nearest(name, known)}"
    for flag in flags:
        if _is_choice(flag, names) and flag not in choices:
            return f"There is no {flag}.{_nearest(flag, choices)}"
    return None


def _flags_and_choices(read: Callable[[list[str]], Any]) -> tuple[set[str], set[str]]:
    """All flags, and all choices like ``cell:lstm``."""
    known, choices = set(), set()
    # A point before each: where there are several settings to choose for, the usage line names none of the choices.
    for chosen in ([], *([choice] for choice in _help(read, [], r"[\u2022*] +([\w.]+:[a-z][\w-]*)"))):
        known |= _help(read, chosen, r"--[\w.-]+")
        choices |= set(chosen)
    return known, choices


def _is_choice(flag: str, names: set[str]) -> bool:
    """Whether it chooses among the kinds of a setting, like ``cell:lstm``."""
    setting, _, kind = flag.partition(":")
    return setting.split(".")[0].replace("_", "-") in names and re.fullmatch(r"[\w-]+", kind) is not None


def _help(read: Callable[[list[str]], Any], chosen: list[str], pattern: str) -> set[str]:
    """What of the help text has this form."""
    told = io.StringIO()
    with contextlib.redirect_stdout(told), _wide(), contextlib.suppress(SystemExit):
        read([*chosen, "--help"])
    return set(re.findall(pattern, told.getvalue()))


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
    sentence = re.sub(r"^Error parsing part\d+\.?[\w.]*: ", "", " ".join(said))
    return sentence if sentence.endswith((".", "?")) else f"{sentence}."
