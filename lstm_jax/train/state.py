"""What training carries from step to step, and the compiled programs that carry it."""

import functools
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct

from lstm_jax.train.errors import RunError
from lstm_jax.train.experiment import Array, Experiment, Key

_INIT, _TRAIN, _VALIDATION, _TEST = range(4)
_DATA, _LOSS = range(2)


@struct.dataclass
class TrainState:
    """Everything that the rest of a run depends on: saved, it resumes exactly."""

    step: Array
    """How many steps have been taken, int32."""
    params: Any
    opt_state: Any
    key: Key
    """The run's training key, the same at every step: what a step draws depends on it and on ``step`` alone."""


class Keys(NamedTuple):
    """The run's separate streams of randomness."""

    init: Key
    train: Key
    validation: Key
    test: Key


def check_seed(seed: int) -> int:
    """Return ``seed`` if a key can be made of it, else raise ValueError."""
    if not 0 <= seed < 2**31:
        raise ValueError(f"seed must be at least 0 and below 2**31, got {seed}.")
    return seed


def keys_of(seed: int) -> Keys:
    """Keys of ``seed``; no stream can be had from another one."""
    root = jax.random.key(seed)
    return Keys(*(jax.random.fold_in(root, stream) for stream in (_INIT, _TRAIN, _VALIDATION, _TEST)))


class Records(NamedTuple):
    """What one call of `Programs.advance` did."""

    taken: Array
    """How many steps changed the state, int32; fewer than asked for after a non-finite one."""
    finite: Array
    """False if the last attempted step was not finite: it is not in the state, but in ``metrics[taken]``."""
    metrics: dict[str, Array]
    """``loss``, ``grad_norm`` and the loss function's own, each ``[capacity]``, of which ``taken`` count."""


class Programs(NamedTuple):
    """The jitted functions of an experiment. Seed and learning rate are arguments of theirs."""

    init: Callable[..., TrainState]
    """``init(keys, learning_rate) -> state``; the rate is ignored where it is a schedule."""
    advance: Callable[..., tuple[TrainState, Records]]
    """``advance(state, count) -> (state, records)``: at most ``steps_per_call`` steps."""
    evaluate: Callable[..., dict[str, Array]]
    """``evaluate(params, key) -> metrics``."""


def programs(experiment: Experiment) -> Programs:
    """The experiment's programs; the same functions give the same programs, so that a new seed or rate finds them."""
    rate = experiment.learning_rate
    return _programs(
        experiment.init,
        experiment.batch,
        experiment.loss,
        experiment.evaluate,
        experiment.optimizer,
        rate if callable(rate) else None,
        experiment.steps_per_call,
    )


def initial_state(experiment: Experiment, keys: Keys) -> TrainState:
    """The state before the first step."""
    rate = experiment.learning_rate
    value = jnp.zeros(()) if callable(rate) else jnp.asarray(rate, jnp.float32)
    return programs(experiment).init(keys, value)


def compiled(function: Any, *args: Any) -> tuple[Any, float]:
    """Compile a jitted function for arguments like these, ahead of its first call: it, and the seconds that took."""
    start = time.perf_counter()
    executable = function.lower(*args).compile()
    return executable, time.perf_counter() - start


@functools.lru_cache(maxsize=8)
def _programs(
    init: Callable[[Key], Any],
    batch: Callable[[Key, Array], Any],
    loss: Callable[..., tuple[Array, dict[str, Array]]],
    evaluate: Callable[[Any, Key], dict[str, Array]],
    optimizer: Callable[[Any], optax.GradientTransformation],
    schedule: optax.Schedule | None,
    capacity: int,
) -> Programs:
    def transformation(rate: Any) -> optax.GradientTransformation:
        # The rate lives in the optimiser's state: a value baked into the program would compile anew for each rate.
        def named(learning_rate: Any) -> optax.GradientTransformation:
            return optimizer(learning_rate)

        build = optax.inject_hyperparams(named, hyperparam_dtype=jnp.float32)
        return build(learning_rate=schedule if schedule is not None else rate)

    def start(keys: Keys, rate: Array) -> TrainState:
        params = init(keys.init)
        state = TrainState(jnp.int32(0), params, transformation(rate).init(params), keys.train)
        return jax.tree.map(_strong, state)

    @jax.jit  # jitted on its own so that advance, which needs its shapes before the loop, traces it once
    def step(state: TrainState) -> tuple[TrainState, dict[str, Array], Array]:
        data = batch(jax.random.fold_in(state.key, _DATA), state.step)
        key = jax.random.fold_in(jax.random.fold_in(state.key, _LOSS), state.step)
        (value, metrics), grads = jax.value_and_grad(loss, has_aux=True)(state.params, data, key)
        updates, opt_state = transformation(0.0).update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        norm = optax.tree.norm(grads)
        finite = jnp.isfinite(value) & jnp.isfinite(norm) & _all_finite(params)
        new = TrainState(state.step + 1, params, opt_state, state.key)
        return new, {**metrics, "loss": value, "grad_norm": norm}, finite

    def advance(state: TrainState, count: Array) -> tuple[TrainState, Records]:
        _, shapes, _ = jax.eval_shape(step, state)
        for name, metric in shapes.items():
            if metric.shape:
                raise RunError(f"A metric is one number, but the loss function's {name!r} has shape {metric.shape}.")
        buffers = jax.tree.map(lambda scalar: jnp.zeros((capacity, *scalar.shape), scalar.dtype), shapes)

        def more(carry: tuple[TrainState, Records]) -> Array:
            return (carry[1].taken < count) & carry[1].finite

        def body(carry: tuple[TrainState, Records]) -> tuple[TrainState, Records]:
            old, records = carry
            new, metrics, finite = step(old)
            metrics = jax.tree.map(lambda buffer, m: buffer.at[records.taken].set(m), records.metrics, metrics)
            # A non-finite step is not taken: the state before it stays, and the loop ends.
            kept = jax.tree.map(lambda after, before: jnp.where(finite, after, before), new, old)
            return kept, Records(records.taken + finite, finite, metrics)

        return jax.lax.while_loop(more, body, (state, Records(jnp.int32(0), jnp.bool_(True), buffers)))

    return Programs(jax.jit(start), jax.jit(advance), jax.jit(evaluate))


def _all_finite(tree: Any) -> Array:
    leaves = [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in leaves])) if leaves else jnp.bool_(True)


def _strong(leaf: Array) -> Array:
    # A weakly typed leaf would come back from a checkpoint strongly typed, and compile everything a second time.
    is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return leaf if is_key else jax.lax.convert_element_type(leaf, leaf.dtype)
