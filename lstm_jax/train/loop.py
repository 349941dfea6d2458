"""The training loop: dispatch a call of many steps, then read the metrics of the call before it.

The device never waits for the host: while it computes a call, the host writes down the last one. Only what has been
written down is ever saved, so a checkpoint and ``metrics.jsonl`` always agree.
"""

import contextlib
import os
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from lstm_jax.train import folder, processes
from lstm_jax.train.cache import use_compilation_cache
from lstm_jax.train.errors import Interrupted, RunError
from lstm_jax.train.experiment import Experiment
from lstm_jax.train.result import Result
from lstm_jax.train.saved import describe
from lstm_jax.train.session import Call, Session, check_metric, next_call
from lstm_jax.train.signals import Signals
from lstm_jax.train.state import TrainState, check_seed, devices_mesh, programs, together
from lstm_jax.train.writers import Record, Wandb


def train(
    experiment: Experiment,
    *,
    seed: int = 0,
    workdir: str | os.PathLike[str] | None = None,
    fresh: bool = False,
    checkpoint_every: float = 30.0,
    wandb: str | None = None,
    quiet: bool = False,
    watch: Callable[[Record], None] | None = None,
) -> Result:
    """Train until validation says stop or the steps are used up, then score the test data, once.

    The parameters with the best validation score are the ones that are tested and returned. Each batch is laid out over
    all devices of JAX (`lstm_jax.use_cpu_cores` makes one of each core), and of all processes of `jax.distributed`;
    a batch that does not divide by their number is filled up with rows that count for nothing.

    With a ``workdir`` the run is kept there: called again with the same arguments it goes on from its last checkpoint,
    to the same numbers as if it had never stopped, or gives its result if it is finished; with more ``steps`` it is
    continued. Ctrl-C and SIGTERM save a checkpoint first. Without one nothing is written.

    Args:
        experiment: what to train.
        seed: all randomness of the run: initial parameters, data, noise; 0 <= seed < 2**31.
        workdir: the run folder, made if it does not exist.
        fresh: start over; a run that is in ``workdir`` is moved to a folder beside it.
        checkpoint_every: seconds between two checkpoints; 0 saves after every call.
        wandb: a project of Weights & Biases that gets the metrics, too.
        quiet: show no progress on stderr.
        watch: gets the record of every validation, those before a resumption too. What it raises ends the run, saved,
            and is passed on.

    Raises:
        RunError: the folder holds another run, is in use or cannot be written; no checkpoint in it can be read; or the
            experiment's functions do not fit together.
        NonFiniteError: the loss, a gradient or a parameter became infinite or not a number; says where.
        Interrupted: Ctrl-C or SIGTERM, with a ``workdir`` only.
        ValueError: ``seed`` is out of range.
    """
    if wandb is not None and workdir is None:
        raise ValueError("wandb needs a workdir, which it keeps its files in.")
    member = Member(experiment, seed, None if workdir is None else Path(workdir), watch)
    quiet = quiet or not processes.is_first()
    with _prepared() as stack:
        session = _session(stack, member, checkpoint_every, quiet, fresh)
        if (there := session.result()) is not None:
            return there
        if wandb is not None and member.workdir is not None and processes.is_first():
            session.writers = (Wandb(member.workdir, wandb, describe(experiment, seed)),)
        signals = stack.enter_context(Signals(quiet=quiet)) if member.workdir is not None else Signals()
        with _memory_told(experiment):
            ended = _run([session], _One(session), signals)[0]
            if isinstance(ended, Exception):
                raise ended
            return session.finish(session.saved, ended)


class Member(NamedTuple):
    """A run of a population."""

    experiment: Experiment
    seed: int
    workdir: Path | None = None
    watch: Callable[[Record], None] | None = None


