"""What a forecast says of a number to come: the number, its quantiles, or a normal distribution.

A head turns ``size`` raw outputs of a network for each target into an answer ``[..., size]``, in the target's units.
"""

import dataclasses
import math
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm

from lstm_jax.models.losses import MAE, MSE, Measure
from lstm_jax.options import one_of

Array = jax.Array


@dataclasses.dataclass(frozen=True)
class Point:
    """One number, the mean, by the mean squared error. Answers are ``[..., 1]``."""

    size: ClassVar[int] = 1

    def answer(self, raw: Array, level: Array, spread: Array) -> Array:
        """The answer from raw outputs ``[..., 1]``, relative to ``level [...]`` and in units of ``spread [...]``."""
        return raw * spread[..., None] + level[..., None]

    def point(self, answers: Array) -> Array:
        """The number ``[...]`` that is forecast."""
        return answers[..., 0]

    @property
    def loss(self) -> Measure:
        """What is minimised."""
        return Measure("mse", lambda answers, targets: MSE.values(answers[..., 0], targets))


@dataclasses.dataclass(frozen=True)
class Quantiles:
    """A quantile for each level, by the quantile loss (Koenker and Bassett, 1978). Answers are ``[..., levels]``.

    They are sorted, so that quantiles never cross (Chernozhukov, Fernandez-Val and Galichon, 2010). With the one level
    0.5 it is the median, by the mean absolute error.
    """

    levels: tuple[float, ...] = (0.1, 0.25, 0.5, 0.75, 0.9)

    def __post_init__(self) -> None:
        """Refuse what are no levels."""
        check_levels(self.levels)

    @property
    def size(self) -> int:
        """How many raw outputs it takes."""
        return len(self.levels)

    def answer(self, raw: Array, level: Array, spread: Array) -> Array:
        """As of `Point`."""
        return jnp.sort(raw, axis=-1) * spread[..., None] + level[..., None]

    def point(self, answers: Array) -> Array:
        """The median ``[...]``."""
        return self.quantiles(answers, (0.5,))[..., 0]

    def quantiles(self, answers: Array, levels: tuple[float, ...]) -> Array:
        """Quantiles at some of its levels, ``[..., len(levels)]``."""
        return answers[..., jnp.array([self.levels.index(level) for level in levels])]

    @property
    def loss(self) -> Measure:
        """Twice the mean quantile loss, which estimates the CRPS; of one level 0.5 the absolute error."""
        return self.crps

    @property
    def crps(self) -> Measure:
        """The same."""

        def values(answers: Array, targets: Array) -> Array:
            levels, errors = jnp.array(self.levels), targets[..., None] - answers
            return 2 * jnp.mean(jnp.maximum(levels * errors, (levels - 1) * errors), axis=-1)

        return Measure("crps", values)


@dataclasses.dataclass(frozen=True)
class Gaussian:
    """Mean and standard deviation of a normal distribution, by its likelihood (Nix and Weigend, 1994).

    Answers are ``[..., 2]``.
    """

    size: ClassVar[int] = 2

    def answer(self, raw: Array, level: Array, spread: Array) -> Array:
        """As of `Point`; the deviation is at least a hundredth of ``spread``."""
        mean = raw[..., 0] * spread + level
        return jnp.stack([mean, (jax.nn.softplus(raw[..., 1]) + 0.01) * spread], axis=-1)

    def point(self, answers: Array) -> Array:
        """The mean ``[...]``."""
        return answers[..., 0]

    def quantiles(self, answers: Array, levels: tuple[float, ...]) -> Array:
        """Quantiles ``[..., len(levels)]``."""
        return answers[..., :1] + answers[..., 1:] * norm.ppf(jnp.array(levels))

    @property
    def loss(self) -> Measure:
        """The negative log-likelihood, in nats."""
        return Measure("nll", lambda answers, targets: -norm.logpdf(targets, answers[..., 0], answers[..., 1]))

    @property
    def crps(self) -> Measure:
        """The continuous ranked probability score: `lstm_jax.metrics.forecasting.crps_gaussian`."""

        def values(answers: Array, targets: Array) -> Array:
            mean, std = answers[..., 0], answers[..., 1]
            z = (targets - mean) / std
            return std * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / math.sqrt(math.pi))

        return Measure("crps", values)


Head = Point | Quantiles | Gaussian


def make_head(name: Literal["point", "quantile", "gaussian"], levels: tuple[float, ...]) -> Head:
    """The head of a name; ``levels`` are those of the quantiles.

    Raises:
        ValueError: there is no such head, or ``levels`` are no levels.
    """
    one_of("head", name, ("point", "quantile", "gaussian"))
    return {"point": Point, "gaussian": Gaussian}[name]() if name != "quantile" else Quantiles(levels)


def measures(head: Head, unit: float) -> tuple[Measure, ...]:
    """Errors of the number that is forecast, ``rmse`` and ``mae``, and of a distribution ``crps``.

    Args:
        head: whose answers are measured.
        unit: what a standard unit is in the scores' units.
    """
    errors = (
        Measure("rmse", lambda a, t: MSE.values(head.point(a), t), finish=lambda mean: mean**0.5 * unit),
        Measure("mae", lambda a, t: MAE.values(head.point(a), t), finish=lambda mean: mean * unit),
    )
    if isinstance(head, Point):
        return errors
    return (*errors, dataclasses.replace(head.crps, finish=lambda mean: mean * unit))


def quantile_columns(head: Head, answers: Array, levels: tuple[float, ...]) -> dict[str, np.ndarray]:
    """The quantiles ``[...]`` of a distribution by name, "q0.1" and others; of a number there are none."""
    if isinstance(head, Point):
        return {}
    quantiles = np.asarray(head.quantiles(answers, levels))
    return {f"q{level:g}": quantiles[..., number] for number, level in enumerate(levels)}


def check_levels(levels: tuple[float, ...]) -> None:
    """Refuse levels that do not rise from above 0 to below 1, or without the median."""
    rising = all(low < high for low, high in zip((0.0, *levels), (*levels, 1.0), strict=True))
    if not rising or 0.5 not in levels:
        raise ValueError(f"levels must rise, lie between 0 and 1 and hold 0.5, the median; got {levels}.")
