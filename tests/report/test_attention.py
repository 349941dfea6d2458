"""Attention shown: each word once, in order, shaded by its weight; nothing of a text becomes a part of the page."""

import re

import numpy as np
import pytest

from lstm_jax.report.attention import Attended, draw_attention, write_attention

TEXTS = [
    Attended(["not", "a", "good", "film"], np.array([0.6, 0.1, 0.3, 0.0]), "neg", "neg", 0.912),
    Attended(["<b>", "$x$", "日本"], np.array([0.2, 0.7, 0.1]), "<pos>", "neg", 0.55),
    Attended(["one"], np.array([1.0]), "pos", "pos", 0.5),
]


def test_the_page_shades_words_by_their_weights(tmp_path):
    pytest.importorskip("jinja2", reason="the extra 'experiments' is not installed")
    page = write_attention(tmp_path / "a.html", "Read & <seen>", TEXTS).read_text(encoding="utf-8")
    spans = re.findall(r'background:rgba\(31,95,168,([\d.]+)\).*? title="([\d.]+)%">(.*?)</span>', page)
    assert [word for _, _, word in spans] == ["not", "a", "good", "film", "&lt;b&gt;", "$x$", "日本", "one"]
    assert [float(weight) for _, weight, _ in spans] == [60, 10, 30, 0, 20, 70, 10, 100]
    shades = np.array([float(alpha) for alpha, _, _ in spans])
    np.testing.assert_allclose(shades, [1, 1 / 6, 0.5, 0, 1 / 6, 1, 0, 0], atol=0.01)  # each text has its own scale
    assert "Read &amp; &lt;seen&gt;" in page and "<b>" not in page
    said = [" ".join(heading.split()) for heading in re.findall(r"<h2[^>]*>(.*?)</h2>", page, re.DOTALL)]
    assert said[:2] == [
        "neg (91%); weights 0.0% to 60.0%",
        "neg (55%), in truth &lt;pos&gt;; weights 10.0% to 70.0%",
    ]
    assert re.findall(r'<h2 class="(\w+)"', page) == ["right", "wrong", "right"]


def test_shades_of_single_precision_stay_between_0_and_1():
    for seed in range(50):
        weights = np.random.default_rng(seed).dirichlet(np.ones(9)).astype(np.float32)
        shades = Attended(["a"] * 9, weights, "x", "y", 0.5).shades
        assert min(shades) == 0 and max(shades) == 1


def test_equal_weights_are_all_pale():
    assert Attended(["a", "b"], np.array([0.5, 0.5]), "x", "y", 0.5).shades == [0, 0]
    assert Attended([], np.array([]), "x", "y", 0.5).shades == []


def test_the_picture_is_drawn_with_every_word(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason="the extra 'experiments' is not installed")
    import matplotlib.axes

    written, text = [], matplotlib.axes.Axes.text
    monkeypatch.setattr(
        matplotlib.axes.Axes,
        "text",
        lambda axes, x, y, s, **more: written.append((y, x, s)) or text(axes, x, y, s, **more),
    )
    long = Attended([f"word{n}" for n in range(40)] + ["x" * 200], np.linspace(0, 1, 41), "pos", "pos", 0.9)
    path = draw_attention(tmp_path / "plots" / "attention.png", "Read", [*TEXTS, long])
    assert path.read_bytes().startswith(b"\x89PNG")
    words = [s for _, _, s in written]
    for piece in ["not", "a", "good", "film", "<b>", r"\$x\$", "日本", *long.pieces[:-1]]:
        assert words.count(piece) == 1
    assert "neg (55%), in truth <pos>; weights 10.0% to 70.0%" in words
    assert all(x + len(s) <= 97 for _, x, s in written if s.startswith(("word", "xx")))
    assert len({y for y, _, s in written if s.startswith("word")}) > 1
    drawn = [(y, x) for y, x, s in written if s.startswith("word")]
    assert drawn == sorted(drawn)


def test_weights_belong_to_pieces():
    with pytest.raises(ValueError, match="There are 2 pieces but 1 weights"):
        Attended(["a", "b"], np.array([1.0]), "x", "y", 0.5)
