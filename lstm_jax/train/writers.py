"""Where metrics go: ``metrics.jsonl``, which is the truth, TensorBoard events beside it, and wandb if it is asked for.

A record is a flat dictionary: ``step``, ``split`` ("train" or "validation") and numbers by name.
"""

import contextlib
import hashlib
import importlib
import json
import math
import os
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, Protocol, Self

from lstm_jax.train.errors import RunError
from lstm_jax.train.folder import METRICS, write_text

Record = dict[str, Any]
_PLACE = {"step", "split"}


class Writer(Protocol):
    """Takes the records of a run, in order."""

    def write(self, record: Record) -> None:
        """Take one record."""
        ...

    def flush(self) -> None:
        """Make sure that what was taken survives the process."""
        ...

    def close(self) -> None:
        """Take no more."""
        ...


class JsonLines:
    """``metrics.jsonl``: one JSON object a line."""

    def __init__(self, workdir: Path) -> None:
        self._file = (workdir / METRICS).open("a", encoding="utf-8")

    def write(self, record: Record) -> None:
        """Append the record; numbers are written so that reading gives back every bit."""
        self._file.write(json.dumps(record) + "\n")

    def flush(self) -> None:
        """Bring the lines to the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Flush and close the file."""
        self.flush()
        self._file.close()


class TensorBoard:
    """TensorBoard events in ``tensorboard/``, by tensorboardX."""

    def __init__(self, workdir: Path, purge_step: int) -> None:
        from tensorboardX import SummaryWriter

        # Named by its first step, too: tensorboardX would write over a file of the same second.
        self._writer = SummaryWriter(
            str(workdir / "tensorboard"), purge_step=purge_step, filename_suffix=f".from{purge_step}"
        )

    def write(self, record: Record) -> None:
        """Add one point to each number's curve, ``split/name``."""
        for name, value in record.items():
            if name not in _PLACE and math.isfinite(value):  # of others it would warn each time
                self._writer.add_scalar(f"{record['split']}/{name}", value, record["step"])

    def flush(self) -> None:
        """Bring the events to the disk."""
        self._writer.flush()

    def close(self) -> None:
        """Close the event file."""
        self._writer.close()


class Wandb:
    """A run of Weights & Biases, one for each run folder: started again, it goes on."""

    def __init__(self, workdir: Path, project: str, description: Mapping[str, Any]) -> None:
        try:
            wandb: Any = importlib.import_module("wandb")
        except ImportError as error:
            raise RunError("wandb is asked for, but not installed: pip install wandb.") from error
        self._run = wandb.init(
            project=project,
            name=f"{description['experiment']} {workdir.name}",
            id=hashlib.sha256(str(workdir.absolute()).encode()).hexdigest()[:16],
            resume="allow",
            dir=str(workdir),
            config=dict(description),
        )

    def write(self, record: Record) -> None:
        """Log each number as ``split/name``; wandb itself ignores steps that it already has."""
        numbers = {f"{record['split']}/{name}": value for name, value in record.items() if name not in _PLACE}
        self._run.log(numbers, step=record["step"])

    def flush(self) -> None:
        """Nothing: wandb's own process has the records."""

    def close(self) -> None:
        """Finish the run."""
        self._run.finish()


class Metrics:
    """The records of a run: kept in memory, and passed on to the writers of its folder."""

    def __init__(self, workdir: Path | None = None, *, step: int = 0, more: tuple[Writer, ...] = ()) -> None:
        """Go on after ``step``: what a folder holds of later steps is cut off. ``more`` writers get the records too."""
        self.records: list[Record] = []
        self._writers: list[Writer] = [*more]
        self._workdir = workdir
        if workdir is not None:
            with self._told():
                self.records = cut_back(workdir, step)
                self._writers.append(JsonLines(workdir))
                with contextlib.suppress(ImportError):  # an extra: the run is whole without it
                    self._writers.append(TensorBoard(workdir, purge_step=step + 1))

    def __enter__(self) -> Self:
        """Use as a context, which closes the files."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        """Close the files; that they cannot be written is told unless another error is on its way."""
        try:
            with self._told():
                for writer in self._writers:
                    writer.close()
        except RunError:
            if kind is None:
                raise

    def write(self, record: Record) -> None:
        """Take one record."""
        self.records.append(record)
        with self._told():
            for writer in self._writers:
                writer.write(record)

    def flush(self) -> None:
        """Bring all records to the disk."""
        with self._told():
            for writer in self._writers:
                writer.flush()

    def last_validation(self) -> Record | None:
        """The last validation record."""
        return next((record for record in reversed(self.records) if record["split"] == "validation"), None)

    @contextlib.contextmanager
    def _told(self) -> Generator[None]:
        """A file that cannot be written, in one sentence."""
        try:
            yield
        except OSError as error:
            raise RunError(
                f"Cannot write the metrics in {self._workdir}: {error.strerror}. The checkpoints are whole: make room "
                "or mend the folder, and give the same command again."
            ) from error


def read(workdir: Path) -> list[Record]:
    """The records of ``metrics.jsonl``; a last line that was cut off in the middle is left out.

    Raises:
        RunError: a line in the middle is no record; names it.
    """
    path = workdir / METRICS
    if not path.exists():
        return []
    *lines, _ = path.read_text(encoding="utf-8", errors="replace").split("\n")
    records = []
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict) or not {"step", "split"} <= record.keys():
            raise RunError(
                f"{path}, line {number} is damaged: {line[:80]!r} is no record. Remove it, or start over with --fresh."
            )
        records.append(record)
    return records


def cut_back(workdir: Path, step: int) -> list[Record]:
    """Drop from ``metrics.jsonl`` what was recorded after ``step``; what is left."""
    records = [record for record in read(workdir) if record["step"] <= step]
    write_text(workdir / METRICS, "".join(json.dumps(record) + "\n" for record in records))
    return records
