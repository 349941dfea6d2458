"""What training carries from step to step, and the compiled programs that carry it."""

import functools
import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jax.sharding import AxisType

from lstm_jax.cell import BATCH_AXIS
from lstm_jax.data.buckets import Buckets
from lstm_jax.data.host_batches import HostBatches
from lstm_jax.train.errors import RunError
from lstm_jax.train.experiment import Array, Experiment, Key
from lstm_jax.train.optimizer import Averaged, Optimizer
from lstm_jax.train.program import Program, traced

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
    carry: Any = None
    """What the loss function hands on; None of an experiment without it."""
    complete: Callable[[Any, Any], Any] | None = struct.field(pytree_node=False, default=None)
    """`Experiment.complete`."""

    @property
    def scored(self) -> Any:
        """What is validated and tested: of the parameters the average, where the optimiser keeps one."""
        params = self.opt_state.average if isinstance(self.opt_state, Averaged) else self.params
        return params if self.complete is None else self.complete(params, self.carry)


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


def keys_of(seed: Any) -> Keys:
    """Keys of ``seed``; no stream can be had from another one."""
    root = jax.random.key(seed)
    return Keys(*(jax.random.fold_in(root, stream) for stream in (_INIT, _TRAIN, _VALIDATION, _TEST)))


class Records(NamedTuple):
    """What one call of `Programs.advance` did."""

    taken: Array
    """How many steps changed the state, int32; fewer than asked for after a non-finite one."""
    finite: Array
    """False if the last attempted step was not finite: it is not in the state, but in ``metrics[taken]``."""
    metrics: Mapping[str, Any]
    """``loss``, ``grad_norm`` and the loss function's own, each ``[capacity]``, of which ``taken`` count."""


class Programs(NamedTuple):
    """The compiled functions of an experiment. The seed and the optimiser's numbers are arguments of theirs."""

    keys: Program
    """``keys(seed) -> keys``."""
    init: Program
    """``init(keys) -> state``."""
    advance: Program
    """``advance(state, numbers, count, batches) -> (state, records)``: at most ``steps_per_call`` steps, with the
    optimiser's numbers and the batches that the host has read for them; None if the steps draw their own."""
    evaluate: Program
    """``evaluate(params, key) -> metrics``."""
    test: Program
    """``test(params, key) -> metrics``."""


def data_key(state: TrainState) -> Key:
    """The key that every batch of the run is drawn from."""
    return jax.random.fold_in(state.key, _DATA)


def loss_and_gradient(loss: Callable[..., Any], batch: Callable[[Key, Array], Any], state: TrainState) -> Any:
    """``((loss, (metrics, carry)), gradient)`` of the step after ``state``."""
    key = jax.random.fold_in(jax.random.fold_in(state.key, _LOSS), state.step)
    given = () if state.carry is None else (state.carry,)

    def checked(params: Any, data: Any) -> tuple[Array, tuple[Mapping[str, Any], Any]]:
        result = loss(params, data, key, *given)
        if not isinstance(result, tuple) or len(result) != 2 + len(given) or not isinstance(result[1], Mapping):
            raise RunError(
                f"The loss function must return (loss, metrics{', carry' if given else ''}), metrics a dictionary of "
                f"numbers, perhaps empty; it returned {type(result).__name__}."
            )
        carry = result[2] if given else None
        if _shapes(carry) != _shapes(state.carry):
            raise RunError(
                "The loss function must hand on a carry of the structure, shapes and dtypes of Experiment.carry's."
            )
        return result[0], (result[1], carry)

    return jax.value_and_grad(checked, has_aux=True)(state.params, batch(data_key(state), state.step))


def devices_mesh() -> jax.sharding.Mesh:
    """All devices, of all processes, in a row: under it `lstm_jax.unroll` shares out the rows of a batch."""
    return jax.make_mesh((jax.device_count(),), (BATCH_AXIS,), axis_types=(AxisType.Auto,))


def programs(experiment: Experiment) -> Programs:
    """The experiment's programs; the same functions give the same programs, so that another seed or rate finds them."""
    return _programs(
        experiment.init,
        experiment.batch,
        experiment.loss,
        experiment.carry,
        experiment.complete,
        experiment.evaluate,
        experiment.test or experiment.evaluate,
        _Update(experiment.optimizer, experiment.steps),
        experiment.steps_per_call,
        devices_mesh(),
    )


class Together(NamedTuple):
    """The programs of several runs at once: a leading axis tells one from another."""

    advance: Program
    """``advance(states, numbers, counts, batches) -> (states, records)``."""
    evaluate: Program
    """``evaluate(params, keys) -> metrics``."""
    stack: Program
    """``stack([tree, ...]) -> tree``."""
    apart: Program
    """``apart(tree) -> [tree, ...]``."""


def together(experiment: Experiment, count: int) -> Together:
    """The programs of ``count`` runs of an experiment."""
    return _together(programs(experiment), count, devices_mesh())


