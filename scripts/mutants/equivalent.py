"""Drawn mutants that change nothing that can be observed: file, function, change, and why."""

EQUIVALENT: dict[tuple[str, str, str], str] = {}
