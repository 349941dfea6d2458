"""An experiment on examples in memory: shuffled epochs, buckets of lengths, scores over all of validation and test."""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from lstm_jax.data.buckets import Buckets
from lstm_jax.data.examples import Examples
from lstm_jax.data.fingerprint import fingerprint
from lstm_jax.models.losses import Measure
from lstm_jax.options import one_of, rate
from lstm_jax.train.experiment import Array, Experiment, Key
from lstm_jax.train.optimizer import Optimizer

ROWS = 256
"""At most this many sequences are answered at once: any number of them needs no more memory than these."""


def supervised_experiment(
    model: nn.Module,
    *,
    name: str,
    config: Any,
    train: Examples,
    validation: Examples,
    test: Examples | None = None,
    loss: Measure,
    scores: Sequence[Measure] = (),
    metric: str = "",
    optimizer: Optimizer,
    batch_size: int,
    steps: int,
    buckets: int = 1,
    class_weights: Sequence[float] | None = None,
    augment: Callable[[Array, Key], Array] | None = None,
    begin: Callable[[Any], Any] | None = None,
    **more: Any,
) -> Experiment:
    """Train a model on examples: each epoch visits each of them once, in an order of its own.

    The model is applied with an rng named ``dropout`` in training and without one elsewhere. Collections of its
    variables beside ``params``, such as the running statistics of ``flax.linen.BatchNorm``, are mutable in training:
    what the model makes of them goes on to the next step; the optimiser leaves them alone. At first they are the same
    in all runs. What a model sows is not kept.

    Args:
        model: ``model.apply(params, xs, lengths=lengths)`` gives the answers.
        name: names the run.
        config: the experiment's settings.
        train: what is trained on.
        validation: what chooses the best parameters, and ends the training.
        test: what is scored once, after training; ``validation`` if None.
        loss: what is minimised; its mean is a score, too.
        scores: what else is measured on validation and test.
        metric: the score that chooses the best parameters; ``loss`` if empty.
        optimizer: the optimiser.
        batch_size: sequences in a step.
        steps: optimiser steps at most.
        buckets: into how many lengths, at most, the training sequences are sorted; each compiles a branch.
        class_weights: how much an example of each class counts in the loss, ``[C]``; the scores are not weighted.
        augment: ``augment(xs, key) -> xs`` changes the inputs of a training batch.
        begin: ``begin(params) -> params`` changes the first parameters: puts in those that were learnt elsewhere.
        more: further fields of `Experiment`.

    Raises:
        DataError: there are no examples.
        ValueError: a size is no whole number of at least 1, the model's dropout is no rate, ``metric`` is no score, or
            parameters are to be averaged that have running statistics.
    """
    rate("dropout", getattr(model, "dropout", 0.0))
    measures = {one.name: one for one in (loss, *scores)}
    metric = one_of("metric", metric or loss.name, measures)
    sorted_ = Buckets.of(train, min(batch_size, len(train)), buckets)
    weights = None if class_weights is None else jnp.asarray(class_weights, jnp.float32)

    def variables(key: Key) -> Any:
        return model.init(key, jnp.asarray(train.xs[:, :1]), lengths=jnp.asarray(train.lengths[:1]))

    statistics = _kept_collections(model, variables, train)
    if statistics and optimizer.average_after is not None:
        raise ValueError(
            f"Leave out optimizer.average_after: the model has running statistics ({statistics[0]}), which belong to "
            "its parameters as they are, not to their average."
        )
    # Where all are as long as they are stored, the model is spared the masks; but statistics leave filler out.
    equal = all((part.lengths == len(part.xs)).all() for part in sorted_.parts)
    equal = equal and not (statistics and any(len(part) % sorted_.batch_size for part in sorted_.parts))

    def first_params(key: Key) -> Any:
        params = {"params": variables(key).get("params", {})}
        return params if begin is None else begin(params)

    def first_statistics(params: Any) -> dict[str, Any]:
        first = variables(jax.random.key(0))
        return {name: first[name] for name in statistics}

    def training_loss(params: Any, batch: dict[str, Array], key: Key, *carry: Any) -> tuple[Any, ...]:
        dropout, augmented = jax.random.split(key)
        xs = batch["xs"] if augment is None else augment(batch["xs"], augmented)
        lengths = None if equal else batch["lengths"]
        given = _joined(params, *carry) if statistics else params
        said: Any = model.apply(given, xs, lengths=lengths, rngs={"dropout": dropout}, mutable=statistics)
        answers, updated = said
        targets = batch["targets"]
        counted = batch["weights"]
        counted = counted if train.every_step else counted.reshape(-1, *(1,) * (targets.ndim - 1))
        if weights is not None:
            counted = counted * weights[targets]
        return loss.mean(answers, targets, counted), {}, *([updated] if statistics else [])

    tested = validation if test is None else test
    arrays = [(part.xs, part.lengths, part.targets) for part in (train, validation, tested)]
    return Experiment(
        name=name,
        init=first_params,
        batch=sorted_,
        loss=training_loss,
        carry=first_statistics if statistics else None,
        complete=_joined if statistics else None,
        evaluate=_scoring(model, validation, measures),
        test=_scoring(model, tested, measures),
        optimizer=optimizer,
        steps=steps,
        batch_size=sorted_.batch_size,
        metric=metric,
        goal=measures[metric].goal,
        fingerprint=fingerprint(*itertools.chain(*arrays)),
        config=config,
        **more,
    )