@functools.lru_cache(maxsize=8)
def _together(one: Programs, count: int, mesh: jax.sharding.Mesh) -> Together:
    def stack(trees: list[Any]) -> Any:
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)

    def apart(tree: Any) -> list[Any]:
        return [jax.tree.map(operator.itemgetter(number), tree) for number in range(count)]

    advance, evaluate = jax.vmap(one.advance.function), jax.vmap(one.evaluate.function)
    return Together(Program(advance, mesh), Program(evaluate, mesh), Program(stack, mesh), Program(apart, mesh))


class _Update:
    """An optimiser's transformation, equal to another one's that differs in its numbers alone."""

    def __init__(self, optimizer: Optimizer, steps: int) -> None:
        self._optimizer, self._steps = optimizer, steps
        self._identity = optimizer.structure, steps if optimizer.depends_on_steps else None

    def __call__(self, numbers: Mapping[str, Any]) -> optax.GradientTransformation:
        return self._optimizer.with_numbers(numbers).transformation(self._steps)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Update) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)


@functools.lru_cache(maxsize=8)
def _programs(
    init: Callable[[Key], Any],
    batch: Callable[[Key, Array], Any] | Buckets | HostBatches,
    loss: Callable[..., tuple[Any, ...]],
    carry: Callable[[Any], Any] | None,
    complete: Callable[[Any, Any], Any] | None,
    evaluate: Callable[[Any, Key], Mapping[str, Any]],
    test: Callable[[Any, Key], Mapping[str, Any]],
    update: _Update,
    capacity: int,
    mesh: jax.sharding.Mesh,
) -> Programs:
    def start(keys: Keys) -> TrainState:
        params = init(keys.init)
        first = None if carry is None else carry(params)
        state = TrainState(jnp.int32(0), params, update({}).init(params), keys.train, first, complete)
        return jax.tree.map(_strong, state)

    def step(state: TrainState, numbers: Mapping[str, Array], read: Any) -> tuple[TrainState, Mapping[str, Any], Array]:
        if isinstance(batch, HostBatches):
            (value, (metrics, handed)), grads = loss_and_gradient(loss, lambda key, step: read, state)
        elif isinstance(batch, Buckets):
            branches = [functools.partial(loss_and_gradient, loss, draw) for draw in batch.batches]
            (value, (metrics, handed)), grads = jax.lax.switch(
                batch.index(data_key(state), state.step), branches, state
            )
        else:
            (value, (metrics, handed)), grads = loss_and_gradient(loss, batch, state)
        updates, opt_state = update(numbers).update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        norm = optax.tree.norm(grads)
        finite = jnp.isfinite(value) & jnp.isfinite(norm) & _all_finite(params)
        new = TrainState(state.step + 1, params, opt_state, state.key, handed, state.complete)
        return new, {**metrics, "loss": value, "grad_norm": norm}, finite

    def advance(
        state: TrainState, numbers: Mapping[str, Array], count: Array, batches: Any = None
    ) -> tuple[TrainState, Records]:
        def read(number: Any) -> Any:
            return jax.tree.map(lambda leaf: leaf[number], batches)

        # Traced on its own: the loop needs the metrics' shapes before it begins.
        one, (_, shapes, _) = traced(step, state, numbers, read(0))
        for name, metric in shapes.items():
            if metric.shape:
                raise RunError(f"A metric is one number, but the loss function's {name!r} has shape {metric.shape}.")
        buffers = jax.tree.map(lambda scalar: jnp.zeros((capacity, *scalar.shape), scalar.dtype), shapes)

        def more(carry: tuple[TrainState, Records]) -> Array:
            return (carry[1].taken < count) & carry[1].finite

        def body(carry: tuple[TrainState, Records]) -> tuple[TrainState, Records]:
            old, records = carry
            new, metrics, finite = one(old, numbers, read(records.taken))
            metrics = jax.tree.map(lambda buffer, m: buffer.at[records.taken].set(m), records.metrics, metrics)
            # A non-finite step is not taken: the state before it stays, and the loop ends.
            kept = jax.tree.map(lambda after, before: jnp.where(finite, after, before), new, old)
            return kept, Records(records.taken + finite, finite, metrics)

        return jax.lax.while_loop(more, body, (state, Records(jnp.int32(0), jnp.bool_(True), buffers)))

    validated = Program(evaluate, mesh)
    tested = validated if test is evaluate else Program(test, mesh)
    return Programs(Program(keys_of, mesh), Program(start, mesh), Program(advance, mesh), validated, tested)


def _shapes(tree: Any) -> Any:
    return jax.tree.structure(tree), [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(tree)]


def _all_finite(tree: Any) -> Array:
    leaves = [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in leaves])) if leaves else jnp.bool_(True)


def _strong(leaf: Array) -> Array:
    # A weakly typed leaf would come back from a checkpoint strongly typed, and compile everything a second time.
    is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return leaf if is_key else jax.lax.convert_element_type(leaf, leaf.dtype)
