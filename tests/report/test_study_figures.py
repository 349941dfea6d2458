"""What the figures of a study hold."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from lstm_jax.report.drawing import COLORS, PALE, new_figure
from lstm_jax.report.study_figures import BEST, draw_against, draw_importances, draw_learning_curves
from lstm_jax.sweep.space import Dimension
from lstm_jax.sweep.study import Study
from lstm_jax.sweep.trial import TrialView

ABOUT = {"metric": "mse", "goal": "min", "baseline": 3.0, "target": 0.05}
# By number: state, objective, learning rate, cell.
ENDED = [
    ("done", 0.5, 1e-3, "lstm"), ("done", 0.1, 1e-2, "gru"), ("pruned", None, 1e-4, "lstm"),
    ("failed", None, 1e-1, "$a_$b"), ("waiting", None, None, None), ("done", 0.4, 3e-3, "gru"),
    ("done", 0.6, 5e-3, "lstm"), ("done", 0.7, 2e-2, "lstm"),
]  # fmt: skip


def _study(goal="min", objective="mse"):
    study = SimpleNamespace(goal=goal, objective=objective, sweep=SimpleNamespace(seeds=2))
    study.rank = lambda trial: Study.rank(study, trial)
    study.best_of = lambda trials: Study.best_of(study, trials)
    return study


def _trials():
    return [
        TrialView(n, state, {"rate": rate, "cell": cell}, value, {}, 0, 0, None, None, "", None)
        for n, (state, value, rate, cell) in enumerate(ENDED)
    ]


def _curves():
    whole = {n: (np.array([10, 20, 30]), np.full((2, 3), value)) for n, (_, value, *_) in enumerate(ENDED) if value}
    return whole | {2: (np.array([10]), np.array([[2.5]]))}


def _lines(axes):
    return {str(line.get_label()).strip(): line for line in axes.lines}


def test_the_best_are_in_colours_and_a_pruned_one_ends_where_it_ends():
    figure = new_figure()
    draw_learning_curves(figure, _study(), _trials(), _curves(), ABOUT)
    lines = _lines(figure.axes[0])
    best = ["trial 1: 0.1", "trial 5: 0.4", "trial 0: 0.5", "trial 6: 0.6"]
    assert [name for name in lines if name.startswith("trial ")] == best and len(best) == BEST
    assert [lines[name].get_color() for name in best] == list(COLORS[:BEST])
    assert lines["other trials"].get_color() == PALE and set(lines["other trials"].get_ydata()) == {0.7}
    np.testing.assert_array_equal(lines["pruned"].get_xydata(), [[10, 2.5]])
    assert len(figure.axes[0].collections) == BEST  # bands
    assert {"trivial model: 3", "solved: 0.05"} <= lines.keys()
    assert figure.axes[0].get_yscale() == "log"


def test_another_objective_has_no_baseline():
    figure = new_figure()
    draw_learning_curves(figure, _study("max", "accuracy"), _trials(), _curves(), ABOUT)
    assert not [name for name in _lines(figure.axes[0]) if "trivial" in name or "solved" in name]
    assert figure.axes[0].get_yscale() == "linear" and "accuracy" in figure.axes[0].get_ylabel()
    assert "trial 7: 0.7" in _lines(figure.axes[0])  # the highest is the best


@pytest.mark.parametrize(
    ("text", "scale", "ticks"),
    [
        ("rate=log:1e-4..1e-1", "log", None),
        ("rate=0.0..1.0", "linear", None),
        ("rate=1e-4,1e-3,1e-1", "log", ["1e-4", "1e-3", "1e-1"]),
        ("cell=lstm,gru,$a_$b", "linear", ["lstm", "gru", r"\$a_\$b"]),
    ],
)
def test_the_objective_against_a_setting(text, scale, ticks):
    figure, dimension = new_figure(), Dimension.read(text)
    draw_against(figure, _study(), dimension, _trials(), _curves())
    figure.canvas.draw()
    axes = figure.axes[0]
    lines = _lines(axes)
    assert sorted(lines["done"].get_ydata()) == [0.1, 0.4, 0.5, 0.6, 0.7]
    assert list(lines["pruned, at its last validation"].get_ydata()) == [2.5]
    assert list(lines["best"].get_ydata()) == [0.1]
    assert len(lines["without score"].get_xdata()) == 1
    assert (axes.get_xscale(), axes.get_yscale()) == (scale, "log")
    if ticks is not None:
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ticks
    if dimension.field == "rate":
        assert list(lines["best"].get_xdata()) == [1e-2] and list(lines["without score"].get_xdata()) == [1e-1]
    else:
        assert list(np.round(lines["done"].get_xdata())) == [0, 1, 1, 0, 0]


def test_importances_the_largest_on_top():
    figure = new_figure()
    draw_importances(figure, {"a": 0.7, "_b": 0.1, "c": 0.2})
    assert [bar.get_width() for bar in figure.axes[0].patches] == [0.1, 0.2, 0.7]
    assert [label.get_text().strip() for label in figure.axes[0].get_yticklabels()] == ["_b", "c", "a"]
