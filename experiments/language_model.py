"""How well does a recurrent network tell what comes next in a text?

    python -m experiments.language_model --path FILE
    python -m experiments.language_model --path FILE --tokens words --cell.hidden-size 200 --embedding-size 200 --tied
    python -m experiments.language_model
    python -m experiments.generate_text runs/language_model/... --prompt "ROMEO:"

The text is cut in order: the first 85% train, the next 5% validate (``--validation``; the best parameters are kept),
the last 10% test, once. It is read as characters, words or byte-level subwords, with the vocabulary of the training
part. In training the text is ``batch_size`` rows, read side by side in windows of ``window`` tokens; state goes from
window to window, the gradient does not (truncated backpropagation). Validation and test score every token once, after
at least ``warmup`` others. Without a file the text is made up by a small grammar.

Model: embedding, recurrent layers, a dense layer, perhaps tied to the embedding. The recipe of Merity et al. is
``--weight-drop``, ``--dropout`` and ``--layer-dropout`` (one mask a window), ``--tied``, and ``--optimizer.name sgd
--optimizer.average-after 5``.

Scores: ``nats`` a token, ``perplexity``, ``bits_per_character`` (all tokens' bits over all characters). Beside it: the
frequencies of the training tokens (unigram), and an interpolated n-gram model of up to six of them (Witten-Bell).
The run folder gets ``predictions.csv`` (each test token, how likely it was, what was likeliest), ``sample.txt``,
``tokens.json``, ``activation.html``: test text coloured by single cells; and ``plots/activation.png``.

Papers: Merity, Keskar & Socher (2018), "Regularizing and Optimizing LSTM Language Models" (AWD-LSTM); Karpathy, Johnson
& Fei-Fei (2016), "Visualizing and Understanding Recurrent Networks" (the coloured page).

Measured on public files, beside what is published: docs/applications.md.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax

from lstm_jax.cell import Cell
from lstm_jax.cells import LSTM, AnyCell
from lstm_jax.cli import run_experiment
from lstm_jax.data.corpus import VALIDATED, Corpus
from lstm_jax.data.fingerprint import fingerprint
from lstm_jax.data.generated_text import generated_text
from lstm_jax.data.streams import Scored, Streams
from lstm_jax.data.text import read_text
from lstm_jax.data.tokens import Words
from lstm_jax.metrics.ngram import witten_bell
from lstm_jax.models.generation import generate
from lstm_jax.models.language_model import LanguageModel, memory, score_tokens
from lstm_jax.options import positive, rate
from lstm_jax.report.activation import Unit, draw_activation, slow_units, write_activation
from lstm_jax.report.rows import write_rows
from lstm_jax.train import Experiment, Optimizer
from lstm_jax.wrappers import VariationalDropout, WeightDrop

TEST = 0.1
"""Share of the text that tests."""
TEST_ROWS, WINDOW, WARMUP = 64, 128, 512
"""How validation and test are read."""
NGRAM = 6
SHOWN, UNITS = 1500, 6
"""Tokens and units of the coloured page."""


@dataclass(frozen=True)
class Config:
    """A language model of one text."""

    path: str = ""
    """A UTF-8 text file; empty: the generated text."""
    tokens: Literal["characters", "subwords", "words"] = "characters"
    """What is predicted."""
    validation: float = VALIDATED
    """Share of the text, before the test part, that validates; 0: it trains, too, once the settings are chosen."""
    vocabulary_size: int = 2000
    """How many subwords, or words at most, the rarer ones being <unk>."""
    cell: AnyCell = LSTM(256)
    """The recurrent layer."""
    layers: int = 2
    """Recurrent layers, one on top of the other."""
    embedding_size: int = 64
    """Numbers that stand for a token; with tied weights also the hidden size of the last layer."""
    tied: bool = False
    """Whether the output's weights are the embedding's."""
    dropout: float = 0.2
    """Rate on embeddings and outputs, one mask a window."""
    layer_dropout: float = 0.2
    """Rate between layers, one mask a window."""
    weight_drop: float = 0.0
    """Rate on the recurrent weights."""
    batch_size: int = 32
    """Rows read side by side."""
    window: int = 100
    """Tokens through which the gradient flows back."""
    optimizer: Optimizer = Optimizer(learning_rate=2e-3, schedule="cosine")
    steps: int = 2000
    """Optimiser steps."""
    evaluate_every: int = 200
    """Steps between two validations."""


def build(config: Config) -> Experiment:
    """The experiment for these settings."""
    for setting in ("layers", "evaluate_every"):
        positive(setting, getattr(config, setting))
    for setting in ("dropout", "layer_dropout", "weight_drop"):
        rate(setting, getattr(config, setting))
    text = text_of(config)
    ids, size = text.ids, text.tokens.size
    training = ids[: text.training]
    streams = Streams(training, config.batch_size, config.window)
    validation, test = (
        Scored.of(ids, start, stop, rows=TEST_ROWS, window=WINDOW, warmup=WARMUP)
        for start, stop in ((text.validation, text.test), (text.test, len(ids)))
    )
    model = language_model(config, size)
    per_character = (len(ids) - text.test) / text.characters / np.log(2)
    unigram, ngram = (witten_bell(training, ids, text.test, size, order) for order in (1, NGRAM))

    def loss(params: Any, batch: Any, key: jax.Array, state: Any) -> tuple[jax.Array, dict[str, jax.Array], Any]:
        fresh = model.initial_state(params, config.batch_size)
        state = jax.tree.map(lambda new, old: jnp.where(batch["first"], new, old), fresh, state)
        logits, state = model.apply(params, batch["inputs"], state, rngs={"dropout": key})
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch["targets"]).mean(), {}, state

    def scores(params: Any, scored: Scored) -> dict[str, Any]:
        nats = jnp.mean(score_tokens(model, params, scored)[0], where=scored.targets >= 0)
        return {"nats": nats, "perplexity": jnp.exp(nats)}

    def tested(params: Any, key: jax.Array) -> dict[str, Any]:
        found = scores(params, test)
        beside = {"nats_unigram": jnp.float32(unigram), "nats_ngram": jnp.float32(ngram)}
        return {**found, "bits_per_character": found["nats"] * per_character, **beside}

    def report(params: Any, folder: Path) -> None:
        (folder / "tokens.json").write_text(json.dumps(text.tokens.to_json(), ensure_ascii=False), encoding="utf-8")
        _write_predictions(folder / "predictions.csv", model, params, text, test)
        prompt = ids[text.test : text.test + 50]
        pieces = "".join(generate(model, params, text.tokens, prompt, length=1000, temperature=0.8, seed=0))
        (folder / "sample.txt").write_text(pieces, encoding="utf-8")
        _show_memory(folder, model, params, text)

    return Experiment(
        name="language_model",
        init=lambda key: model.init(key, jnp.zeros((1, 1), jnp.int32)),
        batch=streams.batch,
        loss=loss,
        carry=lambda params: model.initial_state(params, config.batch_size),
        evaluate=lambda params, key: scores(params, validation),
        test=tested,
        optimizer=config.optimizer,
        steps=config.steps,
        batch_size=config.batch_size,
        metric="nats",
        baseline=ngram,
        evaluate_every=config.evaluate_every,
        report=report,
        notes=(
            f"{len(ids)} {config.tokens}, {size - 1} kinds of them in the training part; an epoch is "
            f"{streams.steps_per_epoch} steps.",
        ),
        fingerprint=fingerprint(ids),
        config=config,
    )


def text_of(config: Config) -> Corpus:
    """The text in its parts, as tokens."""
    text = read_text(config.path) if config.path else generated_text()
    size, share = config.vocabulary_size, config.validation
    return Corpus.of(text, config.tokens, size, validation=share, test=TEST, name=config.path or "The generated text")


def language_model(config: Config, vocabulary: int) -> LanguageModel:
    """The model for these settings."""
    cells: list[Cell] = []
    for layer in range(config.layers):
        last = layer == config.layers - 1
        cell: Cell = replace(config.cell, hidden_size=config.embedding_size) if config.tied and last else config.cell
        cell = WeightDrop(cell, config.weight_drop) if config.weight_drop else cell
        cells.append(VariationalDropout(cell, inputs=config.layer_dropout) if config.layer_dropout and layer else cell)
    return LanguageModel(vocabulary, tuple(cells), config.embedding_size, config.tied, config.dropout)


def _write_predictions(path: Path, model: LanguageModel, params: Any, text: Corpus, scored: Scored) -> None:
    """Each test token in order: how likely it was, and what was likeliest."""
    nats, likeliest = (np.asarray(one) for one in jax.jit(lambda: score_tokens(model, params, scored))())
    name = text.tokens.token
    columns = (scored.in_order(one) for one in (scored.targets, nats, likeliest))
    rows = ((name(int(token)), f"{cost:.5g}", name(int(guess))) for token, cost, guess in zip(*columns, strict=True))
    write_rows(path, ["token", "nats", "likeliest"], rows)


def _show_memory(folder: Path, model: LanguageModel, params: Any, text: Corpus) -> None:
    """The beginning of the test text, coloured by the slowest units of the last layer."""
    shown = text.ids[text.test : text.test + SHOWN]
    values = np.asarray(memory(model, params, text.ids[max(0, text.test - WARMUP) : text.test + SHOWN])[-1])
    values = values[-len(shown) :]
    space = " " if isinstance(text.tokens, Words) else ""
    pieces = [text.tokens.token(int(one)) + space for one in shown]
    units = [Unit(f"unit {unit} of the last layer", pieces, values[:, unit]) for unit in slow_units(values, UNITS)]
    title = "What single units of the language model remember"
    write_activation(folder / "activation.html", title, units)
    draw_activation(folder / "plots" / "activation.png", title, units[0])


if __name__ == "__main__":
    run_experiment(Config, build, name="language_model")
