"""The learning curve: what is drawn from a run folder."""

import json

import numpy as np
import pytest

from lstm_jax.report import drawing, figures

pytest.importorskip("matplotlib")


def _folder(path, losses, scores, **about):
    records = [{"step": i + 1, "split": "train", "loss": loss} for i, loss in enumerate(losses)]
    records += [{"step": step, "split": "validation", "mse": score} for step, score in scores]
    records.sort(key=lambda record: record["step"])
    (path / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    defaults = {
        "experiment": "adding",
        "seed": 0,
        "config": {"length": 9},
        "metric": "mse",
        "goal": "min",
        "baseline": 0.2,
    }
    (path / "config.json").write_text(json.dumps(defaults | {"target": 0.01} | about))
    return path


@pytest.fixture
def drawn(monkeypatch):
    """The axes of the figures drawn."""
    from matplotlib.figure import Figure

    axes, add_subplot = [], Figure.add_subplot

    def note(self, *arguments, **more):
        axes.append(add_subplot(self, *arguments, **more))
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


def test_an_accuracy_has_a_panel_of_its_own(tmp_path, drawn):
    folder = _folder(tmp_path, [1.0, 0.5, 0.2, 0.1], [(2, 0.4), (4, 0.8)], goal="max")
    figures.learning_curve(folder)
    loss, score = drawn
    assert [line.get_label() for line in loss.lines] == ["training loss"] and loss.get_yscale() == "log"
    labels = {line.get_label() for line in score.lines}
    assert labels == {"validation mse", "trivial model: 0.2", "solved: 0.01"} and score.get_yscale() == "linear"
    assert (loss.get_ylabel(), score.get_ylabel()) == ("loss", "validation mse")


def test_before_the_first_validation(tmp_path, drawn):
    figures.learning_curve(_folder(tmp_path, [1.0, 0.5], []))
    assert {line.get_label() for line in drawn[0].lines} == {"training loss", "trivial model: 0.2", "solved: 0.01"}


def test_gradient_norms_are_drawn_where_they_have_a_logarithm():
    records = [{"step": n, "split": "train", "grad_norm": norm} for n, norm in enumerate((2.0, 0.0, 0.5), 1)]
    figure = drawing.new_figure()
    assert figures.draw_gradient_norms(figure, [*records, {"step": 3, "split": "validation", "mse": 1.0}])
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_xydata(), [[1, 2.0], [3, 0.5]])
    assert figure.axes[0].get_yscale() == "log"
    assert not figures.draw_gradient_norms(drawing.new_figure(), records[1:2])


def test_names_are_shown_as_they_are_and_a_figure_in_a_page_is_the_same_each_time(tmp_path):
    for name in ("_hidden", "$x_{$", "a\N{MULTIPLICATION SIGN}b"):
        figure = drawing.new_figure()
        axes = figure.add_subplot()
        axes.plot([1, 2], [1, 2], label=drawing.plain(name))
        drawing.finish(axes, name, name, name)
        drawing.legend(figure)
        assert len(figure.legends[0].get_texts()) == 1
        assert drawing.as_uri(figure) == drawing.as_uri(figure)
        assert drawing.save_png(figure, tmp_path / "deep" / "x.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no records of a run"):
        figures.learning_curve(tmp_path)


@pytest.mark.parametrize("horizon", [1, 3, 7])
def test_a_forecast_lies_over_its_truth(tmp_path, drawn, horizon):
    truth = np.arange(12.0)
    truth[4] = np.nan
    windows = np.lib.stride_tricks.sliding_window_view(truth, horizon)
    columns = {"truth": windows, **{name: windows + n for n, name in ((1, "forecast"), (2, "seasonal_naive"))}}
    columns |= {"linear": windows + 3, "q0.1": windows - 50, "q0.9": windows + 50}
    times = [f"d{row}" for row in range(12 + horizon)]
    ahead = {name: np.arange(20.0, 20 + horizon) + n for n, name in ((0, "forecast"), (-50, "q0.1"), (50, "q0.9"))}
    figures.forecast_against_truth(tmp_path / "plots" / "forecast.png", times, columns, "sold", ahead, shown=8)
    [axes] = drawn
    lines = {line.get_label(): line for line in axes.lines}
    np.testing.assert_array_equal(lines["truth"].get_ydata(), truth)
    for number, label in enumerate(("forecast", "seasonal naive", "linear"), 1):
        at, values = lines[label].get_xdata(), lines[label].get_ydata()
        np.testing.assert_array_equal(values, truth[at] + number)
        assert list(at) == list(range(at[0], 12))
        assert at[0] < horizon
    assert axes.get_xlim() == pytest.approx((4, 11 + horizon), abs=0.2)
    assert axes.get_xticklabels()[-1].get_text() == f"d{11 + horizon}"
    dotted = next(line for line in axes.lines if line.get_linestyle() == ":")
    np.testing.assert_array_equal(dotted.get_xdata(), 12 + np.arange(horizon))
    np.testing.assert_array_equal(dotted.get_ydata(), 20 + np.arange(horizon))
    assert axes.get_ylim()[0] < -40 and axes.get_ylim()[1] > 60
    assert "0.1 to 0.9 quantile" in axes.get_legend_handles_labels()[1]
    assert (tmp_path / "plots" / "forecast.png").stat().st_size > 10_000
