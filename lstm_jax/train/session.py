"""A run in this process: what it has reached, its files, and what each call of steps did to it."""

import contextlib
import functools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import jax
import numpy as np

from lstm_jax.data.buckets import Buckets
from lstm_jax.data.host_batches import Ahead, HostBatches
from lstm_jax.data.table import DataError
from lstm_jax.driver.dependence import looked_at
from lstm_jax.train import folder, processes
from lstm_jax.train.errors import Interrupted, NonFiniteError, RunError
from lstm_jax.train.experiment import Experiment
from lstm_jax.train.nonfinite import find_non_finite
from lstm_jax.train.progress import Silent, progress
from lstm_jax.train.result import Result, provenance
from lstm_jax.train.saved import Best, Saved, check_reached
from lstm_jax.train.settings import to_json
from lstm_jax.train.signals import signal_name
from lstm_jax.train.state import Records, TrainState, data_key, programs
from lstm_jax.train.writers import Metrics, Record, read


class Call(NamedTuple):
    """A dispatched call of steps ``start + 1 ... end`` and the validation at ``end``, if there is one."""

    start: int
    end: int
    state: TrainState
    records: Records
    validation: dict[str, jax.Array] | None


class Session:
    """A run in this process: what has been reached, and its files."""

    def __init__(
        self,
        experiment: Experiment,
        seed: int,
        workdir: Path | None,
        checkpoint_every: float,
        quiet: bool,
        stack: contextlib.ExitStack,
        watch: Callable[[Record], None] | None,
    ) -> None:
        self.experiment, self.seed, self.workdir, self._watch = experiment, seed, workdir, watch
        functions = programs(experiment)
        self.keys = functions.keys(np.int32(seed))
        state = functions.init(self.keys)
        self.saved = Saved(state, Best.none_yet(state.scored))
        self.seconds = self.compile_seconds = 0.0
        self.writers: tuple[Any, ...] = ()
        self.checkpoints = None
        self.notes: list[str] = []
        if workdir is not None:
            from lstm_jax.train.checkpoint import Checkpoints  # orbax takes a second to import

            self.checkpoints = stack.enter_context(Checkpoints(workdir / folder.CHECKPOINTS))
            if (restored := self.checkpoints.restore(self.saved)) is not None:
                self.saved = restored.saved
                self.seconds, self.compile_seconds = restored.meta["seconds"], restored.meta["compile_seconds"]
                self.notes = [f"{damage}; the one before it is used." for damage in restored.damaged]
        self.first = int(self.saved.state.step)
        self.checkpoint_every, self.quiet, self.stack = checkpoint_every, quiet, stack
        self.told_of_scores = False
        self.begun = self.last_save = time.monotonic()

    def result(self) -> Result | None:
        """The result of a run that is finished already, None while steps are left to take."""
        path = self.workdir
        if path is None:
            return None
        if (finished := _finished(path)) is not None:
            complete = finished["steps"] if finished["stopped"] else self.experiment.steps
            if self.first >= complete:
                check_reached(finished["steps"], self.experiment.steps, path)
                return Result(**finished, params=self.saved.best.params, history=tuple(read(path)), workdir=path)
            if processes.is_first():  # more steps are asked for, or the last checkpoint is damaged
                (path / folder.RESULT).unlink()
        check_reached(self.first, self.experiment.steps, path)
        return None

    def open(self) -> bool:
        """Say what begins, and open the files; whether the validation that ended the training is on record."""
        experiment = self.experiment
        self.progress = Silent() if self.quiet else progress(experiment.name, self.first, experiment.steps)
        for note in [*experiment.notes, *self.notes, *self._remarks(), self._greeting()]:
            self.progress.say(note)
        folder_of_first = self.workdir if processes.is_first() else None
        self.metrics = self.stack.enter_context(Metrics(folder_of_first, step=self.first, more=self.writers))
        if (gap := self._missing_records()) is not None:
            self.progress.say(
                f"{folder.METRICS} lacks steps {gap[0]} to {gap[1]}, which are not taken again: it was damaged."
            )
        for record in self.metrics.records:
            if record["split"] == "validation":
                self._tell(record)
        # Killed between the last checkpoint and the result: the validation that ended the run is on record.
        last = self.metrics.last_validation()
        ended = last is not None and last["step"] == self.first and (self._stops(last) or self._out_of_patience())
        return bool(processes.agreed(int(ended)))

    def _missing_records(self) -> tuple[int, int] | None:
        """The first and last step up to here that have no training record."""
        if self.workdir is None or not processes.is_first():
            return None
        every = self.experiment.log_every
        known = {record["step"] for record in self.metrics.records if record["split"] == "train"}
        missing = [step for step in range(every, self.first + 1, every) if step not in known]
        return (missing[0], missing[-1]) if missing else None

    def finish(self, saved: Saved, stopped: bool) -> Result:
        """Score the test data and write the result."""
        experiment, best = self.experiment, saved.best
        metrics = _floats(programs(experiment).test(best.params, self.keys.test))
        if experiment.scores_on_host is not None:
            metrics |= _floats(dict(experiment.scores_on_host(jax.device_get(best.params))))
        steps = int(saved.state.step)
        self._save()
        if experiment.report is not None and self.workdir is not None and processes.is_first():
            experiment.report(jax.device_get(best.params), self.workdir)
        result = Result(
            experiment=experiment.name,
            seed=self.seed,
            config=to_json(experiment.config),
            metrics=metrics,
            validation=self._scores_at(int(best.step)),
            metric=experiment.metric,
            baseline=experiment.baseline,
            solved=None if experiment.solved is None else bool(experiment.solved(metrics)),
            stopped=stopped,
            steps=steps,
            best_step=int(best.step),
            sequences=steps * experiment.batch_size,
            seconds=round(self._elapsed(), 3),
            compile_seconds=round(self.compile_seconds, 3),
            params=best.params,
            history=tuple(self.metrics.records),
            workdir=self.workdir,
            **provenance(),
        )
        if self.workdir is not None and self.checkpoints is not None:
            # The result says that the run is finished: what it rests on must be on the disk before it.
            self.checkpoints.wait()
            if processes.is_first():
                folder.write_json(self.workdir / folder.RESULT, result.to_json())
        return result

    def settle(self, call: Call) -> bool:
        """Write down what a call did, and save it when it is time; whether its validation ends the training."""
        taken = int(call.records.taken)
        values = {name: np.asarray(value)[: taken + 1] for name, value in call.records.metrics.items()}
        for index in range(taken):
            step = call.start + index + 1
            if step % self.experiment.log_every == 0:
                numbers = {name: float(value[index]) for name, value in values.items()}
                self.metrics.write({"step": step, "split": "train", **numbers})
        self.saved = Saved(call.state, self.saved.best)
        if not bool(call.records.finite):
            self._refuse_non_finite(call, values, taken)
        validation, stops = None, False
        if call.validation is not None:
            validation = _floats(call.validation)
            clock = {"seconds": round(self._elapsed(), 3)}
            record = {"step": call.end, "split": "validation", **validation, **clock}
            self.metrics.write(record)
            score = validation[self.experiment.metric]
            if not np.isfinite(score) and not self.told_of_scores:
                self.told_of_scores = True
                self.progress.say(f"The validation {self.experiment.metric} is {score} at step {call.end}.")
            first = self.saved.best.step < 0
            # What met the rule is what is tested: a metric that has reached its best would keep an earlier one.
            stops = self._stops(validation)
            if first or stops or self.experiment.better(score, float(self.saved.best.score)):
                self.saved = Saved(call.state, Best.at(call.end, score, call.state.scored))
            self._tell(record)
        name = self.experiment.metric
        told = "" if validation is None else f"validation {name} {validation[name]:.4g}"
        self.progress.update(call.end, float(values["loss"][taken - 1]), told)
        if processes.agreed(int(time.monotonic() - self.last_save >= self.checkpoint_every)):
            self._save()
        # The records of an earlier session are in the first process alone.
        return validation is not None and bool(processes.agreed(int(stops or self._out_of_patience())))

    def batches(self, count: int) -> Any:
        """What the host reads for the next ``count`` steps, ``[steps_per_call, ...]``; None if they draw their own."""
        try:
            return None if self._ahead is None else self._ahead.take(count)
        except DataError as error:
            raise RunError(f"{self.experiment.name} cannot read its batches: {error}") from error

    @functools.cached_property
    def _ahead(self) -> Ahead | None:
        batch = self.experiment.batch
        if not isinstance(batch, HostBatches):
            return None
        key = data_key(self.saved.state)
        return self.stack.enter_context(batch.ahead(key, self.first, self.experiment.steps_per_call))

    def numbers(self) -> dict[str, Any]:
        """The optimiser's numbers for the next call."""
        optimizer = self.experiment.optimizer
        if optimizer.average_after is None:
            return optimizer.numbers_at(None)
        # The records of an earlier session are in the first process alone.
        start = processes.agreed(-1 if (found := self._average_from(optimizer.average_after)) is None else found)
        return optimizer.numbers_at(None if start < 0 else start)

    def _average_from(self, patience: int) -> int | None:
        """The step from which on parameters are averaged, as the validations on record say; None: not yet."""
        scores: list[float] = []
        for record in self.metrics.records:
            if record["split"] != "validation":
                continue
            score = record[self.experiment.metric]
            # Not before the call that is on its way when a validation is read: a resumed run begins at the same step.
            if any(self.experiment.better(old, score) for old in scores[:-patience]):
                return record["step"] + self.experiment.steps_per_call
            scores.append(score)
        return None

    def _tell(self, validation: Record) -> None:
        """Tell who watches; what comes of it ends the run, saved."""
        if self._watch is None:
            return
        try:
            self._watch(validation)
        except BaseException:
            self._save()
            raise

    def _scores_at(self, step: int) -> dict[str, float]:
        """What was validated at a step, as far as it is on record."""
        found = [r for r in self.metrics.records if r["split"] == "validation" and r["step"] == step]
        return {name: value for name, value in (found or [{}])[-1].items() if name not in _NOT_SCORES}

    def _out_of_patience(self) -> bool:
        """Whether the last validations were no better than the best one for long enough."""
        if self.experiment.patience is None:
            return False
        since = [r for r in self.metrics.records if r["split"] == "validation" and r["step"] > self.saved.best.step]
        return len(since) >= self.experiment.patience

    def _stops(self, validation: dict[str, Any]) -> bool:
        """Whether these scores end the training by the experiment's rule."""
        return self.experiment.stops({name: value for name, value in validation.items() if name not in _NOT_SCORES})

    def _save(self) -> None:
        self.metrics.flush()
        if self.checkpoints is not None:
            meta = {"seconds": self._elapsed(), "compile_seconds": self.compile_seconds}
            self.checkpoints.save(int(self.saved.state.step), self.saved, meta)
        self.last_save = time.monotonic()

    def _refuse_non_finite(self, call: Call, values: dict[str, np.ndarray], taken: int) -> NoReturn:
        self._save()
        loss, norm = float(values["loss"][taken]), float(values["grad_norm"][taken])
        if not np.isfinite(loss):
            what = f"the loss is {loss}"
        elif not np.isfinite(norm):
            what = f"the loss is {loss:.4g}, but the norm of its gradient is {norm}"
        else:
            what = "the update makes parameters infinite or not a number"
        where = find_non_finite(self.experiment, call.state)
        kept = f" The state before it is kept in {self.workdir}." if self.workdir is not None else ""
        raise NonFiniteError(f"{self.experiment.name} stopped at step {call.start + taken + 1}: {what}; {where}{kept}")

    def interrupt(self, number: int) -> NoReturn:
        """Save, and say that the signal ``number`` ended the run."""
        self._save()
        if self.checkpoints is not None:
            self.checkpoints.wait()
        raise Interrupted(
            f"Stopped by {signal_name(number)} after step {int(self.saved.state.step)} of {self.experiment.steps}, "
            f"which is saved in {self.workdir}: the same command goes on from there.",
            number,
        )

    def _remarks(self) -> list[str]:
        """What is allowed, but seldom meant."""
        batch, remarks = self.experiment.batch, []
        if not isinstance(batch, Buckets | HostBatches) and not looked_at(batch, self.keys.train, np.int32(0))[1]:
            remarks.append(
                "The batch does not depend on step, so every step sees the same one: fold step into the key to draw "
                "others (jax.random.fold_in(key, step))."
            )
        if self.workdir is not None and self.experiment.config is None:
            remarks.append(
                "Experiment.config is None, so the run folder cannot tell this run from one with other settings, and "
                "load_run needs the experiment: pass config=config."
            )
        return remarks

    def _greeting(self) -> str:
        begin = f"going on after step {self.first}" if self.first else "compiling"
        where = "" if self.workdir is None else f" in {self.workdir}"
        devices = jax.device_count()
        on = f" on {devices} devices" if devices > 1 else ""
        return f"{self.experiment.name}: {begin}{on}, at most {self.experiment.steps} steps{where}"

    def _elapsed(self) -> float:
        return self.seconds + time.monotonic() - self.begun


def _finished(path: Path) -> dict[str, Any] | None:
    """The result in the folder; None, too, where it is damaged, because it can be had again from the checkpoint."""
    try:
        return folder.read_json(path / folder.RESULT)
    except RunError:
        return None


def next_call(experiment: Experiment, done: int) -> tuple[int, bool]:
    """How many steps come next, and whether a validation: calls end at validations and never cross the last step."""
    every, size = experiment.evaluate_every, experiment.steps_per_call
    end = done + min(every - done % every, size - done % size, experiment.steps - done)
    return end - done, end % every == 0 or end == experiment.steps


def check_metric(experiment: Experiment, scores: Mapping[str, Any]) -> None:
    """Refuse a metric that ``evaluate`` does not give."""
    if experiment.metric not in scores:
        names = ", ".join(scores) or "nothing"
        raise RunError(f"Experiment.metric is {experiment.metric!r}, but evaluate gives {names}.")


_NOT_SCORES = {"step", "split", "seconds"}


def _floats(metrics: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items()}
