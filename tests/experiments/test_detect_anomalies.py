"""The anomaly experiment: no look-ahead, streaming, the numbers beside it, and what it writes."""

import csv
import dataclasses
import json

import jax
import numpy as np
import pytest

from experiments.detect_anomalies import Config, anomaly_scores, build, model_of, stream
from lstm_jax import GRU
from lstm_jax.data.nab import ScaledSeries, generated_nab, read_nab
from lstm_jax.metrics.nab import nab_score, windowed_gaussian
from lstm_jax.models.anomaly import ErrorTail
from lstm_jax.train import train

pytestmark = pytest.mark.proof  # they train

SMALL = Config(cell=GRU(4), context=8, horizon=3, steps=50, batch_size=4, tail=ErrorTail(long=100))


def _write(folder, change=lambda values: values, rows=400):
    """The generated series as files."""
    (folder / "labels").mkdir(parents=True)
    windows = {}
    for number, one in enumerate(generated_nab(rows=rows)):
        lines = [f"{time},{value!r}" for time, value in zip(one.times, change(one.values.copy()).tolist(), strict=True)]
        (folder / f"{number}.csv").write_text("\n".join(["timestamp,value", *lines]) + "\n")
        windows[f"{number}.csv"] = [[str(one.times[row]) for row in pair] for pair in one.windows]
    (folder / "labels" / "combined_windows.json").write_text(json.dumps(windows))
    return str(folder)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nab")
    config = dataclasses.replace(SMALL, path=_write(folder / "data"))
    return train(build(config), workdir=folder / "run", quiet=True), config


def test_rows_behind_the_probation_change_nothing_that_was_learnt(tmp_path, run):
    result, config = run

    def change(values):
        values[60:] = 1e5 * np.sin(np.arange(len(values) - 60))  # 15% of 400 rows are 60
        return values

    other = train(build(dataclasses.replace(config, path=_write(tmp_path / "data", change))), quiet=True)
    for one, another in zip(jax.tree.leaves(result.params), jax.tree.leaves(other.params), strict=True):
        np.testing.assert_array_equal(one, another)
    validations = [[r["mae"] for r in x.history if r["split"] == "validation"] for x in (result, other)]
    assert validations[0] == validations[1]
    assert result.metrics["threshold_at_probation"] == other.metrics["threshold_at_probation"]
    assert other.metrics["mae"] > 100 * result.metrics["mae"]


@pytest.mark.parametrize("detector", ["forecaster", "autoencoder"])
def test_no_later_row_changes_a_score_and_a_stream_gives_the_same(detector):
    config = dataclasses.replace(SMALL, detector=detector)
    rows = ScaledSeries.of(generated_nab(rows=120)[1], 18, 8)
    params = model_of(config).init(jax.random.key(0), np.zeros((8, 1, 3), np.float32))
    (whole,) = anomaly_scores(config, params, [rows])
    assert len(whole) == 120
    cut = dataclasses.replace(rows, xs=np.concatenate([rows.xs[:70], rows.xs[70:] * 9]))
    (changed,) = anomaly_scores(config, params, [cut])
    np.testing.assert_allclose(changed[:70], whole[:70], rtol=1e-4, atol=1e-5)
    assert np.abs(changed[70:90] - whole[70:90]).max() > 0.01
    step, state, streamed = stream(config, params, rows.scale), None, []
    for value, hour in zip(rows.series.values, rows.series.hours, strict=True):
        state, score = step(state, value, hour)
        streamed.append(score)
    np.testing.assert_allclose(streamed, whole, rtol=1e-3, atol=1e-4)
    assert whole.max() > 0.5


def test_the_scale_is_that_of_the_training_rows():
    series = generated_nab(rows=400)[0]
    rows = ScaledSeries.of(series, 60, 11)
    assert (rows.trained, rows.probation) == (48, 60)
    assert rows.scale.mean == pytest.approx(series.values[:48].mean())
    np.testing.assert_allclose(rows.xs[:48, 0].std(), 1, rtol=1e-5)
    np.testing.assert_allclose(rows.xs[:, 1], np.sin(np.arange(400) / 96 * 2 * np.pi), atol=1e-5)


def test_scores_and_files_fit_together(run):
    result, config = run
    with (result.workdir / "predictions.csv").open() as file:
        table = list(csv.DictReader(file))
    series = read_nab(config.path)
    assert len(table) == 4 * 400
    by_series = [[row for row in table if row["series"] == one.name] for one in series]
    scores = [np.array([float(row["anomaly_score"]) for row in its]) for its in by_series]
    windows = [one.windows for one in series]
    # The file rounds the scores.
    assert result.metrics["nab_standard"] == pytest.approx(nab_score(scores, windows).score, abs=3)
    alarms = [np.array([float(row["alarm"]) for row in its]) for its in by_series]
    at_probation = nab_score(alarms, windows, threshold=1.0).score
    assert result.metrics["nab_standard_at_probation"] == pytest.approx(at_probation)
    assert result.metrics["nab_standard"] >= at_probation
    seen = max(its[48:60].max() for its in scores)
    assert result.metrics["threshold_at_probation"] == pytest.approx(seen, abs=1e-3)
    gaussian = [np.abs(windowed_gaussian(one.values)) for one in series]
    expected = nab_score(gaussian, windows, "reward_low_fn").score
    assert result.metrics["nab_reward_low_fn_windowed_gaussian"] == pytest.approx(expected)
    inside = [sum(last - first + 1 for first, last in its) for its in windows]
    assert [sum(int(row["window"]) for row in its) for its in by_series] == inside
    assert float(table[7]["value"]) == series[0].values[7]
    assert (result.workdir / "plots" / "anomalies.png").stat().st_size > 20_000


def test_what_is_trained_tested_and_noted(run):
    _, config = run
    experiment = build(config)
    assert experiment.notes == ("4 series, 3 windows of anomalies.",)
    other = build(dataclasses.replace(config, path=""))
    assert experiment.fingerprint != other.fingerprint


def test_the_generated_anomalies_are_found():
    """Learning: the generated series, in seconds; the windowed Gaussian scores 66.7."""
    config = Config(steps=200, cell=GRU(16), horizon=12, context=32)
    result = train(build(config), quiet=True)
    assert result.metrics["nab_standard"] > 85
    assert result.metrics["nab_standard_windowed_gaussian"] == pytest.approx(66.7, abs=0.1)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"context": 0}, "context must be a whole number of at least 1, got 0"),
        ({"horizon": 0}, "horizon must be a whole number of at least 1, got 0"),
        ({"detector": "forcaster"}, "detector='forcaster' is not known: did you mean 'forecaster'"),
        ({"context": 200}, "generated nothing has 1500 rows, of which 180 train, but .* at least 1701 rows"),
        ({"path": "gone.csv", "windows": "gone.json"}, "gone.csv does not exist; give a folder of series"),
    ],
)
def test_what_is_wrong_is_one_sentence(settings, sentence):
    with pytest.raises(ValueError, match=sentence) as error:
        build(dataclasses.replace(SMALL, **settings))
    assert "\n" not in str(error.value)
