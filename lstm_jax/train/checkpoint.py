"""Checkpoints of a run. The only module that knows orbax."""

import contextlib
import gc
import hashlib
import logging
import shutil
import sys
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, Self

import jax
import numpy as np
import orbax.checkpoint as ocp

from lstm_jax.train.errors import RunError

KEEP = 2
"""How many checkpoints are kept: the second for the case that the last one is damaged."""
DAMAGED = "damaged"
"""Where unreadable checkpoints are moved to, beside the good ones."""


class Restored(NamedTuple):
    """A checkpoint that was read."""

    saved: Any
    meta: dict[str, Any]
    damaged: tuple[str, ...]
    """A sentence for each later checkpoint that could not be read."""


class Checkpoints:
    """The checkpoints in a folder. A half-written one is never seen: it gets its name when it is whole."""

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        """Open the folder; ``read_only`` leaves everything in it as it is, half-written and damaged parts too."""
        self._folder = folder.absolute()  # orbax wants absolute paths
        # What goes wrong is told here in one sentence; orbax would log each thread's traceback as well.
        self._logger = logging.getLogger("absl")
        self._level = self._logger.level
        self._logger.setLevel(logging.CRITICAL)
        self._read_only = read_only
        try:
            self._manager = self._open()
        except OSError as error:
            self._logger.setLevel(self._level)
            raise RunError(f"Cannot write the checkpoints' folder {folder}: {error.strerror}.") from error

    def _open(self) -> ocp.CheckpointManager:
        return ocp.CheckpointManager(
            self._folder,
            options=ocp.CheckpointManagerOptions(
                preservation_policy=ocp.checkpoint_managers.LatestN(KEEP),
                create=not self._read_only,
                cleanup_tmp_directories=not self._read_only,
                # The writing goes on in a thread; only the copy to host memory is waited for.
                enable_async_checkpointing=True,
            ),
        )

    def __enter__(self) -> Self:
        """Use as a context, which waits for what is being written."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        """Wait for what is being written, and close; a failure is told unless another one is on its way."""
        try:
            self.wait()
        except RunError:
            if kind is None:
                raise
        finally:
            self._manager.close()
            self._logger.setLevel(self._level)

    def save(self, step: int, saved: Any, meta: dict[str, Any]) -> None:
        """Begin to save the pytree ``saved`` and ``meta`` (what JSON can hold); a step that is there is left alone.

        Raises:
            RunError: this checkpoint, or the one before it, could not be written.
        """
        if step == self._manager.latest_step():
            return
        meta = {**meta, "arrays": _arrays(saved), "digest": digest(saved)}
        items = ocp.args.Composite(saved=ocp.args.StandardSave(_not_empty(saved)), meta=ocp.args.JsonSave(meta))
        try:
            self._manager.save(step, args=items, force=True)
        except Exception as error:  # orbax passes on whatever its threads met
            self._refuse(error)

    def wait(self) -> None:
        """Wait until what is being saved is whole.

        Raises:
            RunError: it could not be written.
        """
        try:
            self._manager.wait_until_finished()
        except Exception as error:  # orbax passes on whatever its threads met
            self._refuse(error)

    def restore(self, like: Any) -> Restored | None:
        """The last checkpoint that can be read, with the structure, shapes and devices of ``like``; None without any.

        Raises:
            RunError: it has another structure or other shapes, or there are checkpoints and none can be read.
        """
        damaged: list[str] = []
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                with _only_the_first_error():
                    found = self._read(step, like)
            except RunError:
                raise
            except Exception as error:  # whatever a damaged file leads to
                damaged.append(f"The checkpoint of step {step} is damaged ({_reason(error)})")
                continue
            self._set_aside(len(damaged))
            return Restored(*found, tuple(damaged))
        if damaged:
            raise RunError(
                f"No checkpoint in {self._folder} can be read. {'. '.join(damaged)}. Start over with --fresh, which "
                "moves this run aside."
            )
        return None

    def _read(self, step: int, like: Any) -> tuple[Any, dict[str, Any]]:
        meta = self._manager.restore(step, args=ocp.args.Composite(meta=ocp.args.JsonRestore()))["meta"]
        self._check_arrays(step, meta["arrays"], _arrays(like))
        template = jax.tree.map(ocp.tree.to_shape_dtype_struct, _not_empty(like))
        items = ocp.args.Composite(saved=ocp.args.StandardRestore(template))
        saved = self._manager.restore(step, args=items)["saved"]
        saved = jax.tree.map(lambda read, old: read if old.size else old, saved, like)
        if digest(saved) != meta["digest"]:
            raise ValueError("its content is not what was written")
        return saved, meta

    def _check_arrays(self, step: int, there: dict[str, str], here: dict[str, str]) -> None:
        """Refuse a checkpoint of another model or optimiser, naming the first array that differs."""
        for name in [*here, *there]:
            old, new = there.get(name, "nothing"), here.get(name, "nothing")
            if old != new:
                raise RunError(
                    f"The checkpoint of step {step} in {self._folder} is of another model or optimiser: {name} is "
                    f"{old} there and {new} here. Choose another --workdir, or start over with --fresh, which moves "
                    "the old run aside."
                )

    def _set_aside(self, count: int) -> None:
        """Move the last ``count`` checkpoints, which are damaged, out of the way of new ones."""
        if count == 0 or self._read_only:
            return
        for step in sorted(self._manager.all_steps())[-count:]:
            aside = self._folder.parent / DAMAGED / str(step)
            shutil.rmtree(aside, ignore_errors=True)
            aside.parent.mkdir(exist_ok=True)
            (self._folder / str(step)).rename(aside)
        self._manager.close()
        self._manager = self._open()

    def _refuse(self, error: Exception) -> NoReturn:
        good = max((int(path.name) for path in self._folder.iterdir() if path.name.isdigit()), default=None)
        kept = "there is no earlier one" if good is None else f"that of step {good} is good"
        raise RunError(
            f"Cannot save a checkpoint in {self._folder} ({_reason(error)}); {kept}. Make room or mend the folder, "
            "and give the same command again."
        ) from error


@contextlib.contextmanager
def _only_the_first_error() -> Generator[None]:
    """Orbax reads in many tasks: where one fails, the failures of the others are not to be told one by one."""
    logger = logging.getLogger("asyncio")
    before, told = logger.disabled, sys.unraisablehook

    def hook(unraisable: Any) -> None:
        # A read that ends later, in a thread of its own, finds its event loop closed.
        if str(unraisable.exc_value) != "Event loop is closed":
            told(unraisable)

    logger.disabled, sys.unraisablehook = True, hook
    try:
        yield
        sys.unraisablehook = told
    except Exception:
        gc.collect()  # a task's failure is logged when the task is collected
        raise
    finally:
        logger.disabled = before


def digest(tree: Any) -> str:
    """A checksum of every bit of a pytree's leaves: a disk that returns other bits than it was given is noticed."""
    total = hashlib.sha256()
    for leaf in jax.tree.leaves(tree):
        is_key = jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        total.update(np.asarray(jax.random.key_data(leaf) if is_key else leaf).tobytes())
    return total.hexdigest()


