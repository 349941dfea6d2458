"""What a sweep varies: ``optimizer.learning_rate=log:1e-4..1e-1``, ``cell.hidden_size=32,64``, ``cell=lstm,gru``.

A field is a dotted field of the experiment's ``Config``, as the flags of ``lstm-jax run`` have it. Its values are a
list ``a,b,c``, a range ``low..high``, or a range ``log:low..high`` that is drawn from on a logarithmic scale. A range
whose ends are whole numbers, such as ``8..64``, has whole numbers alone.
"""

import itertools
import math
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstm_jax.flags import FlagError, known_flags, parse
from lstm_jax.train.errors import RunError

if TYPE_CHECKING:
    from optuna.trial import Trial

Value = str | int | float
CHECKED = 64
"""At most this many combinations of listed values are checked before a sweep begins; each value is in one."""


@dataclass(frozen=True)
class Dimension:
    """A field and its values."""

    field: str
    choices: tuple[str, ...] = ()
    """The listed values, as typed; empty for a range."""
    low: int | float = 0
    high: int | float = 0
    log: bool = False

    @classmethod
    def read(cls, text: str) -> "Dimension":
        """Read ``FIELD=VALUES``.

        Raises:
            RunError: it is none; says what one looks like.
        """
        field, equals, values = text.partition("=")
        field, values = field.strip().replace("-", "_"), values.strip()
        if not equals or not values or not re.fullmatch(r"[A-Za-z_][\w.]*", field):
            raise RunError(
                f"--space {text!r} is no dimension: write FIELD=a,b,c or FIELD=low..high or FIELD=log:low..high, such "
                "as optimizer.learning_rate=log:1e-4..1e-1."
            )
        log, bare = values.startswith("log:"), values.removeprefix("log:")
        low, dots, high = bare.partition("..")
        if not dots:
            if log:
                raise RunError(f"--space {text!r}: log: needs a range, such as log:1e-4..1e-1.")
            choices = tuple(part.strip() for part in values.split(","))
            if "" in choices or len(set(choices)) < len(choices):
                raise RunError(f"--space {text!r}: a list has each value once and no empty one.")
            return cls(field, choices)
        first, last = _number(low), _number(high)
        if first is None or last is None or not first < last:
            raise RunError(f"--space {text!r}: a range is low..high, two numbers, the lower one first.")
        if log and not first > 0:
            raise RunError(f"--space {text!r}: a logarithmic range begins above 0.")
        if isinstance(first, int) and isinstance(last, int):
            return cls(field, (), first, last, log)
        return cls(field, (), float(first), float(last), log)

    def draw(self, rng: random.Random) -> Value:
        """A value at random."""
        if self.choices:
            return rng.choice(self.choices)
        low, high = self.low, self.high
        if isinstance(self.low, int):  # each whole number its share: from half a number below to half above
            low, high = low - 0.5, high + 0.5
        drawn = math.exp(rng.uniform(math.log(low), math.log(high))) if self.log else rng.uniform(low, high)
        if isinstance(self.low, int):
            return int(min(max(round(drawn), self.low), self.high))
        return min(max(drawn, self.low), self.high)

    def suggest(self, trial: "Trial") -> Value:
        """The value of a trial of Optuna's: the one that it has, or else the sampler's."""
        if self.choices:
            return trial.suggest_categorical(self.field, self.choices)
        if isinstance(self.low, int):
            return trial.suggest_int(self.field, self.low, int(self.high), log=self.log)
        return trial.suggest_float(self.field, self.low, self.high, log=self.log)

    def ends(self) -> tuple[Value, ...]:
        """The values that stand for all of them in a check."""
        return self.choices or (self.low, self.high)


