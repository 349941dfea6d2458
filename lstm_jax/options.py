"""One way to refuse a setting."""

import difflib
from collections.abc import Iterable
from typing import Any


def one_of(setting: str, value: str, options: Iterable[str]) -> str:
    """Return ``value`` if it is one of ``options``, else raise ValueError with the nearest of them."""
    known = list(options)
    if value in known:
        return value
    spelt = {name.lower(): name for name in reversed(known)}
    near = difflib.get_close_matches(str(value).lower(), spelt, n=1, cutoff=0.4)
    hint = f"did you mean {spelt[near[0]]!r}? " if near else ""
    raise ValueError(f"{setting}={value!r} is not known: {hint}choose one of {', '.join(map(repr, known))}.")


def positive(setting: str, value: Any) -> int:
    """Return ``value`` if it is a whole number of at least 1, else raise ValueError."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
        raise ValueError(f"{setting} must be a whole number of at least 1, got {value!r}.")
    return value


def of_a_file(config: Any, path: str, *settings: str) -> None:
    """Raise ValueError where one of the settings says something of a file, but the setting ``path`` names none."""
    for setting in settings:
        if not getattr(config, path) and getattr(config, setting) != getattr(type(config), setting):
            raise ValueError(f"{setting} is said of a file, but there is none: give it by --{path}, or leave it out.")


def rate(setting: str, value: float) -> float:
    """Return ``value`` if it is a probability below 1, else raise ValueError."""
    if not 0.0 <= value < 1.0:
        raise ValueError(f"{setting} must be at least 0 and below 1, got {value!r}.")
    return value


def above_zero(setting: str, value: float) -> float:
    """Return ``value`` if it is above 0, else raise ValueError."""
    if not value > 0:
        raise ValueError(f"{setting} must be above 0, got {value!r}.")
    return value


def yes_or_no(setting: str, value: Any) -> bool:
    """Return ``value`` if it is True or False, else raise ValueError."""
    if value is not True and value is not False:
        raise ValueError(f"{setting} must be True or False, known before anything is compiled, got {value!r}.")
    return value


def names(setting: str, value: Any, example: str) -> tuple[str, ...]:
    """Return ``value`` if it is a tuple of strings, else raise ValueError: a lone string is many, too."""
    if not isinstance(value, tuple) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"{setting} must be a tuple of names, such as ({example!r},), got {value!r}.")
    return value
