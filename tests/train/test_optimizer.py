"""The optimiser as settings, beside optax put together by hand."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from harness import assert_equal
from lstm_jax.train import Optimizer
from lstm_jax.train.optimizer import RULES, SCHEDULES
from lstm_jax.train.state import programs
from tests.train.tiny import experiment

RATE, STEPS = 0.3, 10
BY_HAND = {
    "adam": optax.adam,
    "nadam": optax.nadam,
    "rmsprop": optax.rmsprop,
    "lion": lambda rate: optax.lion(rate, weight_decay=0),
    "momentum": lambda rate: optax.sgd(rate, momentum=0.9),
    "sgd": optax.sgd,
}
PLAIN = Optimizer("sgd", clip_norm=None)


def _params():
    return {"w": jnp.linspace(-1, 2, 6).reshape(2, 3), "b": jnp.array([0.5])}


def _gradient(step):
    """Of a norm below 1 at steps 0 and 1, above it later."""
    return jax.tree.map(lambda x: 0.1 * (1 + step**2) * jnp.cos(7 * x + step), _params())


def _path(transformation, steps=STEPS):
    """The parameters after each step."""
    params = _params()
    state, path = transformation.init(params), []
    for step in range(steps):
        updates, state = transformation.update(_gradient(step), state, params)
        params = optax.apply_updates(params, updates)
        path.append(params)
    return path


def _ours(optimizer, steps=STEPS, rate=RATE):
    """The same of settings, with the rate traced as `train` does."""
    numbers = optimizer.numbers | {"learning_rate": np.float32(rate)}
    return jax.jit(lambda numbers: _path(optimizer.with_numbers(numbers).transformation(steps)))(numbers)


def _rates(optimizer, steps=STEPS, taken=STEPS):
    """The rate of each step: what a gradient of 1 is multiplied by."""
    transformation = dataclasses.replace(optimizer, learning_rate=RATE).transformation(steps)
    state, rates = transformation.init(jnp.ones(())), []
    for _ in range(taken):
        update, state = transformation.update(jnp.ones(()), state, jnp.ones(()))
        rates.append(-float(update))
    return rates


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_optaxs_of_its_name(name):
    assert_equal(_ours(Optimizer(name, clip_norm=None)), _path(BY_HAND[name](RATE)), rtol=1e-5)


@pytest.mark.parametrize("name", ["adam", "lion", "sgd"])
def test_weights_decay_apart_from_the_gradient(name):
    by_hand = {
        "adam": optax.adamw(RATE, weight_decay=0.2),
        "lion": optax.lion(RATE, weight_decay=0.2),
        "sgd": optax.chain(optax.add_decayed_weights(0.2), optax.sgd(RATE)),
    }
    assert_equal(_ours(Optimizer(name, clip_norm=None, weight_decay=0.2)), _path(by_hand[name]), rtol=1e-5)


def test_the_gradient_is_clipped_before_the_rule_and_decay_is_not():
    """By hand: w -= rate * (gradient * min(1, 0.7 / norm) + 0.2 w)."""
    params, norms = jax.tree.map(np.asarray, _params()), []
    for step, got in enumerate(_ours(Optimizer("sgd", clip_norm=0.7, weight_decay=0.2))):
        gradient = jax.tree.map(np.asarray, _gradient(step))
        norms.append(math.sqrt(sum((leaf**2).sum() for leaf in gradient.values())))
        share = min(1.0, 0.7 / norms[-1])
        params = {name: w - RATE * (share * gradient[name] + 0.2 * w) for name, w in params.items()}
        assert_equal(got, params, rtol=1e-5)
    assert min(norms) < 0.7 < max(norms)
    by_hand = optax.chain(optax.clip_by_global_norm(0.7), optax.adam(RATE))
    assert_equal(_ours(Optimizer("adam", clip_norm=0.7)), _path(by_hand), rtol=1e-5)


def test_the_default_is_adam_clipped_at_1():
    by_hand = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(RATE))
    assert_equal(_ours(Optimizer()), _path(by_hand), rtol=1e-5)
    assert Optimizer().learning_rate == 1e-3


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("warmup", [0, 1, 4])
def test_the_rate_at_each_step(schedule, warmup):
    def share(step):
        if step < warmup:
            return (step + 1) / (warmup + 1)
        done = (step - warmup) / (STEPS - warmup)
        return {"constant": 1.0, "linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2}[schedule]

    rates = _rates(dataclasses.replace(PLAIN, schedule=schedule, warmup_steps=warmup), taken=STEPS + 1)
    np.testing.assert_allclose(rates, [RATE * share(step) for step in range(STEPS + 1)], rtol=1e-5, atol=1e-7)
    if schedule != "constant":
        assert rates[-1] == pytest.approx(0, abs=1e-7) and rates[-2] > 1e-3


def test_the_rule_sees_the_gradient_and_the_schedule_scales_its_step():
    """Adam forgets the gradient's size: a schedule ahead of it would do nothing."""
    course = optax.linear_schedule(RATE, 0.0, STEPS)
    got = _ours(Optimizer("adam", schedule="linear", clip_norm=None, weight_decay=0.2))
    assert_equal(got, _path(optax.adamw(course, weight_decay=0.2)), rtol=1e-5)


