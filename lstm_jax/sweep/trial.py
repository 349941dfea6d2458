"""What is known of a trial, for who looks at a study."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class TrialView:
    """What is known of a trial."""

    number: int
    state: str
    """waiting, running, stopped (to be gone on with), done, pruned or failed."""
    values: dict[str, Any]
    """Its settings by field; empty texts where they are not chosen yet."""
    value: float | None
    """The objective: final, or of the last validation while it runs."""
    scores: dict[str, float]
    """Test scores of a finished trial, means over its seeds. Nothing is chosen by them."""
    step: int
    steps: int
    rate: float | None
    """Steps a second."""
    seconds: float | None
    """From its first claim to its end."""
    reason: str
    """Why it was pruned or has failed."""
    folder: Path
