"""The language model's experiment: what is scored, what it writes, what it refuses."""

import csv
import dataclasses
import json

import jax
import numpy as np
import pytest

from experiments import generate_text
from experiments.language_model import Config, build, language_model, text_of
from lstm_jax.cells import GRU, LSTM
from lstm_jax.data import DataError
from lstm_jax.data.generated_text import generated_text
from lstm_jax.train import Optimizer, train

pytestmark = pytest.mark.proof  # they train

pytest.importorskip("tyro")
SMALL = Config(
    cell=LSTM(24), embedding_size=8, batch_size=8, window=25, steps=150, evaluate_every=50,
    optimizer=Optimizer(learning_rate=1e-2), layer_dropout=0.1, dropout=0.1, weight_drop=0.1,
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    pytest.importorskip("matplotlib")
    folder = tmp_path_factory.mktemp("language_model")
    path = folder / "text.txt"
    path.write_text(generated_text(400), encoding="utf-8")
    config = dataclasses.replace(SMALL, path=str(path))
    return config, train(build(config), workdir=folder / "run", quiet=True)


def test_it_learns_and_is_scored_on_all_of_the_test_text(run):
    config, result = run
    text = text_of(config)
    with (result.workdir / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert "".join(row["token"] for row in rows) == text.tokens.decode(text.ids[text.test :])
    nats = np.array([float(row["nats"]) for row in rows])
    assert result.metrics["nats"] == pytest.approx(nats.mean(), rel=1e-3)
    assert result.metrics["perplexity"] == pytest.approx(np.exp(nats.mean()), rel=1e-3)
    assert result.metrics["bits_per_character"] == pytest.approx(nats.mean() / np.log(2), rel=1e-3)
    assert result.metrics["nats"] < 0.8 * result.metrics["nats_unigram"]
    # The whole text read at once by one row says the same: the warm-up is long enough.
    model = language_model(config, text.tokens.size)
    logits, _ = model.apply(result.params, text.ids[:-1, None])
    chances = jax.nn.log_softmax(logits[:, 0])[np.arange(len(text.ids) - 1), text.ids[1:]]
    np.testing.assert_allclose(-chances[text.test - 1 :], nats, rtol=1e-2, atol=1e-2)


def test_what_it_writes(run):
    _, result = run
    assert len((result.workdir / "sample.txt").read_text(encoding="utf-8")) >= 900
    page = (result.workdir / "activation.html").read_text(encoding="utf-8")
    assert page.count("<h2>") == 6 and "http" not in page
    assert (result.workdir / "plots" / "activation.png").exists()
    assert json.loads((result.workdir / "tokens.json").read_text(encoding="utf-8"))["tokens"] == "Characters"


def test_text_from_the_run(run, capsys):
    _, result = run
    generate_text.main([str(result.workdir), "--prompt", "Ada sees", "--length", "20", "--seed", "4"])
    first = capsys.readouterr().out
    generate_text.main([str(result.workdir), "--prompt", "Ada sees", "--length", "20", "--seed", "4"])
    assert capsys.readouterr().out == first and first.startswith("Ada sees") and len(first) == 29
    for words, sentence in (
        ([], "Which run"),
        (["--prompt", "a"], "Which run"),
        ([str(result.workdir), "--top-p", "3"], "top_p above 0"),
        ([str(result.workdir.parent)], "holds no run"),
    ):
        with pytest.raises(SystemExit) as stop:
            generate_text.main(words)
        assert stop.value.code == 2 and sentence in capsys.readouterr().err


def test_without_validation_all_before_the_test_part_trains():
    kept, all_of_it = (text_of(dataclasses.replace(SMALL, validation=share)) for share in (0.05, 0.0))
    assert kept.training == kept.validation < kept.test
    assert all_of_it.training == all_of_it.test == kept.test and all_of_it.validation == kept.validation
    with pytest.raises(ValueError, match=r"below 0\.9, for the last 10% test; got 0\.95\."):
        text_of(dataclasses.replace(SMALL, validation=0.95))


@pytest.mark.parametrize(("tokens", "cell"), [("words", LSTM(8)), ("subwords", GRU(8))])
def test_other_tokens_and_cells(tokens, cell):
    if tokens == "subwords":
        pytest.importorskip("tokenizers")
    config = dataclasses.replace(
        SMALL, tokens=tokens, vocabulary_size=300, steps=4, window=5, tied=True, cell=cell, evaluate_every=2
    )
    result = train(build(config), quiet=True)
    text = text_of(config)
    per_character = (len(text.ids) - text.test) / text.characters / np.log(2)
    assert result.metrics["bits_per_character"] == pytest.approx(result.metrics["nats"] * per_character, rel=1e-5)


def test_the_state_goes_from_window_to_window():
    """A window's loss depends on what the windows before it read."""
    experiment = build(dataclasses.replace(SMALL, dropout=0.0, layer_dropout=0.0, weight_drop=0.0))
    params = experiment.init(jax.random.key(0))
    assert experiment.carry is not None
    carry = experiment.carry(params)
    batch = experiment.batch(jax.random.key(1), 1)
    fresh, _, handed = experiment.loss(params, batch, jax.random.key(2), carry)
    later, _, _ = experiment.loss(params, batch, jax.random.key(2), handed)
    assert float(fresh) != float(later)
    again, _, _ = experiment.loss(params, batch | {"first": np.True_}, jax.random.key(2), handed)
    assert float(again) == float(fresh)


def test_wrong_input_is_refused(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("too short")
    with pytest.raises(DataError, match="too few"):
        build(dataclasses.replace(SMALL, path=str(path)))
    with pytest.raises(DataError, match="does not exist"):
        build(dataclasses.replace(SMALL, path=str(tmp_path / "none.txt")))
    with pytest.raises(ValueError, match="tokens='letters' is not known"):
        build(dataclasses.replace(SMALL, tokens="letters"))
