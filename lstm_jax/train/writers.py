"""Where metrics go: ``metrics.jsonl``, which is the truth, and TensorBoard events beside it.

A record is a flat dictionary: ``step``, ``split`` ("train" or "validation") and numbers by name.
"""

import contextlib
import json
import os
from pathlib import Path
from typing import Any, Protocol, Self

from lstm_jax.train.folder import METRICS, write_text

Record = dict[str, Any]


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

        self._writer = SummaryWriter(str(workdir / "tensorboard"), purge_step=purge_step)

    def write(self, record: Record) -> None:
        """Add one point to each number's curve, ``split/name``."""
        for name, value in record.items():
            if name not in {"step", "split"}:
                self._writer.add_scalar(f"{record['split']}/{name}", value, record["step"])

    def flush(self) -> None:
        """Bring the events to the disk."""
        self._writer.flush()

    def close(self) -> None:
        """Close the event file."""
        self._writer.close()


class Metrics:
    """The records of a run: kept in memory, and passed on to the writers of its folder."""

    def __init__(self, workdir: Path | None = None, *, step: int = 0) -> None:
        """Go on after ``step``: what a folder holds of later steps is cut off."""
        self.records: list[Record] = []
        self._writers: list[Writer] = []
        if workdir is not None:
            self.records = cut_back(workdir, step)
            self._writers.append(JsonLines(workdir))
            with contextlib.suppress(ImportError):  # an extra: the run is whole without it
                self._writers.append(TensorBoard(workdir, purge_step=step + 1))

    def __enter__(self) -> Self:
        """Use as a context, which closes the files."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the files."""
        for writer in self._writers:
            writer.close()

    def write(self, record: Record) -> None:
        """Take one record."""
        self.records.append(record)
        for writer in self._writers:
            writer.write(record)

    def flush(self) -> None:
        """Bring all records to the disk."""
        for writer in self._writers:
            writer.flush()

    def validation_at(self, step: int) -> Record | None:
        """The validation record of just this step, if it was validated."""
        for record in reversed(self.records):
            if record["step"] < step:
                break
            if record["split"] == "validation" and record["step"] == step:
                return record
        return None


def read(workdir: Path) -> list[Record]:
    """The records of ``metrics.jsonl``; a last line that was cut off in the middle is left out."""
    path = workdir / METRICS
    if not path.exists():
        return []
    *lines, _ = path.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines]


def cut_back(workdir: Path, step: int) -> list[Record]:
    """Drop from ``metrics.jsonl`` what was recorded after ``step``; what is left."""
    records = [record for record in read(workdir) if record["step"] <= step]
    write_text(workdir / METRICS, "".join(json.dumps(record) + "\n" for record in records))
    return records
