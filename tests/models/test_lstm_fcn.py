"""LSTM-FCN: against a definition written out in NumPy, and rows that end early."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax import LSTM, Bidirectional, unroll
from lstm_jax.models.lstm_fcn import LSTMFCN

CELLS = {"lstm": (LSTM(3),), "both-ways": (Bidirectional(LSTM(3), LSTM(2)),)}


def _case(cells="lstm", **settings) -> tuple[Any, jax.Array, Any]:
    model = LSTMFCN(cells=CELLS[cells], classes=3, filters=(4, 5), kernels=(4, 3), **settings)
    xs = jax.random.normal(jax.random.key(0), (9, 4, 2))
    variables = model.init(jax.random.key(1), xs)
    # Biases, scales and statistics that are not 0 and 1; no variance below 0.
    leaves, shape = jax.tree.flatten(variables)
    keys = jax.random.split(jax.random.key(2), len(leaves))
    noisy = [leaf + 0.1 * jnp.abs(jax.random.normal(key, leaf.shape)) for leaf, key in zip(leaves, keys, strict=True)]
    return model, xs, jax.tree.unflatten(shape, noisy)


def _by_hand(variables, cells, sequences, *, training=False, shuffled=None):
    """Logits ``[N, classes]`` of sequences ``[T_i, D]``, and each layer's mean and variance: every sum written out."""
    params, known = variables["params"], variables["batch_stats"]
    p = jax.tree.map(np.asarray, {name: value for name, value in params.items() if name != "Recurrent_0"})
    layer, statistics = [np.asarray(one, np.float64) for one in sequences], []
    for number in range(2):
        flat, size = p[f"conv_{number}"]["kernel"], (4, 3)[number]
        kernel = flat.reshape(size, layer[0].shape[1], -1)
        new = [np.zeros((len(ys), flat.shape[-1])) for ys in layer]
        for row, ys in enumerate(layer):
            for t in range(len(ys)):
                for k in range(size):
                    at = t + k - (size - 1) // 2
                    if 0 <= at < len(ys):
                        new[row][t] += ys[at] @ kernel[k]
        norm, steps = f"norm_{number}", np.concatenate(new)
        mean, var = (known[norm]["mean"], known[norm]["var"]) if not training else (steps.mean(0), steps.var(0))
        statistics.append((np.asarray(mean), np.asarray(var)))
        normal = [(ys - statistics[-1][0]) / np.sqrt(statistics[-1][1] + 1e-5) for ys in new]
        layer = [np.maximum(ys * p[norm]["scale"] + p[norm]["bias"], 0) for ys in normal]
    answers = []
    for xs, ys in zip(sequences, layer, strict=True):
        if shuffled is not None:  # a channel is a step
            xs = np.pad(xs, [(0, shuffled - len(xs)), (0, 0)]).T
        outputs, _ = unroll(cells[0], params["Recurrent_0"]["cell"], jnp.asarray(xs)[:, None])
        both = np.concatenate([np.asarray(outputs[-1, 0]), ys.mean(axis=0)])
        answers.append(both @ p["Dense_0"]["kernel"] + p["Dense_0"]["bias"])
    return np.array(answers), statistics


@pytest.mark.parametrize("cells", ["lstm", pytest.param("both-ways", marks=pytest.mark.proof)])
def test_is_what_the_paper_draws(cells):
    model, xs, variables = _case(cells)
    answers = model.apply(variables, xs)
    assert answers.shape == (4, 3)
    expected, _ = _by_hand(variables, CELLS[cells], np.swapaxes(xs, 0, 1))
    np.testing.assert_allclose(answers, expected, rtol=1e-4, atol=1e-5)


def test_shuffled_dimensions_are_what_the_paper_draws():
    model, xs, variables = _case(shuffled_steps=10)
    lengths = jnp.array([9, 3, 1, 6])
    garbage = jnp.where(jnp.arange(9)[:, None] < lengths, 0, jnp.nan)[..., None]
    sequences = [np.asarray(xs[:length, row]) for row, length in enumerate(lengths)]
    expected, _ = _by_hand(variables, CELLS["lstm"], sequences, shuffled=10)
    answers = model.apply(variables, xs + garbage, lengths=lengths)
    np.testing.assert_allclose(answers, expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="have 11 steps, more than shuffled_steps=10"):
        model.apply(variables, jnp.zeros((11, 1, 2)))


