"""Heads: their losses against scipy and NumPy, quantiles in order, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax.metrics import forecasting as scores
from lstm_jax.models.heads import Gaussian, Point, Quantiles, make_head, measures

LEVELS = (0.1, 0.5, 0.9)
TARGETS = jnp.array([0.3, -2.0, 5.0])


def _answers(head):
    raw = 3 * jax.random.normal(jax.random.key(0), (3, head.size))
    return raw, head.answer(raw, jnp.array([1.0, 2.0, 3.0]), jnp.array([1.0, 0.5, 10.0]))


def test_a_point_is_in_the_targets_units():
    raw, answers = _answers(Point())
    np.testing.assert_allclose(Point().point(answers), raw[:, 0] * np.array([1, 0.5, 10]) + np.array([1, 2, 3]), 1e-6)
    assert Point().loss.mean(answers, TARGETS) == pytest.approx(
        scores.mse(np.asarray(answers[:, 0]), np.asarray(TARGETS)), rel=1e-5
    )


def test_quantiles_never_cross_and_lose_as_defined():
    head = Quantiles(LEVELS)
    _, answers = _answers(head)
    assert (jnp.diff(answers, axis=-1) >= 0).all()
    np.testing.assert_array_equal(head.point(answers), answers[:, 1])
    np.testing.assert_array_equal(head.quantiles(answers, (0.9, 0.1)), answers[:, [2, 0]])
    expected = scores.crps_quantiles(np.asarray(answers), np.asarray(TARGETS), np.array(LEVELS))
    assert head.loss.mean(answers, TARGETS) == pytest.approx(expected, rel=1e-5)


def test_a_normal_distribution():
    stats = pytest.importorskip("scipy.stats")
    head = Gaussian()
    _, answers = _answers(head)
    mean, std = np.asarray(answers, np.float64).T
    assert (std > 0).all()
    assert head.loss.mean(answers, TARGETS) == pytest.approx(-stats.norm.logpdf(TARGETS, mean, std).mean(), rel=1e-5)
    expected = stats.norm.ppf(LEVELS, mean[:, None], std[:, None])
    np.testing.assert_allclose(head.quantiles(answers, LEVELS), expected, rtol=1e-4)
    np.testing.assert_allclose(head.point(answers), mean, rtol=1e-6)
    crps = scores.crps_gaussian(mean, std, np.asarray(TARGETS))
    assert head.crps.mean(answers, TARGETS) == pytest.approx(crps, rel=1e-4)


@pytest.mark.parametrize("head", [Point(), Quantiles(LEVELS), Gaussian()])
def test_a_missing_target_has_no_gradient(head):
    raw, _ = _answers(head)

    def loss(raw, targets):
        return head.loss.mean(head.answer(raw, jnp.zeros(3), jnp.ones(3)), targets)

    grads = jax.grad(loss)(raw, TARGETS.at[1].set(jnp.nan))
    assert jnp.isfinite(grads).all()
    assert not grads[1].any()
    assert grads[0].any()


@pytest.mark.parametrize("levels", [(0.5, 0.1), (0.1, 0.9), (0.0, 0.5), (0.5, 1.0), ()])
def test_what_are_no_levels_is_refused(levels):
    with pytest.raises(ValueError, match=r"levels must rise, lie between 0 and 1 and hold 0\.5"):
        Quantiles(levels)


def test_heads_by_name():
    assert [make_head(name, LEVELS) for name in ("point", "quantile", "gaussian")] == [
        Point(),
        Quantiles(LEVELS),
        Gaussian(),
    ]
    with pytest.raises(ValueError, match="head='guassian' is not known: did you mean 'gaussian'"):
        make_head("guassian", LEVELS)


@pytest.mark.parametrize("head", [Point(), Quantiles(), Gaussian()])
def test_measures_are_in_the_given_unit(head):
    rng = np.random.default_rng(0)
    answers = jnp.sort(jnp.asarray(rng.uniform(0.5, 1.5, (7, 3, head.size))), axis=-1)
    targets = jnp.asarray(rng.normal(size=(7, 3)))
    one, ten = ({m.name: m.mean(answers, targets) for m in measures(head, unit)} for unit in (1.0, 10.0))
    errors = np.asarray(head.point(answers) - targets)
    assert float(ten["rmse"]) == pytest.approx(10 * np.sqrt(np.mean(errors**2)), rel=1e-5)
    assert float(ten["mae"]) == pytest.approx(10 * np.mean(np.abs(errors)), rel=1e-5)
    assert ("crps" in one) == (not isinstance(head, Point))
    assert all(float(ten[name]) == pytest.approx(10 * float(one[name]), rel=1e-5) for name in one)
