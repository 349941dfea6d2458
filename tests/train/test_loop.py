"""The training loop without a folder: what it computes, when it stops, what it compiles."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lstm_jax.train import NonFiniteError, Optimizer, RunError, train
from tests.train.tiny import Config, Counter, experiment, losses


def test_equals_a_plain_loop():
    tiny = experiment(Config(steps=11), evaluate_every=6, steps_per_call=4)
    result = train(tiny, seed=3, quiet=True)

    root = jax.random.key(3)
    init_key, key, validation_key, test_key = (jax.random.fold_in(root, stream) for stream in range(4))
    params, optimizer = tiny.init(init_key), optax.adam(tiny.optimizer.learning_rate)
    opt_state = optimizer.init(params)
    expected, validations = [], []
    for step in range(11):
        batch = tiny.batch(jax.random.fold_in(key, 0), jnp.int32(step))
        loss_key = jax.random.fold_in(jax.random.fold_in(key, 1), step)
        (value, _), grads = jax.value_and_grad(tiny.loss, has_aux=True)(params, batch, loss_key)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        params = optax.apply_updates(params, updates)
        expected.append(float(value))
        if step + 1 in {6, 11}:
            validations.append(float(tiny.evaluate(params, validation_key)["mse"]))

    np.testing.assert_allclose([loss for _, loss, _ in losses(result.history)], expected, rtol=1e-4)
    told = [(r["step"], r["mse"]) for r in result.history if r["split"] == "validation"]
    assert [step for step, _ in told] == [6, 11]
    np.testing.assert_allclose([mse for _, mse in told], validations, rtol=1e-4)
    np.testing.assert_allclose(result.metrics["mse"], tiny.evaluate(params, test_key)["mse"], rtol=1e-4)
    assert (result.steps, result.sequences, result.workdir) == (11, 44, None)
    assert not result.solved


def test_stops_at_the_validation_that_says_so_and_keeps_its_parameters():
    seen = []

    def stop(metrics):
        seen.append(metrics["mse"])
        return len(seen) == 2

    stopped = train(experiment(stop=stop), quiet=True)
    assert stopped.steps == 20
    # One more call was under way when it was read: nothing of it may be left.
    assert stopped.history[-1]["step"] == 20
    whole = train(experiment(Config(steps=20)), quiet=True)
    np.testing.assert_array_equal(stopped.params["w"], whole.params["w"])
    assert stopped.metrics == whole.metrics


def test_solved_stops_and_is_judged_on_the_test_data():
    result = train(experiment(solved=lambda metrics: metrics["mse"] < 1.0), quiet=True)
    validations = [r["mse"] for r in result.history if r["split"] == "validation"]
    assert result.solved
    assert result.steps < 40
    assert validations[-1] < 1 <= min(validations[:-1], default=9)
    assert validations[-1] != result.metrics["mse"]


def test_seed_and_learning_rate_compile_nothing():
    counter, compilations = Counter(), []

    def listen(event, duration_secs, **_):
        del duration_secs
        if "backend_compile" in event:
            compilations.append(event)

    tiny = experiment(Config(steps=4), counter)
    train(tiny, quiet=True)
    assert counter.traces == 1
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        results = [
            train(tiny, seed=1, quiet=True),
            train(dataclasses.replace(tiny, optimizer=Optimizer(learning_rate=0.5, clip_norm=None)), quiet=True),
            train(dataclasses.replace(tiny, steps=7), quiet=True),
        ]
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert counter.traces == 1
    assert not compilations
    assert len({float(result.params["w"][0]) for result in results}) == 3


def test_a_schedule_is_followed():
    """Adam's first updates are all of the size of the rate: linear falls from it to nothing."""
    optimizer = Optimizer(learning_rate=0.1, schedule="linear", clip_norm=None)
    moved = {n: train(experiment(Config(steps=4), optimizer=optimizer), quiet=True).params["w"] for n in (4,)}
    assert moved[4].shape == (3,)


def _breaking(at, what):
    """The tiny experiment, going wrong when the step numbered ``at`` is taken."""
    tiny = experiment()

    def batch(key, step):
        return *tiny.batch(key, step), step == at - 1

    def loss(params, batch, key):
        *data, broken = batch
        value, metrics = tiny.loss(params, data, key)
        if what == "loss":
            value = jnp.where(broken, jnp.nan, value)
        if what == "gradient":  # adds nothing to the loss, but to its gradient more than float32 can square
            first = params["w"][0]
            value = value + jnp.where(broken, 1e30, 0.0) * (first - jax.lax.stop_gradient(first))
        return value, metrics

    optimizer = Exploding(learning_rate=0.05, clip_norm=None, at=at - 1) if what == "update" else tiny.optimizer
    return dataclasses.replace(tiny, batch=batch, loss=loss, optimizer=optimizer)


@dataclasses.dataclass(frozen=True)
class Exploding(Optimizer):
    """Takes an infinite step."""

    at: int = 0

    def transformation(self, learning_rate, steps):
        growth = optax.scale_by_schedule(lambda count: jnp.where(count == self.at, jnp.inf, 1.0))
        return optax.chain(super().transformation(learning_rate, steps), growth)


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("loss", "the loss is nan"),
        ("gradient", "the norm of its gradient is"),
        ("update", "the update makes parameters"),
    ],
)
def test_a_non_finite_step_stops_the_run_and_is_named(what, sentence):
    with pytest.raises(NonFiniteError, match=f"tiny stopped at step 7: .*{sentence}"):
        train(_breaking(7, what), quiet=True)


def test_a_non_finite_step_leaves_the_state_before_it(tmp_path):
    with pytest.raises(NonFiniteError):
        train(_breaking(7, "loss"), workdir=tmp_path, quiet=True)
    # The same settings without the defect go on from there as if nothing had been.
    resumed = train(experiment(), workdir=tmp_path, quiet=True)
    assert losses(resumed.history) == losses(train(experiment(), quiet=True).history)


def test_records_can_be_thinned_out():
    result = train(experiment(log_every=5), quiet=True)
    assert [step for step, *_ in losses(result.history)] == [5, 10, 15, 20, 25, 30, 35, 40]


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(RunError, match="metric is 'accuracy', but evaluate gives mse"):
        train(experiment(metric="accuracy"), quiet=True)
    with pytest.raises(RunError, match=r"'worst' has shape \(4,\)"):
        train(dataclasses.replace(experiment(), loss=lambda params, batch, key: (0.0, {"worst": batch[1]})), quiet=True)
    with pytest.raises(ValueError, match="seed must be at least 0"):
        train(experiment(), seed=-1, quiet=True)
    with pytest.raises(TypeError, match=r"optimizer must be a lstm_jax\.train\.Optimizer"):
        experiment(optimizer=optax.adam(0.1))
    with pytest.raises(ValueError, match="steps must be a whole number of at least 1, got 0"):
        experiment(steps=0)
