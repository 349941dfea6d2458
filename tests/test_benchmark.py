"""The benchmark times the same work in every framework, counts it rightly, and reports what it found."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import report
from benchmarks.cases import SHAPES, Case, arrays, parse_shape, work
from benchmarks.frameworks import flax_linen, flax_nnx, lstm_jax_one, plain_scan
from benchmarks.rounds import Timing, difference

ROOT = Path(__file__).parent.parent
TINY = (2, 5, 3, 4)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_work_of_a_training_step(shape):
    b, t, d, h = shape
    assert work(Case(shape)) == 2 * t * b * 4 * h * (2 * d + 3 * h)
    assert work(Case(shape, "forward")) == 2 * t * b * 4 * h * (d + h)


def test_the_work_of_layers_above_the_first():
    b, t, d, h = TINY
    first, second = 2 * d + 3 * h, 3 * 2 * h + 3 * h
    assert work(Case(TINY, layers=2, both=True)) == 2 * t * b * 4 * h * 2 * (first + second)
    assert Case(TINY, layers=2, both=True).parts == [(d, False), (d, True), (2 * h, False), (2 * h, True)]


def test_shapes_by_name_and_by_number():
    assert parse_shape("copy") == ("copy", (64, 220, 10, 128))
    assert parse_shape("1,2,3,4")[1] == (1, 2, 3, 4)
    with pytest.raises(ValueError, match=r"'1,2,3' is no shape: give one of small, copy, .* or B,T,D,H"):
        parse_shape("1,2,3")


@pytest.mark.parametrize("framework", [plain_scan, flax_linen, flax_nnx], ids=lambda module: module.__name__)
@pytest.mark.parametrize("mode", ["train", "forward"])
def test_frameworks_compute_the_same(framework, mode):
    case = Case(TINY, mode)
    expected = lstm_jax_one.build(case).result()
    got = framework.build(case).result()
    assert got.keys() == expected.keys()
    assert len(expected) == (4 if mode == "train" else 1)
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-4, atol=1e-6, err_msg=name)


def test_a_stream_computes_what_a_sequence_does():
    outputs = lstm_jax_one.build(Case(TINY, "stream")).result()["outputs"]
    np.testing.assert_allclose(outputs, lstm_jax_one.build(Case(TINY, "forward")).result()["outputs"], rtol=1e-5)


def test_layers_and_directions_get_their_weights():
    case = Case(TINY, layers=2, both=True)
    result, (_, weights) = lstm_jax_one.build(case).result(), arrays(case)
    assert result["outputs"].shape == (5, 2, 8)
    for number, part in enumerate(weights):
        assert {name: result[f"{name}.{number}"].shape for name in part} == {k: v.shape for k, v in part.items()}


@pytest.mark.parametrize("cell", ["layer_norm", "peephole", "gru", "step_only"])
def test_other_cells(cell):
    timed = lstm_jax_one.build(Case(TINY, "forward", cell))
    timed.call()
    assert np.isfinite(timed.result()["outputs"]).all()


def test_another_result_is_told():
    one = {"outputs": np.ones((2, 3)), "b.0": np.ones(4)}
    assert difference(one, one) == ""
    assert difference({"outputs": np.ones((2, 3))}, one) == "gives no b.0 of shape [4]"
    assert "computes another b.0" in difference({**one, "b.0": np.full(4, 1.1)}, one)


def timing(framework, seconds):
    return Timing(framework, Case((32, 100, 32, 64), name="small"), seconds)


def test_a_ratio_is_taken_within_a_round():
    ours, other = timing("lstm_jax_cores", [[1.0, 9.0], [4.0, 8.0], [1.0]]), timing("pytorch", [[2.0], [4.0], [3.0]])
    assert other.ratio(ours) == 2.0
    assert (ours.best, ours.median) == (1.0, 4.0)
    assert ours.share(work(ours.case) * 2) == 0.5


@pytest.fixture
def content():
    def summary(ratio, share):
        return {
            "shape": [1, 2, 3, 4],
            "steps": 2,
            "error": "",
            "best": 0.001,
            "median": 0.002,
            "ratio": ratio,
            "share": share,
        }

    case = {
        "lstm_jax_cores": summary(1.0, 0.5),
        "flax_linen": summary(3.0, 0.2),
        "flax_nnx": summary(2.5, 0.2),
        "haiku": {"shape": [1, 2, 3, 4], "steps": 2, "error": "ImportError: no haiku"},
        "pytorch": summary(1.25, 0.4),
    }
    scaling = {
        key: {"100": {"best_ms": 1.0, "ratio": 1.0}, "200": {"best_ms": 2.0, "ratio": 2.0}} for key in ("T", "H")
    }
    return {
        "date": "2026-01-01",
        "command": "python scripts/benchmark.py",
        "environment": {"Python": "3.11"},
        "peak_gflops": 200.0,
        "speed": {"train": {"small": case}},
        "alone": {"scaling": {**scaling, "time(2T) / time(T)": {"100 to 200": 2.0}}},
    }


def test_the_tables(content):
    text = report.markdown(content)
    assert "| small | 1 (2) | 1 (2) | 1 (2) | (ImportError: no haiku) | 1 (2) |" in text
    assert "| small | 50% | 1.25 | 2.50 |" in text
    assert "100 to 200: 2" in text


def test_the_pictures(content, tmp_path):
    pytest.importorskip("matplotlib")
    made = report.pictures(content, tmp_path)
    assert [path.name for path in made] == ["share_of_peak.png", "scaling.png"]
    assert all(path.stat().st_size > 10_000 for path in made)


@pytest.mark.proof
def test_the_command(tmp_path):
    command = [sys.executable, str(ROOT / "scripts" / "benchmark.py"), "--out", str(tmp_path)]
    wrong = subprocess.run([*command, "--shapes", "smal"], capture_output=True, text=True, check=False)
    assert (wrong.returncode, "'smal' is no shape" in wrong.stderr) == (2, True)
    tiny = ["--what", "speed", "--mode", "train", "--shapes", "2,5,3,4", "--rounds", "1"]
    subprocess.run([*command, *tiny, "--frameworks", "lstm_jax_one", "plain_scan"], check=True, capture_output=True)
    found = json.loads((tmp_path / "results.json").read_text())["speed"]["train"]["2,5,3,4"]
    assert not any(case["error"] for case in found.values())
    assert found["lstm_jax_one"]["ratio"] == 1.0
    assert found["plain_scan"]["best"] > 0
