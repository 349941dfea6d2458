"""Lines over several seeds."""

import json

import numpy as np
import pytest

from lstm_jax.report.bands import by_number, learning_curves, validation_band


def _run(folder, points, metric="mse", goal="min"):
    folder.mkdir()
    about = {"metric": metric, "goal": goal, "baseline": 0.5, "target": None}
    (folder / "config.json").write_text(json.dumps(about))
    records = [{"step": step, "split": "validation", metric: value} for step, value in points]
    records.insert(1, {"step": 1, "split": "train", "loss": 9.0})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


def test_a_run_that_has_stopped_keeps_its_last_value(tmp_path):
    one = _run(tmp_path / "one", [(10, 0.4), (20, 0.1)])
    two = _run(tmp_path / "two", [(10, 0.3), (20, 0.2), (30, 0.05)])
    steps, values = validation_band([one, two], "mse")
    np.testing.assert_array_equal(steps, [10, 20, 30])
    np.testing.assert_array_equal(values, [[0.4, 0.1, 0.1], [0.3, 0.2, 0.05]])


def test_a_picture_of_two_settings(tmp_path):
    one = _run(tmp_path / "one", [(10, 0.4), (20, 0.1)])
    two = _run(tmp_path / "two", [(10, 0.3), (20, 0.2)])
    path = learning_curves(tmp_path / "plots" / "both.png", {"a": [one], "b": [two, one]}, title="both")
    assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 10_000


def test_what_cannot_be_drawn_together_is_refused(tmp_path):
    one, two = _run(tmp_path / "one", [(10, 0.4)]), _run(tmp_path / "two", [(10, 0.3)], metric="nats")
    with pytest.raises(ValueError, match="One picture shows one metric, but these runs have mse, nats"):
        learning_curves(tmp_path / "x.png", {"a": [one], "b": [two]}, title="")
    with pytest.raises(FileNotFoundError, match="three holds no validation"):
        validation_band([_run(tmp_path / "three", [])], "mse")


def test_results_over_the_number_in_a_label(tmp_path):
    groups = {}
    for label, seeds in {"a, 200": (3, 4), "a, 50": (1,), "b, 50": (7,)}.items():
        groups[label] = []
        for seed, steps in enumerate(seeds):
            folder = tmp_path / f"{label}-{seed}"
            folder.mkdir()
            (folder / "result.json").write_text(json.dumps({"steps": steps}))
            groups[label].append(folder)
    lines = by_number(groups, lambda result: result["steps"])
    assert list(lines) == ["a (2 seeds)", "b (1 seed)"]
    numbers, values = lines["a (2 seeds)"]
    np.testing.assert_array_equal(numbers, [50, 200])
    np.testing.assert_array_equal(values, [[1, 3], [np.nan, 4]])  # a seed that is missing takes no other with it
