"""A study: its question, its trials in Optuna's database, and who works on which.

One Optuna trial stands for one setting, whatever happens to it. Whoever works on a trial holds the lock of its folder,
which the system gives back when a process ends, however: a trial that is RUNNING in the database and that nobody holds
has lost its worker, and the next one goes on with it from its last checkpoint. So each trial ends exactly once, and no
heartbeats are needed; but all workers must see the study's folder.
"""

import math
import os
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lstm_jax.sweep.claim import Claim, number_of
from lstm_jax.sweep.database import folders_of, import_optuna, open_storage, refuse_password
from lstm_jax.sweep.locks import alone, try_lock
from lstm_jax.sweep.patience import default_patience, patiently
from lstm_jax.sweep.settings import Sweep, check_same, from_json
from lstm_jax.sweep.space import Space
from lstm_jax.sweep.trial import ENDED, TrialView
from lstm_jax.train.errors import RunError
from lstm_jax.train.folder import CONFIG, read_json, write_json

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

T = TypeVar("T")
QUESTION, DATABASE, TRIALS, WORKERS = "study.json", "study.db", "trials", "workers"
_ABOUT = ("name", "goal", "objective", "storage")
"""What study.json has beside the sweep: "min" or "max", the score, the database's URL without a password."""
_KEPT = "Everything up to here is saved; the same command goes on."


