"""How well does a recurrent network tell the class of a text, beside counting its words?

    python -m experiments.classify_text --path FOLDER                 (a file a class: reviews.neg, reviews.pos)
    python -m experiments.classify_text --path FILE --label stars --text review    (a CSV or TSV file with a header)
    python -m experiments.classify_text

Each class is dealt out to ten folds at random (a fixed seed): fold ``--fold`` tests, the next one validates (training
stops when it gets no better, and the best parameters are kept), the other eight train. The ten runs with ``--fold`` 0
to 9 are a tenfold cross-validation; the mean of their accuracies is what papers report on MR. The vocabulary is that of
the training texts; what they share with validation or test is left out of them. Without a file, 2,000 made-up reviews:
their words say little, their order all ("not bad , although the cast is dull").

Model: tokens embedded, a recurrent layer in both directions, pooled over time, a dense layer. In training some tokens
are replaced by the unknown one (word dropout), and embeddings and outputs are dropped out. ``--vectors FILE`` begins
with GloVe's or word2vec's embeddings. With attention the run folder gets ``attention.html`` and
``plots/attention.png``: test texts with their words shaded by weight. It always gets ``predictions.csv`` (the test
texts), ``classes.csv`` (precision, recall, F1 and support of each class), ``plots/confusion.png`` and ``tokens.json``
(the vocabulary).

Beside it: the most frequent class, and naive Bayes on the same tokens.

Papers: Pang & Lee (2005), "Seeing Stars" (MR); Wang & Manning (2012), "Baselines and Bigrams": naive Bayes 77.9% on MR;
Kim (2014), "Convolutional Neural Networks for Sentence Classification": 76.1% without pretrained vectors; Zhou et al.
(2016), "Text Classification Improved by Integrating Bidirectional LSTM with Two-dimensional Max Pooling": 80.0% with
them (m).

Measured on public files, beside what is published: docs/applications.md.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax import Bidirectional
from lstm_jax.cells import LSTM, AnyCell
from lstm_jax.cli import run_experiment
from lstm_jax.data import Examples
from lstm_jax.data.bag_of_words import fit_naive_bayes
from lstm_jax.data.text import generated_reviews, read_labelled_texts
from lstm_jax.data.tokens import Characters, Subwords, Tokens, Words
from lstm_jax.data.vectors import read_vectors
from lstm_jax.metrics.classification import class_scores
from lstm_jax.models.classifier import SequenceClassifier, attention_weights
from lstm_jax.models.encoder import with_embedding
from lstm_jax.models.losses import ACCURACY, CROSS_ENTROPY
from lstm_jax.models.pooling import Pooling
from lstm_jax.options import of_a_file, positive, rate
from lstm_jax.report.attention import Attended, draw_attention, write_attention
from lstm_jax.report.classes import report_classes
from lstm_jax.train import Experiment, Optimizer
from lstm_jax.train.supervised import predict, supervised_experiment

FOLDS = 10
SHOWN = 40
"""Test texts in the attention page; the picture has the first ten of them."""


@dataclass(frozen=True)
class Config:
    """The class of a text."""

    path: str = ""
    """A folder with a file for each class, a text a line, or a CSV or TSV file; empty: made-up reviews."""
    label: str = "label"
    """The CSV file's column with the class."""
    text: str = "text"
    """The CSV file's column with the text."""
    fold: int = 0
    """The tenth that tests, 0 to 9."""
    tokens: Literal["words", "subwords", "characters"] = "words"
    """What a text is cut into."""
    vocabulary: int = 20_000
    """Words or subwords at most."""
    least: int = 1
    """How often a training word must occur, not to be unknown."""
    longest: int = 400
    """Tokens of a text that are read; the rest is cut off."""
    vectors: str = ""
    """A text file of word vectors, GloVe or word2vec, to begin with; empty: random ones."""
    cell: AnyCell = LSTM(64)
    """The recurrent layer, one for each direction."""
    pooling: Pooling = "attention"
    """How the outputs at all tokens become one: last, mean, max or attention."""
    embedding_size: int = 100
    """Numbers that stand for a token; with ``vectors``, as many as theirs."""
    dropout: float = 0.5
    """Rate on the embedded tokens and on the outputs of the recurrent layer."""
    word_dropout: float = 0.35
    """The share of tokens that are replaced by the unknown one in training."""
    optimizer: Optimizer = Optimizer(learning_rate=1e-3)
    batch_size: int = 50
    """Texts in a training step."""
    buckets: int = 4
    """Into how many lengths, at most, the training texts are sorted: less padding, but more to compile."""
    steps: int = 5000
    """Optimiser steps at most."""
    patience: int = 10
    """Validations, 100 steps apart, without a better score that end the training."""


