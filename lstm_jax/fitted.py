"""The front door: a model fitted to arrays in one call, NumPy in and NumPy out.

The only place where the batch comes first: ``x`` is ``[N, T, D]``, N sequences of T steps, as data frames, Keras and
scikit-learn have it. Everything else of this package is time first. It is made of what experiments are made of:
`lstm_jax.data.Examples`, the models, `lstm_jax.train.supervised_experiment`.
"""

import dataclasses
import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax import models
from lstm_jax.cell import Cell
from lstm_jax.convert.entries import named
from lstm_jax.data import Buckets, DataError, Examples
from lstm_jax.data.batch_first import balanced_weights, classes_of, examples_of, sequences_of
from lstm_jax.models import losses
from lstm_jax.models.losses import Measure
from lstm_jax.options import one_of, positive, rate
from lstm_jax.report.history import History, history_of
from lstm_jax.train import Experiment, Optimizer, RunError, supervised_experiment, train
from lstm_jax.train import predict as answers_of
from lstm_jax.train.folder import read_json, write_json
from lstm_jax.train.settings import from_json, to_json

LOSSES = {
    measure.name: measure for measure in (losses.MSE, losses.MAE, losses.CROSS_ENTROPY, losses.BINARY_CROSS_ENTROPY)
}
MODEL, PARAMS = "model.json", "params.safetensors"
Model = models.SequenceRegressor | models.SequenceClassifier | models.SequenceTagger | models.LSTMFCN


@dataclasses.dataclass(frozen=True, eq=False)
class Fitted:
    """A model, what it has learned, and how that went."""

    model: Model
    """What was fitted."""
    params: Any = dataclasses.field(repr=False)
    """The variables of the best epoch: ``fitted.model.apply(fitted.params, xs)`` answers inputs, time first."""
    loss: Measure = dataclasses.field(repr=False)
    """What was minimised."""
    classes: tuple[Any, ...] | None
    """The classes by their number; None of a model that gives numbers."""
    features: int
    """D, numbers a step; 0 of tokens."""
    history: History = dataclasses.field(repr=False)
    """The scores of each epoch, and their picture."""