class Study:
    """A study's folder and database, open."""

    def __init__(self, folder: Path, *, patience: float = 0.0, make: bool = False) -> None:
        """Open the study in ``folder``.

        Args:
            folder: where it is kept.
            patience: how many seconds to wait for a database or a disk that refuses.
            make: whether to make a database that is not there.

        Raises:
            RunError: there is none, or its database cannot be reached.
        """
        about = read_json(folder / QUESTION)
        if about is None:
            raise RunError(f"{folder} holds no study: it has no {QUESTION}.")
        self.folder = folder
        try:
            self.sweep = from_json(about["sweep"])
            self.name, self.goal, self.objective, self.url = (about[name] for name in _ABOUT)
        except (KeyError, TypeError, AttributeError) as error:
            raise RunError(f"{folder / QUESTION} is damaged: {type(error).__name__} {error}.") from error
        if not (self.url or make or (folder / DATABASE).exists()):
            raise RunError(
                f"{folder} has lost its database {DATABASE}: the command that began the study makes it anew, from the "
                "finished runs and checkpoints that are there."
            )
        self.patience = patience
        self._space: Space | None = None
        self.optuna = self.patiently(self._open)

    @classmethod
    def create(cls, folder: Path, sweep: Sweep, space: Space, storage: str, objective: str, goal: str) -> "Study":
        """Open the study in ``folder``, made if there is none, with all trials that are drawn up front.

        Args:
            folder: where it is kept.
            sweep: what is asked; of a study that is there only more trials may be asked for, or an end by the time.
            space: the same, read.
            storage: the URL of a database, without its password; empty: SQLite in the folder.
            objective: the score to optimise.
            goal: "min" or "max".

        Raises:
            RunError: the folder holds another study, or a run, or cannot be written, or the database cannot be reached.
        """
        if not re.fullmatch(r"[A-Za-z0-9_][\w.-]*", folder.resolve().name):
            raise RunError(f"{folder} is no name for a study: letters, digits, dots and dashes.")
        if (folder / CONFIG).exists():
            raise RunError(f"{folder} holds a run: choose another --study, a folder for the sweep alone.")
        refuse_password(storage)
        patience = default_patience()
        name = folder.resolve().name
        about: dict[str, Any] = dict(zip(_ABOUT, (name, goal, objective, storage), strict=True))
        about["sweep"] = asdict(sweep)
        try:
            (folder / TRIALS).mkdir(parents=True, exist_ok=True)
            (folder / WORKERS).mkdir(exist_ok=True)
            with alone(folder):
                there = read_json(folder / QUESTION)
                if there is not None:
                    check_same(folder, from_json(there["sweep"]), sweep, there["storage"], storage)
                    about["name"] = there["name"]  # a folder may be renamed
                    # Another launcher may want more.
                    if sweep.trials is not None and there["sweep"]["trials"] is not None:
                        about["sweep"]["trials"] = max(sweep.trials, there["sweep"]["trials"])
                write_json(folder / QUESTION, about)
        except OSError as error:
            raise RunError(f"Cannot write the study's folder {folder}: {error.strerror}.") from error
        study = cls(folder, make=True)
        study.patience = patience
        study.patiently(lambda: study.optuna.set_user_attr("folder", str(folder.resolve())))
        study._space = space
        study._draw()
        return study

    @classmethod
    def find(cls, where: str, name: str = "") -> "Study":
        """Open the study that is named by its folder, or by the URL of its database.

        Args:
            where: the folder, or ``sqlite:///FOLDER/study.db``, or ``postgresql://...``, without a password.
            name: which one, if a database has several.

        Raises:
            RunError: there is none, or its folder cannot be seen from here.
        """
        if where.startswith("sqlite:///"):
            where = where.removeprefix("sqlite:///").removesuffix(f"/{DATABASE}")
        if "://" not in where:
            return cls(Path(where))
        refuse_password(where)
        folders = patiently(lambda: folders_of(where), 0.0, "Nothing was begun.")
        known = ", ".join(sorted(folders)) or "none"
        if name not in folders and (name or len(folders) != 1):
            raise RunError(f"Which study? --study NAME; the database has: {known}.")
        folder = Path(folders[name] if name else next(iter(folders.values())))
        about = read_json(folder / QUESTION)
        if about is None or about["storage"] != where:
            raise RunError(
                f"The study's folder {folder}, where checkpoints are, is not to be seen from here: workers on all "
                "machines need it at the same place."
            )
        return cls(folder)

    @property
    def space(self) -> Space:
        """What is varied. Finds the experiment."""
        if self._space is None:
            from lstm_jax.train.find import find_experiment

            module = find_experiment(self.sweep.experiment)
            self._space = Space.read(self.sweep.space, self.sweep.fixed, module.Config)
        return self._space

    def claim(self, most: int, *, timed: bool = False) -> "list[Claim]":
        """Up to ``most`` trials: first those that have lost their worker, then new ones, then those that crashed.

        Args:
            most: how many.
            timed: whether who claims has a deadline; see `to_come`.
        """
        return self.patiently(lambda: self._claim(most, timed))

    def trials(self) -> "list[TrialView]":
        """All trials, by number."""
        latest = {number_of(trial): trial for trial in self.frozen()}
        about = self.fields, self.objective
        return [TrialView.of(latest[number], number, self.trial_folder(number), *about) for number in sorted(latest)]

    def frozen(self) -> "list[FrozenTrial]":
        """Optuna's own view of the trials."""
        return self.patiently(lambda: self.optuna.get_trials(deepcopy=False))

    def importances(self) -> dict[str, float]:
        """How much of the objective's spread each field explains (PED-ANOVA); empty while there are too few trials."""
        import optuna

        done = [t for t in self.frozen() if t.state.name == "COMPLETE"]
        if len(done) < 8 or len({t.value for t in done}) < 4:
            return {}
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return dict(optuna.importance.get_param_importances(self.optuna, evaluator=evaluator))
        except (ValueError, RuntimeError):  # a field with one value alone
            return {}

    def expected(self) -> int | None:
        """How many trials there will be, None if only the time ends it; another launcher may have changed it since."""
        about = read_json(self.folder / QUESTION) or {"sweep": asdict(self.sweep)}
        trials = about["sweep"]["trials"]
        if self.sweep.sampler != "grid":
            return trials
        size = len(self.space.grid())
        return min(size, trials or size)

    def to_come(self, there: int, *, timed: bool) -> float:
        """How many trials beside the ``there`` are still to be made.

        Of a study that only the time ends, who has a deadline (``timed``) makes new ones until then; others make none.
        """
        expected = self.expected()
        if expected is None:
            return math.inf if timed else 0
        return max(0, expected - there)

    def retry_failed(self) -> int:
        """Let failed trials begin again, from their last checkpoints; how many."""
        import optuna

        def again() -> int:
            with alone(self.folder):
                latest = {number_of(trial): trial for trial in self.optuna.get_trials(deepcopy=False)}
                failed = {n: t for n, t in latest.items() if t.state == optuna.trial.TrialState.FAIL}
                for number, trial in failed.items():
                    system = {"fixed_params": trial.params}
                    new = optuna.create_trial(
                        state=optuna.trial.TrialState.WAITING, user_attrs={"number": number}, system_attrs=system
                    )
                    self.optuna.add_trial(new)
                return len(failed)

        return self.patiently(again)

    def trial_folder(self, number: int) -> Path:
        """Where a trial's runs are."""
        return self.folder / TRIALS / f"{number:04d}"

    def command(self, values: Mapping[str, Any], seed: int = 0) -> list[str]:
        """The command of a lone run with these values."""
        return ["lstm-jax", "run", self.sweep.experiment, *self.space.flags(values), "--seed", str(seed)]

    def eta(self, trials: "Sequence[TrialView]") -> float | None:
        """Seconds that the rest takes, at the speed of what has ended and with as many workers as there are now."""
        times = [trial.seconds for trial in trials if trial.state == "done" and trial.seconds is not None]
        running = sum(trial.state == "running" for trial in trials)
        expected = self.expected()
        if not times or not running or expected is None:
            return None
        left = max(expected, len(trials)) - sum(t.state in ENDED for t in trials)
        return left * sum(times) / len(times) / running

    def rank(self, trial: "TrialView") -> float:
        """Sorts trials, the best first, those without a final objective last."""
        if trial.state != "done" or trial.value is None:
            return math.inf
        return trial.value if self.goal == "min" else -trial.value

    def best_of(self, trials: "Sequence[TrialView]") -> "TrialView | None":
        """The finished one with the best objective."""
        best = min(trials, key=self.rank, default=None)
        return best if best is not None and self.rank(best) < math.inf else None

    @property
    def fields(self) -> list[str]:
        """What is varied."""
        return [text.partition("=")[0].strip().replace("-", "_") for text in self.sweep.space]

    def is_short(self, field: str) -> bool:
        """Whether a field's last name is not that of another one."""
        lasts = [one.rpartition(".")[2] for one in self.fields]
        return lasts.count(field.rpartition(".")[2]) == 1

    def patiently(self, action: Callable[[], T]) -> T:
        """What ``action()`` gives, waiting for database and disk."""
        return patiently(action, self.patience, _KEPT)

    def _open(self) -> "optuna.Study":
        optuna = import_optuna()
        url = self.url or f"sqlite:///{self.folder.resolve() / DATABASE}"
        if not os.access(self.folder, os.W_OK):  # who cannot write looks at it as it is
            return optuna.load_study(study_name=self.name, storage=open_storage(url, make=False))
        with alone(self.folder):  # two would make the tables at once
            storage = open_storage(url)
        pruners = {
            "none": optuna.pruners.NopPruner,
            "median": optuna.pruners.MedianPruner,
            "halving": optuna.pruners.SuccessiveHalvingPruner,
        }
        return optuna.create_study(
            storage=storage,
            study_name=self.name,
            sampler=optuna.samplers.RandomSampler(seed=self.sweep.seed),
            pruner=pruners[self.sweep.pruner](),
            direction="minimize" if self.goal == "min" else "maximize",
            load_if_exists=True,
        )

    def _draw(self) -> None:
        """Put the trials of a grid, or the random ones, that are not there yet into the database."""
        if self.sweep.sampler == "tpe":
            return
        total = self.expected() or 0

        def draw() -> None:
            with alone(self.folder):
                there = {number_of(trial) for trial in self.optuna.get_trials(deepcopy=False)}
                self._enqueue(sorted(set(range(total)) - there))

        self.patiently(draw)

    def _enqueue(self, numbers: Iterable[int]) -> None:
        """Put trials whose settings depend on their numbers alone into the database."""
        grid = self.space.grid() if self.sweep.sampler == "grid" else None
        for number in numbers:
            values = self.space.random(self.sweep.seed, number) if grid is None else grid[number]
            self.optuna.enqueue_trial(values, user_attrs={"number": number})

    def _claim(self, most: int, timed: bool) -> "list[Claim]":
        from optuna.trial import TrialState

        claims: list[Claim] = []
        try:
            with alone(self.folder):
                trials = self.optuna.get_trials(deepcopy=False)
                latest = {number_of(trial): trial for trial in trials}
                left = [trial for trial in latest.values() if trial.state == TrialState.RUNNING]
                crashed = [trial for trial in left if trial.user_attrs.get("crashes")]
                for trial in left:
                    if len(claims) < most and trial not in crashed:
                        self._adopt(trial, claims)
                self._new(most, timed, latest, claims)
                # Those that crashed stand at the back: one bad trial does not hold up the others.
                for trial in crashed:
                    if len(claims) < most:
                        self._adopt(trial, claims)
        except BaseException:
            for claim in claims:
                claim.unlock()
            raise
        return claims

    def _adopt(self, trial: "FrozenTrial", claims: "list[Claim]") -> None:
        """Take over a trial that nobody works on, or give it up where it has lost its workers too often."""
        lock = try_lock(self.trial_folder(number_of(trial)))
        if lock is None:
            return
        claims.append(claim := Claim(self, trial, lock))
        attempt, reached = trial.user_attrs.get("attempt", {}), claim.reached()
        if attempt and not attempt.get("released"):
            died = trial.user_attrs.get("deaths", 0) + 1 if attempt["reached"] == reached else 0
            claim.note("deaths", died)
            if died > self.sweep.retries:
                claims.remove(claim)
                claim.fail(
                    f"Its worker ended {died} times without a word, and got no further: out of memory, or killed?"
                )
                return
        claim.begin(reached)

    def _new(self, most: int, timed: bool, latest: "Mapping[int, FrozenTrial]", claims: "list[Claim]") -> None:
        """Take trials that wait, or that are still to be chosen."""
        import optuna
        from optuna.trial import TrialState

        waiting = sum(trial.state == TrialState.WAITING for trial in latest.values())
        to_come = self.to_come(len(latest), timed=timed)
        count = int(min(most - len(claims), waiting + to_come))
        if self.sweep.sampler != "tpe":
            self._enqueue(range(len(latest), len(latest) + count - waiting))
        for place in range(count):
            if self.sweep.sampler == "tpe":
                # A seed of its own for each choice: two workers must not choose the same.
                seed = self.sweep.seed * 1_000_003 + len(latest) + place
                self.optuna.sampler = optuna.samplers.TPESampler(seed=seed % 2**32, constant_liar=True)
            asked = self.optuna.ask().number
            trial = next(t for t in self.optuna.get_trials(deepcopy=False) if t.number == asked)
            lock = try_lock(self.trial_folder(number_of(trial)))
            if lock is not None:  # else somebody still holds a failed trial that is tried again
                claims.append(claim := Claim(self, trial, lock))
                claim.begin(claim.reached())
