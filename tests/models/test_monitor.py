"""The monitor: sample by sample it says what the whole stream at once says, and raises alarms by its rule."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax import GRU, LSTM
from lstm_jax.metrics.alarms import alarms_of
from lstm_jax.models import SequenceTagger
from lstm_jax.models.monitor import Monitor

CELLS = {"one": (LSTM(4),), "two": (GRU(3), LSTM(4))}


def _case(cells="one", dtype="float32", **rule) -> tuple[Monitor, Any]:
    settings = {"param_dtype": dtype} if dtype == "float64" else {}
    made = tuple(type(cell)(cell.hidden_size, **settings) for cell in CELLS[cells])
    model = SequenceTagger(cells=made, outputs=1)
    xs = jax.random.normal(jax.random.key(0), (60, 2), dtype)
    params = model.init(jax.random.key(1), xs)
    params = jax.tree.map(lambda leaf: leaf.astype(dtype), params)
    return Monitor(model, params, **{"threshold": 0.0, **rule}), xs


@pytest.mark.parametrize("cells", CELLS)
def test_step_by_step_is_the_whole_at_once(cells):
    monitor, xs = _case(cells)
    whole: Any = monitor.model.apply(monitor.params, xs)
    state, scores = monitor.initial_state(), []
    for sample in xs[:20]:
        state, score, _ = monitor.step(state, sample)
        scores.append(float(score))
    np.testing.assert_allclose(scores, whole[:20, 0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(monitor.watch(xs)[0], whole[:, 0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cells", CELLS)
def test_step_by_step_is_the_whole_at_once_in_float64(cells):
    with jax.enable_x64(True):
        monitor, xs = _case(cells, "float64")
        whole: Any = monitor.model.apply(monitor.params, xs)
        assert whole.dtype == jnp.float64
        np.testing.assert_allclose(monitor.watch(xs)[0], whole[:, 0], rtol=0, atol=1e-9)


def test_a_stream_in_two_parts_is_the_whole():
    monitor, xs = _case(hold_off=3)
    scores, alarms = monitor.watch(xs)
    state, told = monitor.initial_state(), []
    for number, sample in enumerate(xs):
        if number == 30:
            state = jax.tree.map(jnp.asarray, jax.device_get(state))  # as if stored and loaded
        state, score, alarm = monitor.step(state, sample)
        told.append((float(score), bool(alarm)))
    np.testing.assert_allclose([score for score, _ in told], scores, rtol=1e-5, atol=1e-6)
    assert [alarm for _, alarm in told] == alarms.tolist()


@pytest.mark.parametrize("hold_off", [1, 2, 7])
def test_alarms_are_those_of_the_rule(hold_off):
    monitor, xs = _case()
    scores = np.asarray(monitor.watch(xs)[0])
    seen = set()
    for threshold in np.unique(scores)[::6]:
        found, alarms = Monitor(monitor.model, monitor.params, threshold, hold_off).watch(xs)
        np.testing.assert_array_equal(found, scores)
        assert np.flatnonzero(alarms).tolist() == alarms_of(scores, threshold, hold_off).tolist()
        seen.add(int(alarms.sum()))
    assert len(seen) > 2


def test_never_quiet_is_one_alarm_and_no_sample_later_matters():
    monitor, xs = _case(threshold=-np.inf)
    assert np.flatnonzero(monitor.watch(xs)[1]).tolist() == [0]
    monitor, xs = _case()
    scores, alarms = monitor.watch(xs)
    later = monitor.watch(xs.at[40:].set(9.0))
    np.testing.assert_array_equal(later[0][:40], scores[:40])
    np.testing.assert_array_equal(later[1][:40], alarms[:40])
    assert np.any(np.asarray(later[0][40:] != scores[40:]))


def test_a_hold_off_below_one_sample_is_refused():
    with pytest.raises(ValueError, match="hold_off must be a whole number of at least 1, got 0"):
        _case(hold_off=0)