def train_population(
    members: Sequence[Member], *, checkpoint_every: float = 30.0, quiet: bool = False
) -> list[Result | Exception]:
    """Train several runs of one experiment together, in one program: each step takes a step of each (`jax.vmap`).

    They may differ in their seeds and in the optimiser's ``TRACED`` settings. Each keeps its own folder and ends by
    itself, and is what `train` would have made of it alone, but for rounding; started alone later it goes on.

    Args:
        members: the runs; their experiments must be built of settings that differ in no other way.
        checkpoint_every: seconds between two checkpoints.
        quiet: show nothing on stderr.

    Returns:
        What became of each: its result, or the error that ended it alone.

    Raises:
        Interrupted: Ctrl-C or SIGTERM; all are saved.
        ValueError: the optimisers differ in more than their numbers, or there are several processes.
        RunError: the experiment's functions do not fit together.
    """
    structures = {(member.experiment.optimizer.structure, member.experiment.steps) for member in members}
    if len(structures) != 1:
        raise ValueError("A population has one optimiser and one number of steps, but for the optimiser's numbers.")
    if jax.process_count() > 1:
        raise ValueError("A population is trained by one process: start several, each with its own.")
    outcomes: dict[int, Result | Exception] = {}
    with _prepared() as stack:
        signals = stack.enter_context(Signals(quiet=quiet))
        sessions: dict[int, Session] = {}
        for number, member in enumerate(members):
            try:
                session = _session(stack, member, checkpoint_every, True, False)
                there = session.result()
            except RunError as error:
                outcomes[number] = error
                continue
            if there is None:
                sessions[number] = session
            else:
                outcomes[number] = there
        if sessions:
            experiment = members[0].experiment
            chosen = [*sessions.values()]
            with _memory_told(experiment):
                ended = _run(chosen, _Many(chosen), signals)
                for number, session, end in zip(sessions, chosen, ended, strict=True):
                    outcomes[number] = end if isinstance(end, Exception) else session.finish(session.saved, end)
    return [outcomes[number] for number in range(len(members))]


@contextlib.contextmanager
def _prepared() -> Generator[contextlib.ExitStack]:
    """The compilation cache, and a mesh of all devices; what is opened in between is closed at the end."""
    use_compilation_cache()
    with contextlib.ExitStack() as stack:
        stack.enter_context(jax.set_mesh(devices_mesh()))
        yield stack


@contextlib.contextmanager
def _memory_told(experiment: Experiment) -> Generator[None]:
    """Too little memory, in one sentence."""
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise RunError(
            f"{experiment.name} ran out of memory on {jax.devices()[0].device_kind}: a smaller batch, shorter "
            "sequences, or unroll's remat=True need less. What was saved is kept."
        ) from error


def _session(stack: contextlib.ExitStack, member: Member, checkpoint_every: float, quiet: bool, fresh: bool) -> Session:
    """The run's folder claimed, and what is in it."""
    check_seed(member.seed)
    moved = _claim(stack, member.workdir, describe(member.experiment, member.seed), fresh)
    session = Session(member.experiment, member.seed, member.workdir, checkpoint_every, quiet, stack, member.watch)
    if moved is not None:
        session.notes.append(f"The run that was there is now in {moved}.")
    return session


def _claim(stack: contextlib.ExitStack, path: Path | None, about: dict[str, Any], fresh: bool) -> Path | None:
    """Lock the folder in the first process; every process learns whether that went well. Where an old run went."""
    error = moved = None
    if path is not None and processes.is_first():
        try:
            moved = stack.enter_context(folder.Folder(path, about, fresh=fresh)).moved
        except RunError as refused:
            error = refused
    if processes.any_of(int(error is not None)):
        raise error or RunError(f"The first process could not take the run folder {path}: see its message.")
    return moved


def _run(sessions: Sequence[Session], engine: "_One | _Many", signals: Signals) -> list[bool | Exception]:
    """Take the steps that are left; for each run whether a validation ended it, or the error that did."""
    ended: dict[int, bool | Exception] = {number: True for number, session in enumerate(sessions) if session.open()}
    for number, session in enumerate(sessions):
        if number not in ended:
            session.stack.enter_context(session.progress)
    done = [session.first for session in sessions]
    pending: dict[int, Call] = {}
    received = processes.any_of(signals.received)
    while True:
        left = [n for n, s in enumerate(sessions) if n not in ended and done[n] < s.experiment.steps]
        calls = engine.dispatch({n: done[n] for n in left}) if left and not received else {}
        done = [calls[n].end if n in calls else reached for n, reached in enumerate(done)]
        for number, call in pending.items():
            try:
                if sessions[number].settle(call):
                    ended[number] = True
            except Exception as error:  # of one run: it is the others' affair only where it is told
                ended[number] = error
        if pending:
            received = processes.any_of(signals.received)
        if received:
            _interrupt([s for n, s in enumerate(sessions) if n not in ended], received)
        if not calls:
            return [ended.get(number, False) for number in range(len(sessions))]
        pending = {number: call for number, call in calls.items() if number not in ended}


