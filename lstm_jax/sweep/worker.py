"""A worker: takes trials of a study and trains them, one after the other or several together, until none is left."""

import dataclasses
import json
import math
import signal
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from lstm_jax.sweep.patience import default_patience, patiently, trouble
from lstm_jax.sweep.settings import MEASURES
from lstm_jax.sweep.study import Claim, Study
from lstm_jax.sweep.trial import shown
from lstm_jax.train import Experiment, Interrupted, Member, NonFiniteError, Optimizer, Result, RunError, train
from lstm_jax.train import train_population as train_together
from lstm_jax.train.find import find_experiment
from lstm_jax.train.settings import to_json


class PrunedError(Exception):
    """The pruner ends a run."""


class TimeIsUpError(Exception):
    """The sweep's time ends a run, which the next worker goes on with."""


def work(folder: Path, *, deadline: float = math.inf, told: Callable[[str], None] | None = None) -> None:
    """Work on a study until no trial is left to take, or until ``deadline``.

    A study that only the time ends gets no new trials from a worker without a deadline.

    A signal stops it within seconds: what it works on is saved, and left to the next worker.

    Args:
        folder: the study's.
        deadline: the time, in seconds since the epoch, from which on no trial goes on.
        told: gets a line on each trial's beginning and end; they go to stderr if None.

    Raises:
        RunError: there is no such study, or its database or disk went on refusing.
        Interrupted: Ctrl-C or SIGTERM.
    """
    _Worker(Study(folder, patience=default_patience()), deadline, told or _say).work()


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


