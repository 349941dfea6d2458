"""The learning curve: what is drawn from a run folder."""

import json

import numpy as np
import pytest

from lstm_jax.report import figures

pytest.importorskip("matplotlib")


def _folder(path, losses, scores, **about):
    records = [{"step": i + 1, "split": "train", "loss": loss} for i, loss in enumerate(losses)]
    records += [{"step": step, "split": "validation", "mse": score} for step, score in scores]
    records.sort(key=lambda record: record["step"])
    (path / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    defaults = {"experiment": "adding", "seed": 0, "config": {"length": 9}, "metric": "mse", "baseline": 0.2}
    (path / "config.json").write_text(json.dumps(defaults | {"target": 0.01} | about))
    return path


@pytest.fixture
def drawn(monkeypatch):
    """The axes of the figures drawn."""
    from matplotlib.figure import Figure

    axes, add_subplot = [], Figure.add_subplot

    def note(self, *arguments):
        axes.append(add_subplot(self, *arguments))
        return axes[-1]

    monkeypatch.setattr(Figure, "add_subplot", note)
    return axes


def test_draws_the_records_and_both_lines(tmp_path, drawn):
    path = figures.learning_curve(_folder(tmp_path, [1.0, 0.5, 0.2, 0.1], [(2, 0.4), (4, 0.08)]))
    assert path == tmp_path / "plots" / "learning_curve.png"
    assert path.read_bytes().startswith(b"\x89PNG")
    lines = {line.get_label(): line for line in drawn[0].lines}
    np.testing.assert_array_equal(lines["training loss"].get_xydata(), [[1, 1.0], [2, 0.5], [3, 0.2], [4, 0.1]])
    np.testing.assert_array_equal(lines["validation mse"].get_xydata(), [[2, 0.4], [4, 0.08]])
    assert set(lines["trivial model: 0.2"].get_ydata()) == {0.2}
    assert set(lines["solved: 0.01"].get_ydata()) == {0.01}
    assert drawn[0].get_yscale() == "log"
    assert drawn[0].get_xlabel() == "optimiser steps"
    assert "mse" in drawn[0].get_ylabel()


def test_values_that_have_no_logarithm_are_drawn_on_a_linear_scale(tmp_path, drawn):
    figures.learning_curve(_folder(tmp_path, [1.0, -0.5], [(2, 0.4)], target=None))
    assert drawn[0].get_yscale() == "linear"
    assert not any("solved" in str(line.get_label()) for line in drawn[0].lines)


def test_before_the_first_validation(tmp_path, drawn):
    figures.learning_curve(_folder(tmp_path, [1.0, 0.5], []))
    assert {line.get_label() for line in drawn[0].lines} == {"training loss", "trivial model: 0.2", "solved: 0.01"}


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no records of a run"):
        figures.learning_curve(tmp_path)
