"""The forecaster: what each strategy is, what it may see, refusals."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax import GRU, LSTM, Stack, unroll
from lstm_jax.models.forecaster import STRATEGIES, Forecaster
from lstm_jax.models.heads import Gaussian, Quantiles

T, H, B = 6, 4, 3


def _case(strategy="direct", known=2, columns=4, **settings) -> tuple[Any, jax.Array, Any]:
    model = Forecaster(
        **{"cells": (LSTM(5),), "context": T, "targets": 2, "known": known, "strategy": strategy} | settings
    )
    xs = jax.random.normal(jax.random.key(0), (T + H, B, columns))
    return model, xs, model.init(jax.random.key(1), xs)


@pytest.mark.parametrize("head", [Quantiles((0.1, 0.5, 0.9)), Gaussian()])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_answers_of_every_head_and_strategy(strategy, head):
    model, xs, variables = _case(strategy, head=head, cells=(GRU(4), LSTM(3)))
    answers = jax.jit(model.apply)(variables, xs)
    assert answers.shape == (B, H, 2, head.size)
    assert jnp.isfinite(answers).all()


@pytest.mark.proof
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_of_the_rows_to_come_only_what_is_known_is_seen(strategy):
    model, xs, variables = _case(strategy, columns=5)
    forecast = jax.jit(model.apply)
    answers = forecast(variables, xs)
    np.testing.assert_array_equal(answers, forecast(variables, xs.at[T:, :, :3].set(jnp.nan)))
    changed = forecast(variables, xs.at[T + 1, :, 3:].add(1.0))
    assert not np.array_equal(answers, changed)
    if strategy != "direct":  # a later row's own calendar is not there yet
        np.testing.assert_array_equal(answers[:, 0], changed[:, 0])


def test_recursive_is_the_one_row_forecast_fed_back():
    model, xs, variables = _case("recursive", relative_to="none")
    answers = model.apply(variables, xs)
    window = xs[: T + 1]
    for ahead in range(H):
        # The same, without lax.scan or step: the context grows by what was forecast.
        params = variables["params"]
        ys, _ = unroll(LSTM(5), params["cell"], window[: T + ahead])
        row = jnp.concatenate([ys[-1], xs[T + ahead, :, 2:]], axis=-1) @ params["kernel"] + params["bias"]
        np.testing.assert_allclose(answers[:, ahead, :, 0], row, rtol=1e-4, atol=1e-5)
        fed = jnp.concatenate([row, xs[T + ahead, :, 2:]], axis=-1)
        window = jnp.concatenate([window[: T + ahead], fed[None]])


def test_recursive_forecasts_as_far_as_there_are_rows_to_come():
    model, xs, variables = _case("recursive")
    np.testing.assert_allclose(model.apply(variables, xs)[:, :1], model.apply(variables, xs[: T + 1]), rtol=1e-5)


def test_the_decoder_begins_where_the_encoder_ends():
    model, xs, variables = _case("seq2seq", relative_to="none", cells=(Stack((LSTM(5), GRU(3))),))
    params = variables["params"]
    cell = Stack((LSTM(5), GRU(3)))
    _, state = unroll(cell, params["encoder"]["cell"], xs[:T])
    far = jnp.broadcast_to(jnp.arange(1, H + 1)[:, None, None] / H, (H, B, 1))
    ys, _ = unroll(cell, params["decoder"]["cell"], jnp.concatenate([xs[T:, :, 2:], far], axis=-1), state)
    expected = ys @ params["Dense_0"]["kernel"] + params["Dense_0"]["bias"]
    np.testing.assert_allclose(model.apply(variables, xs)[..., 0], jnp.swapaxes(expected, 0, 1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("relative_to", ["last", "mean"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_forecast_moves_with_its_columns(strategy, relative_to):
    """Each target column by itself; a covariate stays where it is."""
    model, xs, variables = _case(strategy, relative_to=relative_to, known=1)
    shift = jnp.array([30.0, -7.0])
    moved = model.apply(variables, xs.at[..., :2].add(shift))
    np.testing.assert_allclose(moved[..., 0], model.apply(variables, xs)[..., 0] + shift, rtol=1e-3, atol=1e-3)
    assert not np.allclose(moved, model.apply(variables, xs.at[:, :, 2:].add(30.0)), atol=1e-2)


def test_in_another_unit_it_is_the_same_picture():
    """But for a tenth of the series' own spread, which is nothing beside a large one."""
    model, xs, variables = _case(known=0, columns=2)
    small, large = (model.apply(variables, xs * unit) / unit for unit in (1e2, 1e4))
    np.testing.assert_allclose(small, large, rtol=2e-2, atol=2e-2)


def test_the_linear_path_adds_a_map_of_each_columns_context():
    plain, xs, variables = _case(relative_to="none")
    model = plain.clone(linear_path=True)
    kernel = jax.random.normal(jax.random.key(2), (T, H))
    with_path = {"params": {**variables["params"], "linear_path": kernel}}
    expected = plain.apply(variables, xs)[..., 0] + jnp.einsum("tbc,th->bhc", xs[:T, :, :2], kernel)
    np.testing.assert_allclose(model.apply(with_path, xs)[..., 0], expected, rtol=1e-4, atol=1e-5)
    started = model.init(jax.random.key(1), xs)["params"]["linear_path"]
    assert started.shape == (T, H)
    assert not started.any()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_dropout_acts_in_training_alone(strategy):
    model, xs, variables = _case(strategy, dropout=0.5)
    keys = [{"dropout": jax.random.key(number)} for number in range(2)]
    one, other = (model.apply(variables, xs, rngs=key) for key in keys)
    assert not np.array_equal(one, other)
    np.testing.assert_array_equal(model.apply(variables, xs), model.apply(variables, xs))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"strategy": "recursiv"}, "strategy='recursiv' is not known: did you mean 'recursive'"),
        ({"relative_to": "first"}, "relative_to='first' is not known"),
        ({"cells": ()}, "Forecaster needs at least one cell"),
        ({"context": 10}, "A window of 10 rows leaves none to come after a context of 10"),
        ({"strategy": "recursive", "linear_path": True}, "A recursive forecast has no linear path"),
    ],
)
def test_what_means_nothing_is_refused(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        _case(**settings) if "context" not in settings else Forecaster(**settings).init(
            jax.random.key(0), jnp.zeros((10, 1, 1))
        )