def _not_empty(tree: Any) -> Any:
    """The tree with a single zero for each array without elements, which orbax refuses to save."""
    return jax.tree.map(lambda leaf: leaf if leaf.size else np.zeros(1, leaf.dtype), tree)


def _arrays(tree: Any) -> dict[str, str]:
    """Dtype and shape of every leaf, by its dotted path."""
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    name = partial(jax.tree_util.keystr, simple=True, separator=".")
    return {name(path): f"{leaf.dtype}{list(leaf.shape)}" for path, leaf in leaves}


_REASONS = {
    "No space left on device": "no space left on the device",
    "Disk quota exceeded": "the disk quota is used up",
    "File too large": "a file is larger than is allowed here",
    "Read-only file system": "the file system is read-only",
    "Permission denied": "permission denied",
    "CRC-32C": "a checksum is wrong",
    "No such file": "a file is missing",
    "not found": "a file is missing",
    "NOT_FOUND": "a file is missing",
}


def _reason(error: BaseException) -> str:
    """What went wrong, in a few words: orbax and tensorstore tell it in pages."""
    text = str(error)
    known = next((words for phrase, words in _REASONS.items() if phrase in text), None)
    lines = text.strip().splitlines() or [type(error).__name__]
    return known or lines[0].split(" [")[0][:100].rstrip(".: ")
