"""The training loop: dispatch a call of many steps, then read the metrics of the call before it.

The device never waits for the host: while it computes a call, the host writes down the last one. Only what has been
written down is ever saved, so a checkpoint and ``metrics.jsonl`` always agree.
"""

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax.train import folder
from lstm_jax.train.errors import Interrupted, NonFiniteError, RunError
from lstm_jax.train.experiment import Experiment, settings
from lstm_jax.train.progress import Silent, progress
from lstm_jax.train.result import Result, provenance
from lstm_jax.train.signals import Signals
from lstm_jax.train.state import Records, TrainState, check_seed, compiled, initial_state, keys_of, programs
from lstm_jax.train.writers import Metrics, read


def train(
    experiment: Experiment,
    *,
    seed: int = 0,
    workdir: str | os.PathLike[str] | None = None,
    checkpoint_every: float = 30.0,
    quiet: bool = False,
) -> Result:
    """Train until validation says stop or the steps are used up, then score the test data, once.

    With a ``workdir`` the run is kept there: called again with the same arguments it goes on from its last checkpoint,
    to the same numbers as if it had never stopped, or gives its result if it is finished. Ctrl-C and SIGTERM save a
    checkpoint first. Without one nothing is written.

    Args:
        experiment: what to train.
        seed: all randomness of the run: initial parameters, data, noise; 0 <= seed < 2**31.
        workdir: the run folder, made if it does not exist.
        checkpoint_every: seconds between two checkpoints; 0 saves after every call.
        quiet: show no progress on stderr.

    Raises:
        RunError: the folder holds another run or cannot be written, or the experiment's functions do not fit together.
        NonFiniteError: the loss, a gradient or a parameter became infinite or not a number; names the step.
        Interrupted: Ctrl-C or SIGTERM, with a ``workdir`` only.
        ValueError: ``seed`` is out of range.
    """
    check_seed(seed)
    path = None if workdir is None else Path(workdir)
    if path is not None:
        folder.claim(path, describe(experiment, seed))
    with contextlib.ExitStack() as stack:
        session = _Session(experiment, seed, path, checkpoint_every, quiet, stack)
        if path is not None and (finished := folder.read_result(path)) is not None:
            return Result(**finished, params=session.state.params, history=tuple(read(path)), workdir=path)
        return session.finish(session.run())


def describe(experiment: Experiment, seed: int) -> dict[str, Any]:
    """The content of ``config.json``: what identifies the run, and what its pictures need."""
    return {
        "experiment": experiment.name,
        "seed": seed,
        "config": settings(experiment.config),
        "metric": experiment.metric,
        "baseline": experiment.baseline,
        "target": experiment.target,
    }


class _Call(NamedTuple):
    """A dispatched call of steps ``start + 1 ... end`` and the validation at ``end``, if there is one."""

    start: int
    end: int
    state: TrainState
    records: Records
    validation: dict[str, jax.Array] | None