@dataclass(frozen=True)
class Space:
    """The dimensions of a sweep, and the flags that are the same in every trial."""

    config_type: type[Any]
    """The experiment's ``Config``."""
    dimensions: tuple[Dimension, ...]
    fixed: tuple[str, ...]
    kinds: frozenset[str]
    """The fields whose values are kinds of something, ``cell:lstm``, with flags of their own."""
    negative: frozenset[str]
    """The fields that are True unless a flag says no."""

    @classmethod
    def read(cls, texts: Sequence[str], fixed: Sequence[str], config_type: type[Any]) -> "Space":
        """Read dimensions and fixed flags.

        Raises:
            RunError: a text is no dimension, or two are of one field.
        """
        dimensions = tuple(Dimension.read(text) for text in texts)
        fields = [dimension.field for dimension in dimensions]
        for field in fields:
            if fields.count(field) > 1:
                raise RunError(f"--space has {field} twice: one dimension a field.")
        for field, text in ((field, text) for field in fields for text in fixed):
            if text.split("=")[0] == _flag(field) or text.startswith(f"{_flag(field)[2:]}:"):
                raise RunError(f"{field} is varied by --space and fixed by {text}: one of the two.")
        flags, choices = known_flags(config_type)
        kinds = frozenset(choice.partition(":")[0].replace("-", "_") for choice in choices)
        negative = frozenset(field for field in fields if _flag(field, "no-") in flags)
        return cls(config_type, dimensions, tuple(fixed), kinds, negative)

    def flags(self, values: Mapping[str, Any]) -> list[str]:
        """The flags of ``lstm-jax run`` for a trial with these values by field."""
        chosen, flags = [], []
        for dimension in self.dimensions:
            value = values[dimension.field]
            if dimension.field in self.kinds:
                chosen.append(f"{_flag(dimension.field)[2:]}:{value}")
            elif set(dimension.choices) == {"True", "False"}:  # a flag that is there or not
                said = "False" if dimension.field in self.negative else "True"
                flags += [_flag(dimension.field, "no-" * (said == "False"))] * (value == said)
            else:
                flags += [_flag(dimension.field), value if isinstance(value, str) else repr(value)]
        return [*chosen, *self.fixed, *flags]

    def config(self, values: Mapping[str, Any]) -> Any:
        """The configuration of a trial.

        Raises:
            FlagError: the values, or the fixed flags, mean nothing.
        """
        (config,) = parse(self.config_type, flags=self.flags(values), command="lstm-jax sweep")
        return config

    def grid(self) -> list[dict[str, Value]]:
        """Every combination of listed values, the last dimension fastest.

        Raises:
            RunError: a dimension is a range.
        """
        for dimension in self.dimensions:
            if not dimension.choices:
                raise RunError(
                    f"A grid needs lists, but {dimension.field} is a range: write {dimension.field}=a,b,c, or choose "
                    "--sampler random or tpe."
                )
        fields = [dimension.field for dimension in self.dimensions]
        combinations = itertools.product(*(dimension.choices for dimension in self.dimensions))
        return [dict(zip(fields, values, strict=True)) for values in combinations]

    def random(self, seed: int, number: int) -> dict[str, Value]:
        """The settings of a random trial: of the sweep's seed and the trial's number alone."""
        rng = random.Random(f"{seed} {number}")
        return {dimension.field: dimension.draw(rng) for dimension in self.dimensions}

    def check(self) -> list[Any]:
        """Read the settings of a few trials, so that each listed value and each end of a range is in one.

        Returns:
            Their configurations.

        Raises:
            RunError: the experiment has no such field (names the nearest), or a value is none for it.
        """
        chosen_kinds = [d for d in self.dimensions if d.field in self.kinds]
        others = [d for d in self.dimensions if d.field not in self.kinds]
        most = max([len(d.ends()) for d in others], default=1)
        # Other flags belong to other kinds of cell: every end with every kind.
        combinations = itertools.product(*(d.ends() for d in chosen_kinds), range(most))
        configs = []
        for *chosen, at in itertools.islice(combinations, CHECKED):
            values = {d.field: value for d, value in zip(chosen_kinds, chosen, strict=True)}
            values |= {d.field: d.ends()[int(at) % len(d.ends())] for d in others}
            try:
                configs.append(self.config(values))
            except FlagError as error:
                raise RunError(self._in_words_of_the_space(str(error))) from error
        return configs

    def _in_words_of_the_space(self, sentence: str) -> str:
        """A sentence on flags as one on fields, where it is about one of the space's."""
        for dimension in self.dimensions:
            if re.search(rf"{re.escape(_flag(dimension.field))}(?![\w-]|\.\w)", sentence):
                told = re.sub(r"--([a-z][\w.-]*\w)", lambda found: found[1].replace("-", "_"), sentence)
                return f"--space {dimension.field}=...: {told.replace('There is no flag', 'There is no setting')}"
        return sentence


def _flag(field: str, no: str = "") -> str:
    """The flag of a dotted field: ``--optimizer.learning-rate``; with ``no-`` before its last name if asked."""
    *path, last = field.replace("_", "-").split(".")
    return f"--{'.'.join([*path, no + last])}"


def _number(text: str) -> int | float | None:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
