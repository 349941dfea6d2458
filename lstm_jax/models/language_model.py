"""The next token, at every token of a text."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from lstm_jax.adapters.linen import Recurrent
from lstm_jax.cell import Cell, State
from lstm_jax.cells.lstm import LSTM
from lstm_jax.data.streams import Scored
from lstm_jax.driver import unroll
from lstm_jax.models.encoder import Dropout, one_cell
from lstm_jax.options import positive


class LanguageModel(nn.Module):
    """Tokens embedded, recurrent layers, a dense layer to the logits of the token that comes next.

    ``LanguageModel(vocabulary=65).init(key, tokens)`` gives the variables; ``.apply(variables, tokens, state)`` the
    logits ``[T, *batch, vocabulary]`` and the state to go on with. Where it is applied with an rng named ``dropout``,
    its dropouts are on.

    Merity, Keskar & Socher 2018, "Regularizing and Optimizing LSTM Language Models": tied weights, and dropout with one
    mask a sequence (section 4.2), here a mask a window and row. Dropped weights are the cell's affair (`WeightDrop`).
    """

    vocabulary: int
    """V, how many tokens there are."""
    cells: tuple[Cell, ...] = (LSTM(256),)
    """The recurrent layers, the first one first."""
    embedding_size: int = 64
    """Numbers that stand for a token; with ``tied`` as many as the last layer gives."""
    tied: bool = False
    """Whether the logits are products with the embeddings (Press & Wolf 2017; Inan et al. 2017)."""
    dropout: float = 0.0
    """Rate on the embedded tokens and on the outputs of the last layer, one mask for all steps."""

    def setup(self) -> None:
        """Name the parts."""
        positive("vocabulary", self.vocabulary)
        positive("embedding_size", self.embedding_size)
        scale = nn.initializers.normal(self.embedding_size**-0.5)
        self.embedding = nn.Embed(self.vocabulary, self.embedding_size, embedding_init=scale)
        self.recurrent = Recurrent(self.cell)
        self.locked = Dropout(self.dropout, over_steps=True)
        if self.tied:
            self.bias = self.param("bias", nn.initializers.zeros, (self.vocabulary,))
        else:
            self.head = nn.Dense(self.vocabulary)

    @property
    def cell(self) -> Cell:
        """All layers."""
        return one_cell(self)

    def __call__(self, tokens: jax.Array, state: State | None = None) -> tuple[jax.Array, State]:
        """Logits of what comes after each token.

        Args:
            tokens: whole numbers ``[T, *batch]``.
            state: what a call on the tokens before gave; None: nothing is known.

        Returns:
            ``[T, *batch, V]``, and the state.

        Raises:
            ValueError: there is no cell, or with ``tied`` the last layer gives other than ``embedding_size`` numbers.
        """
        ys, state = self.recurrent(self.locked(self.embedding(tokens)), state)
        if self.tied and ys.shape[-1] != self.embedding_size:
            raise ValueError(
                f"Tied weights need as many outputs of the last layer as embedding_size, {self.embedding_size}; there "
                f"are {ys.shape[-1]}."
            )
        ys = self.locked(ys)
        return (self.embedding.attend(ys) + self.bias if self.tied else self.head(ys)), state

    def initial_state(self, params: Any, rows: int) -> State:
        """The state of ``rows`` rows before their first token.

        Args:
            params: the variables of ``init``.
            rows: B.
        """
        return self.cell.initial_state(params["params"]["recurrent"]["cell"], (rows,))


def score_tokens(model: LanguageModel, params: Any, scored: Scored) -> tuple[jax.Array, jax.Array]:
    """What the model says of tokens, each row's state handed on from window to window.

    Args:
        model: the model.
        params: its variables.
        scored: the tokens.

    Returns:
        The nats that each token costs, ``-log p``, and the likeliest token in its place, ``[W, T, R]``. Where no token
        is scored, the nats mean nothing.
    """

    def window(state: State, part: tuple[jax.Array, jax.Array]) -> tuple[State, tuple[jax.Array, jax.Array]]:
        inputs, targets = part
        said: Any = model.apply(params, inputs, state)
        logits, state = said
        nats = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.maximum(targets, 0))
        return state, (nats, jnp.argmax(logits, axis=-1))

    start = model.initial_state(params, scored.inputs.shape[2])
    return jax.lax.scan(window, start, (jnp.asarray(scored.inputs), jnp.asarray(scored.targets)))[1]


def memory(model: LanguageModel, params: Any, tokens: Any) -> tuple[jax.Array, ...]:
    """What each layer remembers after each token ``[T, H]``, the first layer first: ``tanh(c)``; of cells without c h.

    Args:
        model: the model.
        params: its variables.
        tokens: ``[T]``.
    """
    own = params["params"]
    state = jax.tree_util.tree_leaves_with_path(model.initial_state(params, 1))
    fields = {getattr(path[-1], "name", "") for path, _ in state}
    kept = "c" if "c" in fields else "h"
    xs = own["embedding"]["embedding"][tokens]
    _, _, collected = unroll(model.cell, own["recurrent"]["cell"], xs, collect=(kept,))
    layers = collected if isinstance(collected, tuple) else (collected,)
    return tuple(jnp.tanh(layer["c"]) if kept == "c" else layer["h"] for layer in layers)


def filtered(logits: jax.Array, *, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> jax.Array:
    """Logits ``[..., V]`` to sample from; tokens that are left out get minus infinity.

    Args:
        logits: the model's.
        temperature: they are divided by it; near 0 the likeliest token remains.
        top_k: keep that many of the likeliest (Fan et al. 2018, "Hierarchical Neural Story Generation"); 0: all.
        top_p: keep the fewest of the likeliest whose probabilities sum to this (nucleus sampling: Holtzman et al. 2020,
            "The Curious Case of Neural Text Degeneration", eq. 3), after ``top_k``; 1: all.

    Raises:
        ValueError: a setting is out of range.
    """
    if not (temperature > 0 and top_k >= 0 and 0 < top_p <= 1):
        raise ValueError(
            "temperature must be above 0, top_k at least 0, and top_p above 0 and at most 1; got "
            f"{temperature}, {top_k} and {top_p}."
        )
    logits = logits / temperature
    if 0 < top_k < logits.shape[-1]:
        least = jax.lax.top_k(logits, top_k)[0][..., -1:]
        logits = jnp.where(logits < least, -jnp.inf, logits)
    if top_p < 1:
        ordered = -jnp.sort(-logits, axis=-1)
        before = jnp.cumsum(jax.nn.softmax(ordered, axis=-1), axis=-1) - jax.nn.softmax(ordered, axis=-1)
        # The likeliest one always stays: nothing comes before it.
        least = jnp.min(jnp.where(before < top_p, ordered, jnp.inf), axis=-1, keepdims=True)
        logits = jnp.where(logits < least, -jnp.inf, logits)
    return logits