class _Worker:
    """Its study, and what it holds of it."""

    def __init__(self, study: Study, deadline: float, told: Callable[[str], None]) -> None:
        self._study, self._deadline, self._told = study, deadline, told
        self._build = find_experiment(study.sweep.experiment).build
        self._held: list[Claim] = []
        self._pruned: dict[int, str] = {}
        """Why the pruner has ended a trial, by number: all its seeds end with it."""

    def work(self) -> None:
        before = signal.signal(signal.SIGTERM, _stop)
        try:
            while time.time() < self._deadline:
                self._held = self._study.claim(self._study.sweep.population, timed=self._deadline < math.inf)
                if not self._held:
                    return
                ready = [(claim, built) for claim in self._held if (built := self._experiment(claim)) is not None]
                alike = defaultdict(list)
                for claim, experiment in ready:
                    alike[_shape(experiment)].append((claim, experiment))
                for group in alike.values():
                    self._train(group)
        except TimeIsUpError:
            self._told("The sweep's time is up: what was worked on is saved.")
        except KeyboardInterrupt:
            raise Interrupted("Stopped: what was worked on is saved.", signal.SIGINT) from None
        finally:
            signal.signal(signal.SIGTERM, before)
            for claim in self._held:
                claim.release()

    def _experiment(self, claim: Claim) -> Experiment | None:
        """What a trial trains; None where that crashes."""
        try:
            config = self._study.space.config(claim.values)
            experiment = self._build(config)
            return experiment if experiment.config is not None else dataclasses.replace(experiment, config=config)
        except Exception as error:
            self._crashed(claim, error)
            return None

    def _train(self, group: list[tuple[Claim, Experiment]]) -> None:
        """Train trials of one shape: together if there are several runs and the sweep has populations."""
        seeds = range(self._study.sweep.seeds)
        for claim, _ in group:
            told = ", ".join(f"{field} {shown(value)}" for field, value in claim.values.items())
            self._told(f"trial {claim.number}: {told}")
        if self._study.sweep.population > 1:
            members = [self._member(claim, experiment, seed) for claim, experiment in group for seed in seeds]
            try:
                ended = self._on_a_working_disk(lambda: train_together(members, quiet=True, **self._options))
            except Interrupted:
                raise
            except Exception as error:
                ended = [error] * len(members)
            if any(isinstance(one, TimeIsUpError) for one in ended):
                raise TimeIsUpError
            for number, (claim, _) in enumerate(group):
                self._end(claim, ended[number * len(seeds) : (number + 1) * len(seeds)])
            return
        for claim, experiment in group:
            ended = []
            for seed in seeds:
                ended.append(self._alone(self._member(claim, experiment, seed)))
                if isinstance(ended[-1], Exception):
                    break
            self._end(claim, ended)

    def _alone(self, member: Member) -> Result | Exception:
        def run() -> Result:
            return train(
                member.experiment,
                seed=member.seed,
                workdir=member.workdir,
                watch=member.watch,
                quiet=True,
                **self._options,
            )

        try:
            return self._on_a_working_disk(run)
        except (Interrupted, TimeIsUpError):
            raise
        except Exception as error:
            return error

    @property
    def _options(self) -> dict[str, Any]:
        return {"checkpoint_every": self._study.sweep.checkpoint_every}

    def _on_a_working_disk(self, action: Callable[[], Any]) -> Any:
        """A full disk is not the trial's fault: it waits, and goes on from its last checkpoint."""
        return patiently(action, self._study.patience, f"What was saved in {self._study.folder} is kept.")

    def _member(self, claim: Claim, experiment: Experiment, seed: int) -> Member:
        def watch(record: dict[str, Any]) -> None:
            if time.time() >= self._deadline:
                raise TimeIsUpError
            if claim.number in self._pruned:
                raise PrunedError(self._pruned[claim.number])
            score = record.get(self._study.objective, math.nan)
            # The others of its seeds run on if the first one does.
            if seed == 0 and math.isfinite(score) and claim.report(record["step"], score):
                reason = f"no better than others at step {record['step']} ({self._study.objective} {score:.4g})"
                self._pruned[claim.number] = reason
                raise PrunedError(reason)

        return Member(experiment, seed, claim.folder / f"seed-{seed}", watch)

    def _end(self, claim: Claim, ended: Sequence[Result | Exception]) -> None:
        """Tell the study what became of a trial."""
        error = next((one for one in ended if isinstance(one, Exception)), None)
        if isinstance(error, (PrunedError, NonFiniteError)):
            claim.prune(str(error))
            self._told(f"trial {claim.number}: pruned, {error}")
        elif error is not None:
            self._crashed(claim, error)
        else:
            self._done(claim, [one for one in ended if isinstance(one, Result)])

    def _done(self, claim: Claim, results: list[Result]) -> None:
        values = [_measure(result, self._study.objective) for result in results]
        value = sum(values) / len(values)
        if not math.isfinite(value):
            claim.prune(f"{self._study.objective} is {value} at the end")
            self._told(f"trial {claim.number}: pruned, {self._study.objective} is {value}")
            return
        names = results[0].metrics
        claim.done(value, {name: sum(r.metrics[name] for r in results) / len(results) for name in names})
        self._told(f"trial {claim.number}: done, {self._study.objective} {value:.4g}")

    def _crashed(self, claim: Claim, error: Exception) -> None:
        if trouble(error) is not None:  # not its own fault, and waiting has not helped
            raise error
        sentence = f"{type(error).__name__}: {error}" if not isinstance(error, RunError) else str(error)
        claim.crashed(sentence.splitlines()[0][:300], "".join(traceback.format_exception(error)))
        self._told(f"trial {claim.number}: crashed, {sentence.splitlines()[0]}")


def measures_of(experiment: Experiment) -> tuple[str, ...]:
    """What can be a sweep's objective: the validation scores, and what a result counts."""
    import jax
    import numpy as np

    from lstm_jax.train.state import devices_mesh, keys_of, programs

    with jax.set_mesh(devices_mesh()):
        keys = jax.eval_shape(keys_of, np.int32(0))
        start = jax.eval_shape(programs(experiment).init.function, keys)
        scored = jax.eval_shape(lambda state: state.scored, start)
        scores = jax.eval_shape(experiment.evaluate, scored, keys.validation)
    return (*scores, *MEASURES)


def _measure(result: Result, objective: str) -> float:
    return float(getattr(result, objective) if objective in MEASURES else result.validation[objective])


def _shape(experiment: Experiment) -> str:
    """What runs that are trained together have in common: all but the optimiser's numbers."""
    config = experiment.config
    plain = {
        field.name: value.with_numbers(dict.fromkeys(value.numbers)) if isinstance(value, Optimizer) else value
        for field in dataclasses.fields(config)
        for value in [getattr(config, field.name)]
    }
    return json.dumps([to_json(plain), repr(experiment.optimizer.structure), experiment.steps], sort_keys=True)


def _stop(number: int, frame: FrameType | None) -> None:
    """SIGTERM between two runs, as Ctrl-C."""
    del number, frame
    raise KeyboardInterrupt