def fit(
    model: Model,
    x: Any,
    y: Any,
    *,
    loss: str | Measure = "",
    epochs: int = 100,
    batch_size: int = 32,
    optimizer: Optimizer | None = None,
    validation_split: float = 0.0,
    validation_data: tuple[Any, Any] | None = None,
    patience: int | None = None,
    class_weights: str | Mapping[Any, float] | None = None,
    seed: int = 0,
    workdir: str | os.PathLike[str] | None = None,
    fresh: bool = False,
    quiet: bool = True,
) -> Fitted:
    """Train a model on arrays.

    The parameters that are kept are those of the epoch with the best validation loss; without validation data, of the
    epoch with the best loss on all of ``x``.

    Args:
        model: a `lstm_jax.models.SequenceRegressor`, ``SequenceClassifier``, or ``SequenceTagger``, which answers at
            every step.
        x: ``[N, T, D]``, or a list of N arrays ``[T_i, D]`` of different lengths; tokens ``[N, T]`` or ``[T_i]`` if the
            model has a vocabulary.
        y: numbers ``[N]`` or ``[N, outputs]``; of a classifier the classes ``[N]``, numbers or texts. With an answer at
            every step ``[N, T]`` or ``[N, T, outputs]``, or a list of these.
        loss: "mse", "mae", "cross_entropy", "binary_cross_entropy" or a `lstm_jax.models.losses.Measure`; the model's
            own if empty.
        epochs: how often each sequence is seen, at most.
        batch_size: sequences in a step.
        optimizer: Adam with the rate 1e-3 if None.
        validation_split: the last sequences are kept for validation: this share of them.
        validation_data: (x, y) instead.
        patience: epochs in a row without a better validation loss that end the training; None: none do.
        class_weights: how much each class counts in the loss; "balanced": as much as the others in all.
        seed: all randomness.
        workdir: a run folder, which the same call goes on from, with more ``epochs`` too; None: nothing is written.
        fresh: start over; a run that is in ``workdir`` is moved to a folder beside it.
        quiet: show no progress.

    Raises:
        DataError: the arrays are no such data; one sentence says why.
        ValueError: a setting means nothing.
        NonFiniteError: the loss or a gradient became infinite or not a number.
    """
    if not 0 <= validation_split < 1:
        raise ValueError(f"validation_split must be at least 0 and below 1, got {validation_split}.")
    _check_model(model)
    if not isinstance(optimizer, Optimizer | None):
        told = type(optimizer).__name__
        raise ValueError(f"optimizer must be a lstm_jax.train.Optimizer(name=..., learning_rate=...), got {told}.")
    measure = _measure(model, loss)
    names = classes_of(y, every_step=model.EVERY_STEP) if _is_class(measure) else None
    of_arrays = functools.partial(examples_of, vocabulary=model.vocabulary, classes=names, every_step=model.EVERY_STEP)
    examples = of_arrays(x, y)
    _check_outputs(model, examples, names, measure)
    if validation_data is not None:
        if validation_split:
            raise ValueError("Give validation_split or validation_data, not both.")
        if not isinstance(validation_data, tuple) or len(validation_data) != 2:
            raise ValueError("validation_data must be a pair (x, y).")
        training, validation = examples, of_arrays(*validation_data)
        _check_outputs(model, validation, names, measure)
        if features_of(validation) != features_of(training):
            raise DataError(
                f"validation_data has {features_of(validation)} features a step, but x has {features_of(training)}."
            )
    elif validation_split:
        count = max(1, round(len(examples) * validation_split))
        if count >= len(examples):
            raise DataError(f"{len(examples)} sequences are too few to keep a share of {validation_split} of them.")
        training = examples.take(slice(None, -count))
        validation = examples.take(slice(-count, None))
        _check_classes(names, training, count)
    else:
        training = validation = examples
    buckets = 1 if len(set(training.lengths.tolist())) == 1 else 4
    per_epoch = Buckets.of(training, min(batch_size, len(training)), buckets).steps_per_epoch
    config = {
        "model": _settings(model), "loss": measure.name, "batch_size": batch_size,
        "validation_split": validation_split, "patience": patience, "class_weights": str(class_weights),
        "optimizer": to_json(optimizer or Optimizer()),
    }  # fmt: skip
    experiment: Experiment = supervised_experiment(
        model,
        name="fit",
        config=config,
        train=training,
        validation=validation,
        loss=measure,
        scores=_scores(model, measure),
        optimizer=optimizer or Optimizer(),
        batch_size=batch_size,
        steps=positive("epochs", epochs) * per_epoch,
        evaluate_every=per_epoch,
        steps_per_call=min(per_epoch, 100),
        buckets=buckets,
        patience=patience,
        class_weights=_weights(class_weights, names, training.targets),
    )
    result = train(experiment, seed=seed, workdir=workdir, fresh=fresh, quiet=quiet)
    params = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)), result.params)
    kept = validation is not training
    history = history_of(result.history, measure.name, per_epoch, kept)
    return Fitted(model, params, measure, names, features_of(examples), history)


def predict(fitted: Fitted, x: Any, *, probabilities: bool = False) -> Any:
    """What a fitted model says of sequences.

    Args:
        fitted: what `fit` gave.
        x: as in `fit`.
        probabilities: of a classifier, those of all its classes, in the order of ``fitted.classes``.

    Returns:
        Numbers ``[N, outputs]``, or classes ``[N]``, of the kind that was fitted to; with ``probabilities`` ``[N, C]``.
        With an answer at every step these have a second axis T, or are a list where ``x`` is one.

    Raises:
        DataError: ``x`` is no such data.
        ValueError: probabilities of a model that gives numbers.
    """
    _check_fitted(fitted)
    if probabilities and fitted.classes is None:
        raise ValueError("This model gives numbers, not classes: it has no probabilities.")
    sequences = sequences_of(x, vocabulary=fitted.model.vocabulary)
    every_step = fitted.model.EVERY_STEP
    nothing = [np.zeros(len(one), np.int32) for one in sequences] if every_step else np.zeros(len(sequences), np.int32)
    examples = _checked(fitted, Examples.of(sequences, nothing, every_step=every_step))
    answers = answers_of(fitted.model, fitted.params, examples)
    if probabilities:
        answers = np.asarray(jax.nn.softmax(answers, axis=-1))
    elif fitted.classes is not None:
        answers = np.array(fitted.classes)[answers.argmax(axis=-1)]
    elif fitted.loss.name == losses.BINARY_CROSS_ENTROPY.name:
        answers = np.asarray(jax.nn.sigmoid(answers))
    if not every_step:
        return answers
    rows = [answers[:length, row] for row, length in enumerate(examples.lengths)]
    return np.stack(rows) if isinstance(x, np.ndarray) else rows


