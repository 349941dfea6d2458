"""Training on batches that the host reads: the numbers of batches drawn by the device, resumption, populations."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax.data import DataError
from lstm_jax.data.host_batches import HostBatches
from lstm_jax.train import Member, NonFiniteError, Optimizer, RunError, train, train_population
from lstm_jax.train.state import data_key, keys_of, programs
from tests.train.tiny import FEATURES, losses
from tests.train.tiny import experiment as tiny_experiment

pytest.importorskip("grain")


class Rows:
    """Inputs and their sum, one example a row."""

    def __init__(self, count=30, broken=None):
        self.xs = np.random.default_rng(0).normal(size=(count, FEATURES)).astype(np.float32)
        if broken is not None:
            self.xs[broken] = np.nan

    def __len__(self):
        return len(self.xs)

    def __getitem__(self, row):
        return self.xs[row], self.xs[row].sum()


def pairs(examples):
    xs, targets = zip(*examples, strict=True)
    return np.stack(xs), np.stack(targets)


BATCHES = HostBatches(Rows(), 4, pairs)  # one, so that its programs are compiled once


def experiment(batch=BATCHES, **settings):
    return tiny_experiment(batch=batch, **settings)


def same(one, other):
    assert losses(one.history) == losses(other.history)
    jax.tree.map(np.testing.assert_array_equal, one.params, other.params)


@pytest.fixture(scope="module")
def whole():
    return train(experiment(), quiet=True)


def test_each_step_gets_its_batch(whole):
    """The same batches from an array on the device: calls of 4 steps, validations every 10, so calls of 2, too."""
    whole_experiment = experiment()
    state = programs(whole_experiment).init(programs(whole_experiment).keys(np.int32(0)))
    read = [BATCHES(data_key(state), step) for step in range(40)]
    table = jax.tree.map(lambda *leaves: jnp.stack(leaves), *read)
    drawn = experiment(lambda key, step: jax.tree.map(lambda leaf: leaf[step], table))
    found = train(drawn, quiet=True)  # another program: equal but for rounding
    np.testing.assert_allclose(losses(found.history), losses(whole.history), rtol=1e-5)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-4), found.params, whole.params)
    assert len({loss for _, loss, _ in losses(whole.history)}) == 40


def test_the_seed_decides_the_order():
    keys = [keys_of(seed).train for seed in (0, 1)]
    batches = [BATCHES(key, 0)[1].tolist() for key in keys]
    assert batches[0] != batches[1]


@pytest.mark.parametrize("stop", [10, 20, 30])
def test_a_resumed_run_reads_what_it_would_have_read(tmp_path, whole, stop):
    class StopError(Exception):
        pass

    def watch(record):
        if record["step"] == stop:
            raise StopError

    with pytest.raises(StopError):
        train(experiment(), workdir=tmp_path, quiet=True, watch=watch, checkpoint_every=0)
    same(train(experiment(), workdir=tmp_path, quiet=True), whole)


def test_more_steps_later_are_the_same(tmp_path, whole):
    train(experiment(steps=13), workdir=tmp_path, quiet=True)
    same(train(experiment(), workdir=tmp_path, quiet=True), whole)


def test_a_finished_run_reads_nothing(tmp_path, whole):
    train(experiment(), workdir=tmp_path, quiet=True)

    class Unread(Rows):
        def __getitem__(self, row):
            raise AssertionError

    same(train(experiment(HostBatches(Unread(), 4, pairs)), workdir=tmp_path, quiet=True), whole)


def test_a_population_is_what_each_would_be_alone(whole):
    """They end at different steps: one by its first validation."""
    optimizers = [Optimizer(learning_rate=rate, clip_norm=None) for rate in (0.05, 0.02)]
    members = [Member(experiment(optimizer=optimizer), seed) for seed, optimizer in enumerate(optimizers)]
    members.append(Member(experiment(optimizer=optimizers[1], stop=lambda scores: True), 2))
    for member, together in zip(members, train_population(members, quiet=True), strict=True):
        alone = train(member.experiment, seed=member.seed, quiet=True)
        assert together.steps == alone.steps == (10 if member.seed == 2 else 40)
        np.testing.assert_allclose(losses(together.history), losses(alone.history), rtol=1e-4)
    assert losses(train(members[0].experiment, quiet=True).history) == losses(whole.history)


def test_what_is_not_finite_is_found_in_the_batch():
    broken = experiment(HostBatches(Rows(broken=(17, 2)), 4, pairs))
    with pytest.raises(NonFiniteError, match=r"the loss is nan; already the batch's entry 0 at time index \d, row 2,"):
        train(broken, quiet=True)


def test_what_is_not_finite_is_found_behind_the_batch():
    def loss(params, batch, key):
        xs, _ = batch
        return jnp.sum(jnp.sqrt(params["w"] * 0) * xs[0]), {}

    with pytest.raises(NonFiniteError, match="the first gradient that is not finite is that of w"):
        train(experiment(loss=loss), quiet=True)


def test_whole_numbers_of_64_bits_are_read():
    class Wide(Rows):
        def __getitem__(self, row):
            return self.xs[row].astype(np.float64), np.int64(row)

    seen = []

    def loss(params, batch, key):
        seen.extend(leaf.dtype.name for leaf in batch)
        return jnp.sum(params["w"] * batch[0][0]), {"row": batch[1][0].astype(jnp.float32)}

    result = train(experiment(HostBatches(Wide(), 4, pairs), loss=loss), quiet=True)
    assert {"float32", "int32"} >= set(seen)
    assert len({record["row"] for record in result.history if "row" in record}) > 10


def test_what_cannot_be_read_ends_the_run_in_one_sentence(tmp_path, whole):
    """Where it can be read again, the same command goes on."""

    class Gone(Rows):
        reads = 0

        def __getitem__(self, row):
            self.reads += 1
            if self.reads > 100:
                raise DataError("rows.csv has changed.")
            return super().__getitem__(row)

    with pytest.raises(RunError, match=r"^tiny cannot read its batches: rows\.csv has changed\.$"):
        train(experiment(HostBatches(Gone(), 4, pairs, threads=1)), workdir=tmp_path, quiet=True, checkpoint_every=0)
    assert (tmp_path / "checkpoints").exists()
    same(train(experiment(), workdir=tmp_path, quiet=True), whole)


def test_no_remark_on_batches_that_read_no_step(capsys):
    train(dataclasses.replace(experiment(), steps=1))
    assert "does not depend on step" not in capsys.readouterr().err
