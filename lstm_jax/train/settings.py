"""Settings to JSON and back: how ``config.json`` tells a cell, an optimiser, a whole configuration.

A dataclass inside another one becomes a dictionary with its class under "type": ``package.module:Class``, or ``:Class``
for one of the module that the outermost configuration itself comes from. So a run started as a script, with
``python -m`` or from a notebook has the same settings.
"""

import dataclasses
import importlib
import operator
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TYPE = "type"


def to_json(config: Any) -> Any:
    """A configuration as JSON can hold it: dataclasses become dictionaries, tuples lists, paths strings."""
    return _write(config, type(config).__module__, outermost=True)


def from_json(content: Mapping[str, Any], config_type: type[Any]) -> Any:
    """The configuration of ``config_type`` that `to_json` wrote.

    Raises:
        ValueError: a field is unknown, or the class of a value cannot be found; names it.
    """
    return _build(config_type, content, config_type.__module__)


def _write(value: Any, home: str, *, outermost: bool = False) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: _write(getattr(value, field.name), home) for field in dataclasses.fields(value)}
        return fields if outermost else {TYPE: _name(type(value), home), **fields}
    if isinstance(value, Mapping):
        return {str(name): _write(entry, home) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_write(entry, home) for entry in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def _name(kind: type, home: str) -> str:
    module = "" if kind.__module__ == home else kind.__module__
    return f"{module}:{kind.__qualname__}"


def _read(value: Any, home: str) -> Any:
    if isinstance(value, list):
        return tuple(_read(entry, home) for entry in value)
    if not isinstance(value, dict):
        return value
    if TYPE not in value:
        return {name: _read(entry, home) for name, entry in value.items()}
    module, _, name = value[TYPE].partition(":")
    try:
        kind = operator.attrgetter(name)(importlib.import_module(module or home))
    except (ImportError, AttributeError) as error:
        raise ValueError(f"The settings name {value[TYPE]!r}, which cannot be found here ({error}).") from error
    if not dataclasses.is_dataclass(kind):
        raise ValueError(f"The settings name {value[TYPE]!r}, which is no dataclass of settings.")
    return _build(kind, {field: entry for field, entry in value.items() if field != TYPE}, home)


def _build(kind: Any, content: Mapping[str, Any], home: str) -> Any:
    known = {field.name: field.type for field in dataclasses.fields(kind)}
    unknown = sorted(set(content) - set(known))
    if unknown:
        raise ValueError(f"{kind.__name__} has no setting {unknown[0]!r}; it has {', '.join(known)}.")
    values = {name: _read(value, home) for name, value in content.items()}
    return kind(**{name: Path(value) if _is_path(known[name], value) else value for name, value in values.items()})


def _is_path(annotation: Any, value: Any) -> bool:
    return isinstance(value, str) and Path in (annotation, *typing.get_args(annotation))