def evaluate(fitted: Fitted, x: Any, y: Any) -> dict[str, float]:
    """The loss and the other scores on sequences, by name.

    Raises:
        DataError: ``x`` and ``y`` are no such data.
    """
    _check_fitted(fitted)
    model, measure = fitted.model, fitted.loss
    made = examples_of(x, y, vocabulary=model.vocabulary, classes=fitted.classes, every_step=model.EVERY_STEP)
    examples = _checked(fitted, made)
    answers, targets = answers_of(fitted.model, fitted.params, examples), jnp.asarray(examples.targets)
    measures = (measure, *_scores(model, measure))
    return {one.name: float(one.mean(jnp.asarray(answers), targets)) for one in measures}


def save(fitted: Fitted, folder: str | os.PathLike[str]) -> Path:
    """Write a fitted model: its settings as JSON and its parameters as safetensors, no code in either.

    Raises:
        ValueError: its loss is a function of one's own, or ``folder`` is a file.
        ImportError: safetensors is not installed.
    """
    from lstm_jax.convert.file import save_params

    _check_fitted(fitted)
    if fitted.loss.name not in LOSSES:
        raise ValueError(f"The loss {fitted.loss.name!r} is a function of your own, which no file can hold.")
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ValueError(f"{path} is, or is in, a file; give a folder.") from None
    save_params(fitted.params, path / PARAMS)
    kind = type(fitted.model).__name__
    about = {"kind": kind, "model": _settings(fitted.model), "loss": fitted.loss.name, "classes": fitted.classes}
    write_json(path / MODEL, {**about, "features": fitted.features, "history": fitted.history})
    return path