def build(config: Config) -> Experiment:
    """The experiment for these settings."""
    for setting in ("vocabulary", "least", "longest", "embedding_size", "batch_size", "buckets", "patience"):
        positive(setting, getattr(config, setting))
    rate("word_dropout", config.word_dropout)
    of_a_file(config, "path", "label", "text")
    if config.vectors and config.tokens != "words":
        raise ValueError(
            f"vectors are those of words; leave them out, or set --tokens words instead of {config.tokens}."
        )
    texts = read_labelled_texts(config.path, config.label, config.text) if config.path else generated_reviews()
    parts, shared = texts.parts(config.fold, FOLDS)
    train, validation, test = parts
    tokens = _tokens(config, train.texts)
    encoded = [[tokens.encode(text)[: config.longest] for text in part.texts] for part in parts]
    examples = [Examples.of(ids, part.labels) for ids, part in zip(encoded, parts, strict=True)]
    cut = sum(len(tokens.encode(text)) > config.longest for text in texts.texts)
    vectors = read_vectors(config.vectors, tokens.words) if isinstance(tokens, Words) and config.vectors else None
    model = SequenceClassifier(
        cells=(Bidirectional(config.cell, config.cell),),
        classes=len(texts.classes),
        pooling=config.pooling,
        vocabulary=tokens.size,
        embedding_size=config.embedding_size if vectors is None else vectors.matrix.shape[1],
        dropout=config.dropout,
    )
    bayes = fit_naive_bayes(encoded[0], train.labels, tokens.size)(encoded[2]).argmax(axis=1)
    most = np.full(len(test), np.argmax(np.bincount(train.labels)))

    def drop_words(xs: jax.Array, key: jax.Array) -> jax.Array:
        return jnp.where(jax.random.bernoulli(key, config.word_dropout, xs.shape), 0, xs)

    def scores(params: Any) -> dict[str, float]:
        found = predict(model, params, examples[2]).argmax(axis=1)
        return class_scores(test.labels, found, len(test.classes), {"majority": most, "naive_bayes": bayes})

    def report(params: Any, folder: Path) -> None:
        logits = predict(model, params, examples[2])
        columns = {"naive_bayes": bayes, "text": test.texts}
        report_classes(folder, test.classes, test.labels, logits, test.places, columns)
        (folder / "tokens.json").write_text(json.dumps(tokens.to_json(), ensure_ascii=False), encoding="utf-8")
        if config.pooling == "attention":
            chosen = np.random.default_rng(0).permutation(len(test))[:SHOWN]
            weights = attention_weights(model, params, examples[2].take(chosen))
            blank = " " if isinstance(tokens, Words) else ""  # other pieces hold those of the text
            pieces = [[piece + blank for piece in tokens.pieces(test.texts[row])] for row in chosen]
            read = Attended.of(pieces, weights, test.classes, test.labels[chosen], logits[chosen])
            title = f"What the network attended to in {len(read)} test texts"
            write_attention(folder / "attention.html", title, read)
            draw_attention(folder / "plots" / "attention.png", title.replace(str(len(read)), "10", 1), read[:10])

    notes = [f"{len(train)} texts train, {len(validation)} validate, {len(test)} test; {tokens.size} tokens."]
    if shared:
        notes.append(f"{shared} texts were left out of training: validation or test has the same text.")
    if cut:
        notes.append(f"{cut} texts are longer than {config.longest} tokens and were cut off there.")
    if vectors is not None:
        notes.append(f"{config.vectors} has vectors for {vectors.coverage(encoded[0]):.1%} of the training words.")
    return supervised_experiment(
        model,
        name="classify_text",
        config=config,
        train=examples[0],
        validation=examples[1],
        test=examples[2],
        loss=CROSS_ENTROPY,
        scores=(ACCURACY,),
        metric="accuracy",
        optimizer=config.optimizer,
        batch_size=config.batch_size,
        steps=config.steps,
        evaluate_every=100,
        patience=config.patience,
        buckets=config.buckets,
        augment=drop_words if config.word_dropout else None,
        begin=None if vectors is None else lambda params: with_embedding(params, vectors.matrix),
        baseline=float(np.mean(test.labels == most)),
        scores_on_host=scores,
        report=report,
        notes=tuple(notes),
    )


def _tokens(config: Config, texts: tuple[str, ...]) -> Tokens:
    if config.tokens == "characters":
        return Characters.of(texts)
    if config.tokens == "subwords":
        return Subwords.of(texts, config.vocabulary)
    return Words.of(texts, config.vocabulary, config.least, marks=True, lower=True)


if __name__ == "__main__":
    run_experiment(Config, build, name="classify_text")
