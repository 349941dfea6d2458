"""Text from a language model, token by token."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax.data.tokens import Tokens
from lstm_jax.models.language_model import LanguageModel, filtered
from lstm_jax.options import positive


def generate(
    model: LanguageModel,
    params: Any,
    tokens: Tokens,
    prompt: np.ndarray,
    *,
    length: int,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    seed: int = 0,
) -> Iterator[str]:
    """Go on with a prompt: yields the text piece by piece, as soon as it is there; the prompt is not among it.

    The unknown token is never chosen. The same seed gives the same text.

    Args:
        model: the model.
        params: its variables.
        tokens: the vocabulary.
        prompt: the ids it begins with ``[T]``; if there are none, a token at random.
        length: how many tokens to add.
        temperature: as in `filtered`, like the two below.
        top_k: how many of the likeliest tokens are kept.
        top_p: how much probability is kept.
        seed: of the draws.

    Raises:
        ValueError: a setting is out of range.
    """
    positive("length", length)
    filtered(jnp.zeros(1), temperature=temperature, top_k=top_k, top_p=top_p)  # before anything begins
    hashed: Any = model  # by its fields, which its type does not say
    programs = _programs(hashed, temperature, top_k, top_p)
    return _pieces(programs, params, tokens, prompt, length, jax.random.key(seed))


def _pieces(
    programs: tuple[Callable[..., Any], ...],
    params: Any,
    tokens: Tokens,
    prompt: np.ndarray,
    length: int,
    key: jax.Array,
) -> Iterator[str]:
    read, choose = programs
    if not len(prompt):
        prompt = np.asarray(jax.random.randint(jax.random.fold_in(key, 2**31 - 1), (1,), 1, tokens.size))
    logits, state = read(params, jnp.asarray(prompt, jnp.int32)[:, None])
    ids: list[int] = []
    told = 0
    for number in range(length):
        chosen, logits, state = choose(params, logits, state, jax.random.fold_in(key, number))
        ids.append(int(chosen[0]))
        # All of it, for a token may be a part of a character; the last few are enough to see how they join.
        text = tokens.decode(ids)
        if not text.endswith("\ufffd") or number == length - 1:
            yield text[told:]
            told = len(text)
            if len(ids) > 64:
                ids = ids[-32:]
                told = len(tokens.decode(ids))


@functools.lru_cache(maxsize=8)
def _programs(model: LanguageModel, temperature: float, top_k: int, top_p: float) -> tuple[Callable[..., Any], ...]:
    @jax.jit
    def read(params: Any, prompt: jax.Array) -> Any:
        logits, state = model.apply(params, prompt)
        return logits[-1], state

    @jax.jit
    def choose(params: Any, logits: jax.Array, state: Any, key: jax.Array) -> Any:
        known = logits.at[..., 0].set(-jnp.inf)
        chosen = jax.random.categorical(key, filtered(known, temperature=temperature, top_k=top_k, top_p=top_p))
        logits, state = model.apply(params, chosen[None], state)
        return chosen, logits[-1], state

    return read, choose