def test_in_training_the_batch_normalises_padding_left_out():
    model, xs, variables = _case()
    lengths = jnp.array([9, 3, 0, 6])
    garbage = jnp.where(jnp.arange(9)[:, None] < lengths, 0, jnp.nan)[..., None]
    answers, updated = model.apply(variables, xs + garbage, lengths=lengths, mutable=["batch_stats"])
    rows = (0, 1, 3)
    sequences = [np.asarray(xs[: lengths[row], row]) for row in rows]
    expected, statistics = _by_hand(variables, CELLS["lstm"], sequences, training=True)
    np.testing.assert_allclose(answers[np.array(rows)], expected, rtol=1e-4, atol=1e-5)
    for number, found in enumerate(statistics):
        before, after = (tree["batch_stats"][f"norm_{number}"] for tree in (variables, updated))
        for name, one in zip(("mean", "var"), found, strict=True):
            np.testing.assert_allclose(after[name], 0.9 * before[name] + 0.1 * one, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cells", ["lstm", pytest.param("both-ways", marks=pytest.mark.proof)])
def test_a_row_with_a_length_is_answered_as_if_cut_there(cells):
    model, xs, variables = _case(cells)
    lengths = jnp.array([9, 3, 1, 6])
    garbage = jnp.where(jnp.arange(9)[:, None] < lengths, 0, jnp.nan)
    answers = model.apply(variables, xs + garbage[..., None], lengths=lengths)
    for row, length in enumerate(map(int, lengths)):
        alone = model.apply(variables, xs[:length, row : row + 1])
        np.testing.assert_allclose(answers[row], alone[0], rtol=1e-4, atol=1e-5)


def test_what_lies_past_an_end_has_no_gradient():
    model, xs, variables = _case()
    lengths = jnp.array([9, 3, 1, 6])

    def total(xs):
        return model.apply(variables, xs, lengths=lengths).sum()

    slopes = jax.grad(total)(jnp.where((jnp.arange(9)[:, None] < lengths)[..., None], xs, jnp.nan))
    np.testing.assert_array_equal(slopes[3:, 1], 0)
    assert np.isfinite(slopes).all()
    assert np.all(np.asarray(slopes[:3, 1] != 0))


def test_dropout_is_on_with_a_key_and_spares_the_convolutions():
    model, xs, variables = _case(dropout=0.5)
    draws = [model.apply(variables, xs, rngs={"dropout": jax.random.key(seed)}) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert np.any(np.asarray(draws[0] != draws[2]))
    everything, _, _ = _case(dropout=1.0)
    dropped = everything.apply(variables, xs, rngs={"dropout": jax.random.key(0)})
    params = variables["params"]
    without = {**params, "Dense_0": {**params["Dense_0"], "kernel": params["Dense_0"]["kernel"].at[:3].set(0)}}
    np.testing.assert_allclose(dropped, model.apply({**variables, "params": without}, xs), rtol=1e-4, atol=1e-5)


def test_works_without_a_batch_axis():
    model, xs, variables = _case()
    np.testing.assert_allclose(model.apply(variables, xs[:, 0]), model.apply(variables, xs)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"classes": 0}, "classes must be a whole number of at least 1, got 0"),
        ({"cells": ()}, r"needs at least one cell; got cells=\(\)"),
        ({"kernels": (3,)}, r"There must be a kernel for each of the 3 filters; kernels=\(3,\)"),
    ],
)
def test_what_means_nothing_is_refused(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        LSTMFCN(**settings).init(jax.random.key(0), jnp.zeros((2, 1, 1)))


def test_no_convolution_has_a_bias_that_normalisation_takes_out():
    """Its gradient would be rounding errors alone, which Adam makes as large as any other's."""
    _, _, variables = _case()
    assert set(variables["params"]["conv_0"]) == set(variables["params"]["conv_1"]) == {"kernel"}