def predict(model: nn.Module, params: Any, examples: Examples) -> np.ndarray:
    """What a model answers, ``[N, ...]``, or ``[T, N, ...]`` of a model that answers at every step.

    Args:
        model: the model.
        params: its variables, as training gives them.
        examples: the sequences; their targets are not looked at, but for whether each step has one.
    """
    pieces = _pieces(examples)
    answer = _applied(model)
    found = [np.asarray(answer(params, xs, lengths)) for xs, lengths, _ in zip(*pieces, strict=True)]
    rows = int(examples.every_step)
    return np.concatenate(found, axis=rows).take(range(len(examples)), axis=rows)


def _kept_collections(model: nn.Module, variables: Callable[[Key], Any], train: Examples) -> list[str]:
    """The collections beside ``params`` that training hands on: those that a call leaves in their shape."""

    def called(key: Key) -> Any:
        first = variables(key)
        xs, lengths = jnp.asarray(train.xs[:, :1]), jnp.asarray(train.lengths[:1])
        said: Any = model.apply(first, xs, lengths=lengths, rngs={"dropout": key}, mutable=True)
        return first, said[1]

    first, after = jax.eval_shape(called, jax.random.key(0))
    return [name for name in first if name != "params" and first[name] == after.get(name)]


def _joined(params: Any, statistics: Any) -> Any:
    return {**params, **statistics}


@functools.lru_cache(maxsize=8)
def _applied(model: nn.Module) -> Callable[..., Any]:
    return jax.jit(lambda params, xs, lengths: model.apply(params, xs, lengths=lengths))


def _scoring(
    model: nn.Module, examples: Examples, measures: Mapping[str, Measure]
) -> Callable[[Any, Key], dict[str, Array]]:
    """``evaluate(params, key)``: the measures' means over all examples."""
    pieces = _pieces(examples)
    equal = bool((examples.lengths == len(examples.xs)).all())

    def evaluate(params: Any, key: Key) -> dict[str, Array]:
        def piece(part: tuple[Array, Array, Array]) -> dict[str, tuple[Array, Array]]:
            xs, lengths, targets = part
            answers: Any = model.apply(params, xs, lengths=None if equal else lengths)
            return {name: measure.tally(answers, targets) for name, measure in measures.items()}

        sums = jax.tree.map(jnp.sum, jax.lax.map(piece, tuple(map(jnp.asarray, pieces))))
        return {
            name: measure.finish(sums[name][0] / jnp.maximum(sums[name][1], 1)) for name, measure in measures.items()
        }

    return evaluate


def _pieces(examples: Examples) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs, lengths and targets of all examples, in pieces of equally many, the last filled up: ``[P, ...]``.

    Filler has no known target.
    """
    count = -(-len(examples) // ROWS)
    size = -(-len(examples) // count)
    numbers = np.arange(count * size)
    rows = np.minimum(numbers, len(examples) - 1)
    targets = np.moveaxis(examples.targets, 1, 0) if examples.every_step else examples.targets
    targets = targets[rows]
    targets[numbers >= len(examples)] = np.nan if targets.dtype.kind == "f" else -1
    targets = targets.reshape(count, size, *targets.shape[1:])
    xs = examples.xs[:, rows].reshape(len(examples.xs), count, size, *examples.xs.shape[2:])
    return (
        np.ascontiguousarray(np.moveaxis(xs, 1, 0)),
        examples.lengths[rows].reshape(count, size),
        np.ascontiguousarray(np.swapaxes(targets, 1, 2)) if examples.every_step else targets,
    )
