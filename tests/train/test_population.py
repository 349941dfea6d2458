"""Runs that are trained together, in one program, against the same runs alone."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from experiments.adding import Config, build
from lstm_jax import LSTM
from lstm_jax.train import Member, NonFiniteError, Optimizer, train, train_population
from tests.train.tiny import experiment as tiny_experiment

STEPS = 100
SETTINGS = [
    (0, Optimizer(learning_rate=5e-3)),
    (1, Optimizer(learning_rate=5e-3)),
    (0, Optimizer(learning_rate=8e-3, clip_norm=0.3)),
    (2, Optimizer(learning_rate=1e-3, clip_norm=5.0)),
]


def _adding(optimizer, steps=STEPS, **settings):
    config = Config(length=20, cell=LSTM(8), steps=steps, optimizer=optimizer, evaluation_size=64)
    return dataclasses.replace(build(config), **settings)


def _records(folder):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def population(tmp_path_factory):
    folder = tmp_path_factory.mktemp("population")
    members = [Member(_adding(opt), seed, folder / str(n)) for n, (seed, opt) in enumerate(SETTINGS)]
    return members, train_population(members, quiet=True), folder


def test_each_is_what_it_would_be_alone(population):
    """Losses and validations of the first 100 steps in float32, to 1e-4."""
    members, results, _ = population
    for member, together in zip(members, results, strict=True):
        alone = train(member.experiment, seed=member.seed, quiet=True)
        for name in ("loss", "mse"):
            ours = [r[name] for r in together.history if name in r]
            theirs = [r[name] for r in alone.history if name in r]
            assert len(ours) == len(theirs) > 1
            np.testing.assert_allclose(ours, theirs, rtol=1e-4)
        assert (together.steps, together.seed, together.config) == (STEPS, member.seed, alone.config)
        assert together.validation.keys() == alone.validation.keys()
    losses = [result.history[-2]["loss"] for result in results]
    assert len(set(losses)) == len(losses)


@pytest.mark.proof
def test_with_weight_decay():
    optimizers = [Optimizer(learning_rate=1e-2, weight_decay=decay) for decay in (1e-3, 0.3)]
    results = train_population([Member(_adding(opt, 30), 0) for opt in optimizers], quiet=True)
    for optimizer, together in zip(optimizers, results, strict=True):
        alone = train(_adding(optimizer, 30), seed=0, quiet=True)
        for ours, theirs in zip(jax.tree.leaves(together.params), jax.tree.leaves(alone.params), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


def test_each_has_a_run_folder_of_its_own_that_goes_on_alone(population):
    members, results, folder = population
    again = train_population(members, quiet=True)
    assert [r.metrics for r in again] == [r.metrics for r in results]
    for number, (member, result) in enumerate(zip(members, results, strict=True)):
        assert len(_records(folder / str(number))) == STEPS + 2
        assert train(member.experiment, seed=member.seed, workdir=folder / str(number), quiet=True).metrics == (
            result.metrics
        )
    longer = train(_adding(SETTINGS[0][1], STEPS + 10), seed=0, workdir=folder / "0", quiet=True)
    assert longer.steps == STEPS + 10


def test_each_ends_by_itself():
    """One by its first validation, one is stopped from outside, one is not finite, one goes to the end."""

    class EnoughError(Exception):
        pass

    def enough(record):
        if record["step"] == 20:
            raise EnoughError

    easy = tiny_experiment(optimizer=Optimizer("sgd", learning_rate=0.1))
    experiments = [
        dataclasses.replace(easy, optimizer=Optimizer("sgd", learning_rate=rate, clip_norm=1e30))
        for rate in (0.1, 0.1, 1e38, 1e-6)
    ]
    experiments[0] = dataclasses.replace(experiments[0], stop=lambda scores: True)
    watches = (None, enough, None, None)
    members = [Member(e, n, None, w) for n, (e, w) in enumerate(zip(experiments, watches, strict=True))]
    solved, stopped, broken, slow = train_population(members, quiet=True)
    alone = train(experiments[0], seed=0, quiet=True)
    assert (solved.steps, solved.stopped) == (alone.steps, alone.stopped) == (10, True)
    assert max(record["step"] for record in solved.history) == 10
    assert isinstance(stopped, EnoughError)
    assert isinstance(broken, NonFiniteError)
    assert slow.steps == easy.steps


def test_what_differs_in_more_is_refused():
    with pytest.raises(ValueError, match="one optimiser and one number of steps"):
        train_population([Member(_adding(Optimizer(name)), 0) for name in ("adam", "sgd")], quiet=True)