class _Session:
    """One process's share of a run."""

    def __init__(
        self,
        experiment: Experiment,
        seed: int,
        workdir: Path | None,
        checkpoint_every: float,
        quiet: bool,
        stack: contextlib.ExitStack,
    ) -> None:
        self.experiment, self.seed, self.workdir = experiment, seed, workdir
        self.keys = keys_of(seed)
        self.state = initial_state(experiment, self.keys)
        self.seconds = self.compile_seconds = 0.0
        self.checkpoints = None
        if workdir is not None:
            from lstm_jax.train.checkpoint import Checkpoints  # orbax takes a second to import

            self.checkpoints = stack.enter_context(Checkpoints(workdir / "checkpoints"))
            if (restored := self.checkpoints.restore(self.state)) is not None:
                self.state, meta = restored
                self.seconds, self.compile_seconds = meta["seconds"], meta["compile_seconds"]
        self.first = int(self.state.step)
        self.checkpoint_every, self.quiet, self.stack = checkpoint_every, quiet, stack
        self.signals = Signals()
        self.begun = self.saved = time.monotonic()

    def run(self) -> TrainState:
        """Take the steps that are left; the final state."""
        experiment, state = self.experiment, self.state
        display = Silent() if self.quiet else progress(experiment.name, self.first, experiment.steps)
        display.say(self._greeting())
        if self.workdir is not None:
            self.stack.enter_context(self.signals)
        self._compile()
        self.metrics = self.stack.enter_context(Metrics(self.workdir, step=self.first))
        # Killed between the last checkpoint and the result: the validation that ended the run is on record.
        last = self.metrics.validation_at(self.first)
        if last is not None and experiment.stops(_numbers(last)):
            return state
        self.progress = self.stack.enter_context(display)
        pending: _Call | None = None
        while True:
            done = self.first if pending is None else pending.end
            go_on = done < experiment.steps and self.signals.received is None
            call = self._dispatch(state if pending is None else pending.state, done) if go_on else None
            if pending is not None:
                state = pending.state
                if self._settle(pending):
                    return state
            if self.signals.received is not None:
                self._interrupt(state)
            if call is None:
                return state
            pending = call

    def finish(self, state: TrainState) -> Result:
        """Score the test data and write the result."""
        metrics = _floats(self.evaluate(state.params, self.keys.test))
        steps = int(state.step)
        result = Result(
            experiment=self.experiment.name,
            seed=self.seed,
            config=settings(self.experiment.config),
            metrics=metrics,
            metric=self.experiment.metric,
            baseline=self.experiment.baseline,
            solved=bool(self.experiment.solved(metrics)),
            steps=steps,
            sequences=steps * self.experiment.batch_size,
            seconds=round(self._elapsed(), 3),
            compile_seconds=round(self.compile_seconds, 3),
            params=state.params,
            history=tuple(self.metrics.records),
            workdir=self.workdir,
            **provenance(),
        )
        self._save(state)
        if self.workdir is not None and self.checkpoints is not None:
            # The result says that the run is finished: what it rests on must be on the disk before it.
            self.checkpoints.wait()
            folder.write_json(self.workdir / folder.RESULT, result.to_json())
        return result

    def _compile(self) -> None:
        functions = programs(self.experiment)
        self.advance, seconds = compiled(functions.advance, self.state, jnp.int32(0))
        self.evaluate, more = compiled(functions.evaluate, self.state.params, self.keys.validation)
        self.compile_seconds += seconds + more
        names = list(self.evaluate.out_info)
        if self.experiment.metric not in names:
            raise RunError(
                f"Experiment.metric is {self.experiment.metric!r}, but evaluate gives {', '.join(names) or 'nothing'}."
            )

    def _dispatch(self, state: TrainState, done: int) -> _Call:
        """Start the next call without waiting for it; calls end at validations and never cross the last step."""
        experiment = self.experiment
        every, size = experiment.evaluate_every, experiment.steps_per_call
        count = min(every - done % every, size - done % size, experiment.steps - done)
        state, records = self.advance(state, jnp.int32(count))
        end = done + count
        validate = end % every == 0 or end == experiment.steps
        return _Call(done, end, state, records, self.evaluate(state.params, self.keys.validation) if validate else None)

    def _settle(self, call: _Call) -> bool:
        """Write down what a call did, and save it when it is time; whether its validation ends the training."""
        taken = int(call.records.taken)
        values = {name: np.asarray(value)[: taken + 1] for name, value in call.records.metrics.items()}
        for index in range(taken):
            step = call.start + index + 1
            if step % self.experiment.log_every == 0:
                numbers = {name: float(value[index]) for name, value in values.items()}
                self.metrics.write({"step": step, "split": "train", **numbers})
        if not bool(call.records.finite):
            self._refuse_non_finite(call, values, taken)
        validation = None
        if call.validation is not None:
            validation = _floats(call.validation)
            clock = {"seconds": round(self._elapsed(), 3)}
            self.metrics.write({"step": call.end, "split": "validation", **validation, **clock})
        name = self.experiment.metric
        told = "" if validation is None else f"validation {name} {validation[name]:.4g}"
        self.progress.update(call.end, float(values["loss"][taken - 1]), told)
        if time.monotonic() - self.saved >= self.checkpoint_every:
            self._save(call.state)
        return validation is not None and self.experiment.stops(validation)

    def _save(self, state: TrainState) -> None:
        self.metrics.flush()
        if self.checkpoints is not None:
            meta = {"seconds": self._elapsed(), "compile_seconds": self.compile_seconds}
            self.checkpoints.save(state, meta)
        self.saved = time.monotonic()

    def _refuse_non_finite(self, call: _Call, values: dict[str, np.ndarray], taken: int) -> NoReturn:
        self._save(call.state)
        loss, norm = float(values["loss"][taken]), float(values["grad_norm"][taken])
        if not np.isfinite(loss):
            what = f"the loss is {loss}"
        elif not np.isfinite(norm):
            what = f"the loss is {loss:.4g}, but the norm of its gradient is {norm}"
        else:
            what = "the update makes parameters infinite or not a number"
        kept = f" The state before it is kept in {self.workdir}." if self.workdir is not None else ""
        raise NonFiniteError(
            f"{self.experiment.name} stopped at step {call.start + taken + 1}: {what}.{kept} "
            "A smaller learning rate or stronger gradient clipping may help."
        )

    def _interrupt(self, state: TrainState) -> NoReturn:
        self._save(state)
        number = self.signals.received or signal.SIGTERM
        name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        raise Interrupted(
            f"Stopped by {name} after step {int(state.step)} of {self.experiment.steps}, which is saved in "
            f"{self.workdir}: the same command goes on from there.",
            number,
        )

    def _greeting(self) -> str:
        begin = f"going on after step {self.first}" if self.first else "compiling"
        where = "" if self.workdir is None else f" in {self.workdir}"
        return f"{self.experiment.name}: {begin}, at most {self.experiment.steps} steps{where}"

    def _elapsed(self) -> float:
        return self.seconds + time.monotonic() - self.begun


def _floats(metrics: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items()}


def _numbers(record: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in record.items() if name not in {"step", "split", "seconds"}}
