"""Checkpoints of a run. The only module that knows orbax."""

from pathlib import Path
from typing import Any, Self

import jax
import orbax.checkpoint as ocp

from lstm_jax.train.errors import RunError
from lstm_jax.train.state import TrainState

KEEP = 2
"""How many checkpoints are kept: the second for the case that the last one is damaged."""


class Checkpoints:
    """The checkpoints in a folder. A half-written one is never seen: it gets its name when it is whole."""

    def __init__(self, folder: Path) -> None:
        # orbax wants absolute paths.
        self._manager = ocp.CheckpointManager(
            folder.absolute(),
            options=ocp.CheckpointManagerOptions(
                preservation_policy=ocp.checkpoint_managers.LatestN(KEEP),
                cleanup_tmp_directories=True,
                # The writing goes on in a thread; only the copy to host memory is waited for.
                enable_async_checkpointing=True,
            ),
        )

    def __enter__(self) -> Self:
        """Use as a context, which waits for what is being written."""
        return self

    def __exit__(self, *error: object) -> None:
        """Wait for what is being written, and close."""
        self._manager.wait_until_finished()
        self._manager.close()

    def latest_step(self) -> int | None:
        """The last checkpoint's step, None if there is no checkpoint."""
        return self._manager.latest_step()

    def save(self, state: TrainState, meta: dict[str, Any]) -> None:
        """Begin to save ``state`` and ``meta`` (what JSON can hold); a step that is already saved is left alone."""
        step = int(state.step)
        if step == self.latest_step():
            return
        self._manager.save(
            step, args=ocp.args.Composite(state=ocp.args.StandardSave(state), meta=ocp.args.JsonSave(meta)), force=True
        )

    def restore(self, like: TrainState) -> tuple[TrainState, dict[str, Any]] | None:
        """The last checkpoint's state, with the structure and shapes of ``like``, and its meta; None without one.

        Raises:
            RunError: it has another structure or other shapes.
        """
        step = self.latest_step()
        if step is None:
            return None
        template = jax.tree.map(ocp.tree.to_shape_dtype_struct, like)
        items = ocp.args.Composite(state=ocp.args.StandardRestore(template), meta=ocp.args.JsonRestore())
        try:
            saved = self._manager.restore(step, args=items)
        except ValueError as error:
            raise RunError(
                f"The checkpoint of step {step} in {self._manager.directory} does not fit this experiment: its "
                "parameters or optimiser have changed since. Choose another --workdir."
            ) from error
        return saved["state"], saved["meta"]

    def wait(self) -> None:
        """Wait until what is being saved is whole."""
        self._manager.wait_until_finished()
