"""The copy experiment: what it is built of, how it scores, and that it learns."""

import dataclasses

import jax
import numpy as np
import pytest

from experiments.copy_memory import Config, build
from lstm_jax import GRU, LSTM
from lstm_jax.tasks import copy_memory
from lstm_jax.train import Optimizer, train

SMALL = Config(
    delay=2,
    num_symbols=2,
    sequence_length=2,
    cell=LSTM(16),
    optimizer=Optimizer(learning_rate=0.02),
    steps=1000,
    evaluation_size=400,
)


def test_learns_a_short_delay():
    result = train(build(SMALL), quiet=True)
    assert result.solved
    assert result.metrics["accuracy"] >= 0.99
    assert result.steps < 1000
    assert result.baseline == pytest.approx(2 * np.log(2) / 6)


def test_accuracy_is_of_the_symbols_alone():
    """Whatever the network answers before the end does not count, and nor does that it is blank."""
    experiment = build(dataclasses.replace(SMALL, steps=3))
    params = experiment.init(jax.random.key(0))
    # Always the first symbol.
    head = {"kernel": np.zeros_like(params["params"]["Dense_0"]["kernel"]), "bias": np.array([0.0, 9.0, 0.0])}
    params = {"params": {**params["params"], "Dense_0": head}}
    key = jax.random.key(5)
    _, targets = copy_memory.sample(key, delay=2, num_symbols=2, sequence_length=2, batch_size=400)
    scores = experiment.test(params, key)
    right = np.asarray(targets[-2:]) == 1
    assert float(scores["accuracy"]) == pytest.approx(right.mean())
    assert float(scores["exact"]) == pytest.approx(right.all(axis=0).mean())
    logits = np.array([0.0, 9.0, 0.0]) - np.log(np.exp([0.0, 9.0, 0.0]).sum())
    assert float(scores["nats"]) == pytest.approx(-logits[np.asarray(targets)].mean(), rel=1e-5)


def test_validation_is_a_tenth_of_the_test():
    experiment = build(SMALL)
    params = experiment.init(jax.random.key(0))
    counts = []
    for function in (experiment.evaluate, experiment.test):
        jaxpr = str(jax.make_jaxpr(function)(params, jax.random.key(0)))
        counts.append(("[2,40]" in jaxpr, "[2,400]" in jaxpr))
    assert counts == [(True, False), (False, True)]


def test_chrono_reaches_from_a_symbol_to_its_copy():
    def forget_biases(config):
        params = build(config).init(jax.random.key(0))["params"]
        return np.split(np.asarray(params["Recurrent_0"]["cell"].b), 4)[1]

    biases = forget_biases(Config(delay=490, sequence_length=10))
    assert np.log(250) < biases.max() <= np.log(499)
    np.testing.assert_array_equal(forget_biases(Config(chrono=False)), 1)


def test_another_cell_and_the_smallest_task():
    config = Config(delay=1, num_symbols=2, sequence_length=1, cell=GRU(3), steps=2, evaluation_size=1, batch_size=1)
    assert train(build(config), quiet=True).steps == 2


@pytest.mark.parametrize("wrong", [{"delay": 0}, {"num_symbols": 1}, {"sequence_length": 0}, {"evaluation_size": 0}])
def test_refused_before_any_work(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        build(dataclasses.replace(SMALL, **wrong))