def test_a_warm_up_alone_may_last_longer_than_the_run():
    optimizer = dataclasses.replace(PLAIN, warmup_steps=20)
    experiment(optimizer=optimizer, steps=5)
    np.testing.assert_allclose(_rates(optimizer, 5, 5), [RATE * step / 21 for step in range(1, 6)], rtol=1e-5)


def test_only_a_falling_rate_depends_on_the_number_of_steps():
    for optimizer in (PLAIN, dataclasses.replace(PLAIN, warmup_steps=3)):
        assert not optimizer.depends_on_steps
        assert _rates(optimizer, 10) == _rates(optimizer, 1000)
    for schedule in ("linear", "cosine"):
        optimizer = dataclasses.replace(PLAIN, schedule=schedule)
        assert optimizer.depends_on_steps
        assert _rates(optimizer, 10)[1:] != _rates(optimizer, 1000)[1:]


def test_a_subclass_brings_its_own_rule():
    @dataclasses.dataclass(frozen=True)
    class Signs(Optimizer):
        def transformation(self, steps):
            return optax.chain(optax.scale_by_sign(), optax.scale(-1 / steps), optax.scale(self.learning_rate))

    path = _ours(Signs(), steps=4)
    moved = jax.tree.map(lambda after, before, g: (before - after) * jnp.sign(g), path[0], _params(), _gradient(0))
    for leaf in jax.tree.leaves(moved):
        np.testing.assert_allclose(leaf, RATE / 4, rtol=1e-5)
    assert experiment(optimizer=Signs()).optimizer == Signs()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"name": "adma"}, r"optimizer\.name='adma' is not known: did you mean 'adam'\? choose one of 'adam', 'nadam'"),
        ({"schedule": "cosin"}, r"optimizer\.schedule='cosin' is not known: did you mean 'cosine'\?"),
        ({"learning_rate": -1.0}, r"optimizer\.learning_rate must be at least 0 and finite, got -1\.0"),
        ({"learning_rate": math.inf}, r"optimizer\.learning_rate must be at least 0 and finite, got inf"),
        ({"learning_rate": math.nan}, r"optimizer\.learning_rate must be at least 0 and finite, got nan"),
        ({"warmup_steps": -1}, r"optimizer\.warmup_steps must be at least 0 and finite, got -1"),
        ({"weight_decay": -0.1}, r"optimizer\.weight_decay must be at least 0 and finite, got -0\.1"),
        ({"clip_norm": 0.0}, r"optimizer\.clip_norm must be above 0, or None to leave it out; got 0\.0"),
        ({"clip_norm": math.nan}, r"optimizer\.clip_norm must be above 0, or None to leave it out; got nan"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        Optimizer(**settings)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_a_warm_up_must_leave_steps_for_the_fall(schedule):
    optimizer = Optimizer(schedule=schedule, warmup_steps=7)
    experiment(optimizer=optimizer, steps=8)
    with pytest.raises(ValueError, match=rf"below steps with a {schedule} schedule: got 7, and steps is 7\."):
        experiment(optimizer=optimizer, steps=7)


def test_a_part_that_is_left_out_is_another_structure():
    for clip_norm, weight_decay in ((None, 0.1), (1.0, 0.0), (None, 0.0)):
        one = Optimizer(clip_norm=clip_norm, weight_decay=weight_decay)
        assert one.structure != Optimizer(clip_norm=1.0, weight_decay=0.1).structure
        assert programs(experiment(optimizer=one)) is not programs(experiment(optimizer=Optimizer(weight_decay=0.1)))
    assert (
        Optimizer(clip_norm=1.0, learning_rate=0.1).structure == Optimizer(clip_norm=2.0, learning_rate=0.2).structure
    )


def test_an_experiment_takes_no_bare_optax_optimiser():
    with pytest.raises(TypeError, match=r"must be a lstm_jax\.train\.Optimizer, such as .*; got GradientTransform"):
        experiment(optimizer=optax.adam(1e-3))