def _interrupt(sessions: Sequence[Session], received: int) -> None:
    """Save them all, then say so."""
    told = None
    for session in sessions:
        try:
            session.interrupt(received)
        except Interrupted as stop:
            told = stop
    if told is not None:
        raise told


class _One:
    """Computes the calls of one run."""

    def __init__(self, session: Session) -> None:
        self._session, self._state = session, session.saved.state
        functions, keys = programs(session.experiment), session.keys
        begun = time.perf_counter()
        self._advance = functions.advance.compile(
            self._state, session.experiment.optimizer.numbers_at(None), np.int32(0), session.batches(0)
        )
        self._evaluate = functions.evaluate.compile(self._state.scored, keys.validation)
        functions.test.compile(self._state.scored, keys.test)
        session.compile_seconds += time.perf_counter() - begun
        check_metric(session.experiment, self._evaluate.result)

    def dispatch(self, done: Mapping[int, int]) -> dict[int, Call]:
        """Start the next call without waiting for it."""
        start = done[0]
        count, validate = next_call(self._session.experiment, start)
        batches = self._session.batches(count)
        self._state, records = self._advance(self._state, self._session.numbers(), np.int32(count), batches)
        validation = self._evaluate(self._state.scored, self._session.keys.validation) if validate else None
        return {0: Call(start, start + count, self._state, records, validation)}


class _Many:
    """Computes the calls of several runs, a call of each at once."""

    def __init__(self, sessions: Sequence[Session]) -> None:
        self._sessions = sessions
        functions = together(sessions[0].experiment, len(sessions))
        begun = time.perf_counter()
        self._states = functions.stack([session.saved.state for session in sessions])
        self._keys = functions.stack([session.keys.validation for session in sessions])
        self._advance = functions.advance.compile(
            self._states,
            _stacked([session.experiment.optimizer.numbers_at(None) for session in sessions]),
            np.zeros(len(sessions), np.int32),
            _stacked([session.batches(0) for session in sessions]),
        )
        self._evaluate = functions.evaluate.compile(_scored(self._states), self._keys)
        self._apart = functions.apart
        seconds = (time.perf_counter() - begun) / len(sessions)
        for session in sessions:
            session.compile_seconds += seconds
        check_metric(sessions[0].experiment, self._evaluate.result)

    def dispatch(self, done: Mapping[int, int]) -> dict[int, Call]:
        """Start the next call of those runs without waiting for it; the others stand still."""
        coming = {number: next_call(self._sessions[number].experiment, start) for number, start in done.items()}
        counts = np.zeros(len(self._sessions), np.int32)
        for number, (count, _) in coming.items():
            counts[number] = count
        numbers = _stacked([session.numbers() for session in self._sessions])
        batches = _stacked([s.batches(int(count)) for s, count in zip(self._sessions, counts, strict=True)])
        self._states, records = self._advance(self._states, numbers, counts, batches)
        validate = any(one for _, one in coming.values())
        scores = self._evaluate(_scored(self._states), self._keys) if validate else None
        parts = self._apart((self._states, records, scores))
        calls = {}
        for number, (count, validate) in coming.items():
            state, its_records, its_scores = parts[number]
            end = done[number] + count
            calls[number] = Call(done[number], end, state, its_records, its_scores if validate else None)
        return calls


def _scored(states: TrainState) -> Any:
    """What is validated of several runs at once."""
    return jax.vmap(lambda state: state.scored)(states)


def _stacked(trees: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)