def load(folder: str | os.PathLike[str]) -> Fitted:
    """Read what `save` wrote.

    Raises:
        ValueError: the folder holds no such model.
        ImportError: safetensors is not installed.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = Path(folder)
    damaged = f"{path} holds no whole fitted model"
    try:
        about = read_json(path / MODEL)
    except RunError as error:
        raise ValueError(f"{damaged}: {MODEL} cannot be read as JSON.") from error
    if about is None:
        raise ValueError(f"{path} holds no fitted model: it has no {MODEL}.")
    kinds: dict[str, Any] = {name: getattr(models, name) for name in models.__all__}
    try:
        model = from_json(about["model"], kinds[one_of("kind", about["kind"], kinds)])
        loss = LOSSES[one_of("loss", about["loss"], LOSSES)]
        features, classes, history = (about[name] for name in ("features", "classes", "history"))
        arrays = load_file(path / PARAMS)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{damaged}: {MODEL} lacks {error}.") from error
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{damaged}: {PARAMS} cannot be read ({error}).") from error
    sample = jnp.zeros((1, 1), jnp.int32) if model.vocabulary else jnp.zeros((1, 1, features))
    like = jax.eval_shape(model.init, jax.random.key(0), sample)
    wanted = named(like)
    for name, leaf in wanted.items():
        if name not in arrays or arrays[name].shape != leaf.shape:
            raise ValueError(f"{path / PARAMS} does not fit {MODEL}: {name} is missing there or of another shape.")
    params = jax.tree.unflatten(jax.tree.structure(like), [jnp.asarray(arrays[name]) for name in wanted])
    return Fitted(model, params, loss, None if classes is None else tuple(classes), features, History(history))


def _check_model(model: Any) -> None:
    kinds = ", ".join(models.__all__)
    if isinstance(model, type):
        raise ValueError(f"fit needs a model, such as {model.__name__}(...), not its class.")
    if not isinstance(model, Model):
        raise ValueError(f"fit(model, x, y) needs a model first, one of {kinds}; got {type(model).__name__}.")
    if isinstance(model.cells, Cell):
        raise ValueError(f"cells must be a tuple of cells: cells=({model.cells},).")
    wrong = [cell for cell in model.cells if not isinstance(cell, Cell)]
    if wrong:
        raise ValueError(f"cells must be a tuple of cells, such as (LSTM(64),); got {wrong[0]!r} among them.")
    for setting in ("outputs", "classes", "vocabulary"):
        if getattr(model, setting, None) is not None:
            positive(setting, getattr(model, setting))
    rate("dropout", model.dropout)


def _check_classes(names: tuple[Any, ...] | None, training: Examples, kept: int) -> None:
    """Refuse a split that leaves nothing of a class to train on."""
    lacking = [name for number, name in enumerate(names or ()) if not (training.targets == number).any()]
    if lacking:
        raise DataError(
            f"The last {kept} sequences, which validate, have all of the class {lacking[0]!r}: shuffle x and y first, "
            "or give validation_data."
        )


def _check_fitted(fitted: Any) -> None:
    if not isinstance(fitted, Fitted):
        raise ValueError(f"Pass what fit gave, not {type(fitted).__name__}: fitted = lstm_jax.fit(model, x, y).")


def _measure(model: Model, loss: str | Measure) -> Measure:
    if isinstance(loss, Measure):
        return loss
    known = {"mean_squared_error": "mse", "mean_absolute_error": "mae", "binary_crossentropy": "binary_cross_entropy"}
    known |= dict.fromkeys(("sparse_categorical_crossentropy", "categorical_crossentropy"), "cross_entropy")
    if loss in known:
        raise ValueError(f"loss={loss!r} is called {known[loss]!r} here.")
    return LOSSES[one_of("loss", loss, LOSSES)] if loss else model.LOSS


def _is_class(measure: Measure) -> bool:
    return measure.name == losses.CROSS_ENTROPY.name


def _scores(model: Model, measure: Measure) -> tuple[Measure, ...]:
    """What is measured beside the loss."""
    if _is_class(measure):
        return (losses.ACCURACY,)
    if measure.name == losses.BINARY_CROSS_ENTROPY.name:
        return (losses.BINARY_ACCURACY,)
    return tuple(one for one in (losses.RMSE, losses.MAE) if one.name != measure.name and model.LOSS is losses.MSE)


def _check_outputs(model: Model, examples: Examples, classes: tuple[Any, ...] | None, measure: Measure) -> None:
    """Refuse targets that the model has other outputs than, or that the loss knows nothing of."""
    if classes is None and model.LOSS is losses.CROSS_ENTROPY:
        raise DataError(
            f"A {type(model).__name__} tells classes, by cross_entropy; for {measure.name}: SequenceRegressor."
        )
    if measure.name == losses.BINARY_CROSS_ENTROPY.name:
        known = examples.targets[~np.isnan(examples.targets)]
        if known.min() < 0 or known.max() > 1:
            raise DataError(
                f"binary_cross_entropy is of targets from 0 to 1; y goes from {known.min()} to {known.max()}."
            )
    setting = "outputs" if isinstance(model, models.SequenceRegressor | models.SequenceTagger) else "classes"
    outputs = getattr(model, setting)
    wanted = examples.targets.shape[-1] if classes is None else len(classes)
    if outputs != wanted:
        told = f"{wanted} numbers" if classes is None else f"{wanted} classes, {', '.join(map(repr, classes[:10]))}"
        raise DataError(f"y has {told}, but the model has {outputs}: {setting}={wanted}.")


def _checked(fitted: Fitted, examples: Examples) -> Examples:
    """Examples whose steps are like those that the model was fitted to."""
    if (features := features_of(examples)) != fitted.features:
        raise DataError(f"x has {features} features a step, but the model was fitted to {fitted.features}.")
    return examples


def features_of(examples: Examples) -> int:
    """D; 0 of tokens."""
    return examples.xs.shape[2] if examples.xs.ndim == 3 else 0


def _weights(
    given: str | Mapping[Any, float] | None, classes: tuple[Any, ...] | None, targets: np.ndarray
) -> Sequence[float] | None:
    if given is None:
        return None
    if classes is None:
        raise ValueError("class_weights are for classes, but the targets are numbers.")
    if not isinstance(given, str | Mapping):
        raise ValueError(f'class_weights must be "balanced" or a weight for each class, {{{classes[0]!r}: 2.0}}.')
    if isinstance(given, str):
        one_of("class_weights", given, ("balanced",))
        return balanced_weights(targets, len(classes)).tolist()
    unknown = [one for one in given if one not in classes]
    if unknown:
        raise ValueError(f"class_weights has {unknown[0]!r}; the classes are {', '.join(map(repr, classes))}.")
    weights = [float(given.get(one, 1.0)) for one in classes]
    if not (np.isfinite(weights).all() and min(weights) >= 0 and max(weights) > 0):
        raise ValueError(f"class_weights must be finite, at least 0, and not all 0; got {dict(given)}.")
    return weights


def _settings(model: Model) -> dict[str, Any]:
    fields = [field.name for field in dataclasses.fields(model) if field.name not in ("parent", "name")]
    return to_json({name: getattr(model, name) for name in fields})
