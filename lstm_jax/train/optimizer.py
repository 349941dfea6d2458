"""The optimiser as settings: optax does the work."""

import copy
import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
import optax

from lstm_jax.options import one_of, positive

RULES: dict[str, Callable[[], optax.GradientTransformation]] = {
    "adam": optax.scale_by_adam,
    "nadam": lambda: optax.scale_by_adam(nesterov=True),
    "rmsprop": optax.scale_by_rms,
    "lion": optax.scale_by_lion,
    "momentum": lambda: optax.trace(decay=0.9),
    "sgd": optax.identity,
}
_AVERAGE_FROM = "average_from"
SCHEDULES = ("constant", "linear", "cosine")


@dataclasses.dataclass(frozen=True)
class Optimizer:
    """Clip the gradient, scale it by a rule, decay the weights, then take the step.

    For a rule of your own subclass it and override `transformation`.
    """

    TRACED: ClassVar[tuple[str, ...]] = ("learning_rate", "clip_norm", "weight_decay")
    """Settings whose value is an argument of the compiled program: another one compiles nothing, and runs with
    different ones can be trained together. But 0 and None, which leave a part out, are known when it is compiled."""

    name: Literal["adam", "nadam", "rmsprop", "lion", "momentum", "sgd"] = "adam"
    """The rule, with optax's defaults; momentum is 0.9."""
    learning_rate: float = 1e-3
    """The rate at its highest."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """How the rate goes after the warm-up: stays, or falls to 0 at the last step."""
    warmup_steps: int = 0
    """Steps over which the rate rises evenly from nearly 0."""
    clip_norm: float | None = 1.0
    """Gradients with a larger global norm are scaled down to it; None: never."""
    weight_decay: float = 0.0
    """Share of every parameter that a step takes away, times the rate, apart from the gradient (as in AdamW)."""
    average_after: int | None = None
    """Validations in a row without a better score after which averaging begins: what is validated and tested from then
    on is the mean of the parameters since (NT-ASGD: Merity et al. 2018, "Regularizing and Optimizing LSTM Language
    Models", algorithm 1). None: never."""

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing."""
        one_of("optimizer.name", self.name, RULES)
        one_of("optimizer.schedule", self.schedule, SCHEDULES)
        for setting in ("learning_rate", "warmup_steps", "weight_decay"):
            value = getattr(self, setting)
            if not 0 <= value < math.inf:
                raise ValueError(f"optimizer.{setting} must be at least 0 and finite, got {value}.")
        if self.average_after is not None:
            positive("optimizer.average_after", self.average_after)
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ValueError(f"optimizer.clip_norm must be above 0, or None to leave it out; got {self.clip_norm}.")

    @property
    def depends_on_steps(self) -> bool:
        """Whether an update depends on how many steps there will be: then a longer run is another run."""
        return self.schedule != "constant"

    def check(self, steps: int) -> None:
        """Refuse a warm-up that leaves nothing to fall over ``steps``."""
        if self.depends_on_steps and self.warmup_steps >= steps:
            raise ValueError(
                f"optimizer.warmup_steps must be below steps with a {self.schedule} schedule: got "
                f"{self.warmup_steps}, and steps is {steps}."
            )

    @property
    def numbers(self) -> dict[str, np.float32]:
        """The values of the ``TRACED`` settings that are not left out."""
        return {name: np.float32(value) for name in self.TRACED if _given(value := getattr(self, name))}

    def numbers_at(self, average_from: int | None) -> dict[str, Any]:
        """The `numbers`, and, of an optimiser that averages, the step from which on; None: not yet."""
        if self.average_after is None:
            return dict(self.numbers)
        return {
            **self.numbers,
            _AVERAGE_FROM: np.int32(np.iinfo(np.int32).max if average_from is None else average_from),
        }

    @property
    def structure(self) -> tuple[Any, ...]:
        """All but the `numbers`: optimisers of one structure share their programs."""
        # vars, not fields: whatever a subclass holds counts.
        # Not None for a traced one: that is what leaves clipping out.
        static = {name: "traced" if name in self.numbers else value for name, value in vars(self).items()}
        return type(self), tuple(sorted(static.items()))

    def with_numbers(self, numbers: Mapping[str, Any]) -> Self:
        """The same with other `numbers`, traced ones too."""
        changed = copy.copy(self)
        for name, value in numbers.items():
            object.__setattr__(changed, name, value)
        return changed

    def transformation(self, steps: int) -> optax.GradientTransformation:
        """The optax optimiser for a run of ``steps``; inside of it the ``TRACED`` settings are traced arrays."""
        parts: list[Any] = [RULES[self.name]()]
        if self.clip_norm is not None:
            parts.insert(0, optax.clip_by_global_norm(self.clip_norm))
        if _given(self.weight_decay):
            parts.append(optax.add_decayed_weights(self.weight_decay))
        parts.append(optax.scale_by_learning_rate(self.learning_rate))
        if self.warmup_steps or self.depends_on_steps:
            parts.append(optax.scale_by_schedule(self._course(steps)))
        chain = optax.chain(*parts)
        if self.average_after is None:
            return chain
        return _averaging(chain, getattr(self, _AVERAGE_FROM, np.iinfo(np.int32).max))

    def _course(self, steps: int) -> optax.Schedule:
        """The rate at each step as a share of its highest."""
        left = max(1, steps - self.warmup_steps)
        after = {
            "constant": optax.constant_schedule(1.0),
            "linear": optax.linear_schedule(1.0, 0.0, left),
            "cosine": optax.cosine_decay_schedule(1.0, left),
        }[self.schedule]
        rise = optax.linear_schedule(1 / (self.warmup_steps + 1), 1.0, max(1, self.warmup_steps))
        return optax.join_schedules([rise, after], [self.warmup_steps])


class Averaged(NamedTuple):
    """The state of an optimiser that averages."""

    inner: Any
    """That of the optimiser without it."""
    average: Any
    """The mean of the parameters since averaging began; the parameters before."""
    step: Any
    """Steps taken, int32."""


def _averaging(inner: optax.GradientTransformation, start: Any) -> optax.GradientTransformation:
    """The same steps, with the mean of the parameters after step ``start`` (Polyak & Juditsky 1992)."""

    def init(params: Any) -> Averaged:
        return Averaged(inner.init(params), params, jnp.int32(0))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Averaged]:
        updates, inner_state = inner.update(updates, state.inner, params)
        step = state.step + 1
        share = 1 / jnp.maximum(step - start, 1)
        new: Any = optax.apply_updates(params, updates)
        average = jax.tree.map(lambda mean, one: (mean + (one - mean) * share).astype(one.dtype), state.average, new)
        return updates, Averaged(inner_state, average, step)

    return optax.GradientTransformation(init, update)


def _given(value: Any) -> bool:
    """Whether a setting is not left out; a traced one is not."""
    return not isinstance(value, (int, float, type(None))) or bool(value)
