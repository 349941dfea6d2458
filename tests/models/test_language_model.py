"""The language model, and what is drawn from it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_jax import LSTM
from lstm_jax.cells import GRU, Elman
from lstm_jax.data.streams import Scored
from lstm_jax.data.tokens import Characters
from lstm_jax.models.generation import generate
from lstm_jax.models.language_model import LanguageModel, filtered, memory, score_tokens
from lstm_jax.wrappers import WeightDrop

CELLS = (WeightDrop(LSTM(6), rate=0.3), LSTM(5))
TOKENS = jnp.asarray(np.random.default_rng(0).integers(0, 9, (12, 3)))


@pytest.fixture(scope="module", params=[False, True])
def model(request):
    made = LanguageModel(9, CELLS, embedding_size=5, tied=request.param, dropout=0.4)
    return made, made.init(jax.random.key(0), TOKENS)


def test_windows_equal_the_whole(model):
    model, params = model
    whole, last = model.apply(params, TOKENS)
    state, parts = model.initial_state(params, 3), []
    for start, stop in ((0, 5), (5, 6), (6, 12)):
        logits, state = model.apply(params, TOKENS[start:stop], state)
        parts.append(logits)
    np.testing.assert_allclose(jnp.concatenate(parts), whole, rtol=1e-5, atol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), state, last)
    other = model.apply(params, TOKENS.at[7:].set(0))[0]
    np.testing.assert_allclose(other[:7], whole[:7], rtol=1e-6)  # causal


def test_dropout_has_one_mask_for_all_steps():
    made = LanguageModel(9, (LSTM(50),), dropout=0.5)
    params = made.init(jax.random.key(0), TOKENS)
    same = jnp.zeros((4, 1), jnp.int32)
    drop = made.bind(params, rngs={"dropout": jax.random.key(1)})
    embedded = drop.locked(drop.embedding(same))
    assert 0 < (embedded == 0).mean() < 1
    np.testing.assert_array_equal(embedded[0], embedded[3])
    a, b = (made.apply(params, TOKENS, rngs={"dropout": jax.random.key(seed)})[0] for seed in (1, 2))
    assert not np.allclose(a, b)


def test_tied_weights_are_the_embeddings():
    made = LanguageModel(9, (LSTM(5),), embedding_size=5, tied=True)
    params = made.init(jax.random.key(0), TOKENS)
    assert sorted(params["params"]) == ["bias", "embedding", "recurrent"]
    with pytest.raises(ValueError, match="as many outputs of the last layer as embedding_size, 4; there are 5"):
        LanguageModel(9, (LSTM(5),), embedding_size=4, tied=True).init(jax.random.key(0), TOKENS)


def test_memory_is_that_of_each_layer(model):
    model, params = model
    layers = memory(model, params, TOKENS[:, 0])
    assert [layer.shape for layer in layers] == [(12, 6), (12, 5)]
    _, state = model.apply(params, TOKENS[:, 0])
    inner = jax.tree.leaves(jax.tree.map(lambda leaf: leaf, state))
    assert any(leaf.shape == (5,) and np.allclose(np.tanh(leaf), layers[1][-1], atol=1e-6) for leaf in inner)


@pytest.mark.parametrize("cell", [GRU(4), WeightDrop(Elman(4), 0.3)], ids=["gru", "weight-drop"])
def test_memory_of_cells_without_c_is_their_output(cell):
    model = LanguageModel(9, (cell,), 4)
    params = model.init(jax.random.key(0), TOKENS)
    (layer,) = memory(model, params, TOKENS[:, 0])
    _, state = model.apply(params, TOKENS[:, 0])
    np.testing.assert_allclose(layer[-1], jax.tree.leaves(state)[0], rtol=1e-6)


@given(st.integers(0, 10**6), st.integers(0, 9), st.floats(0.05, 1.0), st.floats(0.2, 3.0))
def test_what_is_left_out_is_by_definition(seed, top_k, top_p, temperature):
    logits = np.random.default_rng(seed).normal(size=8).astype(np.float32)
    found = np.asarray(filtered(jnp.asarray(logits), temperature=temperature, top_k=top_k, top_p=top_p))
    order = np.argsort(-logits)
    kept = order[: top_k or 8]
    chances = np.exp(logits[kept] / temperature - np.max(logits[kept] / temperature))
    chances /= chances.sum()
    before = np.cumsum(chances) - chances
    if np.abs(before - top_p).min() < 1e-4:
        return  # rounding decides
    expected = set(kept[before < top_p])
    assert set(np.flatnonzero(np.isfinite(found))) == expected and int(order[0]) in expected
    np.testing.assert_allclose(found[list(expected)], logits[list(expected)] / temperature, rtol=1e-5)


def test_generated_text():
    tokens = Characters.of("abcdefgh")
    made = LanguageModel(tokens.size, (LSTM(4),))
    params = made.init(jax.random.key(0), TOKENS)
    prompt = tokens.encode("abc")

    def text(**settings):
        return "".join(generate(made, params, tokens, prompt, length=30, **settings))

    assert text(seed=1) == text(seed=1) != text(seed=2)
    assert len(text()) == 30 and "\ufffd" not in text()
    # Near temperature 0 it is the likeliest token each time, of the model on all of the text before.
    ids = list(prompt)
    for _ in range(10):
        logits, _ = made.apply(params, jnp.asarray(ids)[:, None])
        ids.append(1 + int(jnp.argmax(logits[-1, 0, 1:])))
    assert text(top_k=1)[:10] == text(temperature=1e-4)[:10] == tokens.decode(ids[3:])
    assert len("".join(generate(made, params, tokens, prompt[:0], length=5))) == 5
    for wrong in ({"temperature": 0.0}, {"top_k": -1}, {"top_p": 0.0}):
        with pytest.raises(ValueError, match="temperature must be above 0"):
            text(**wrong)


def test_letters_of_several_tokens_come_whole():
    tokenizers = pytest.importorskip("tokenizers")
    assert tokenizers
    from lstm_jax.data.tokens import Subwords

    tokens = Subwords.of("aé漢" * 50, 257)
    made = LanguageModel(tokens.size, (LSTM(4),))
    params = made.init(jax.random.key(0), TOKENS)
    pieces = list(generate(made, params, tokens, tokens.encode("aé"), length=200, seed=3))
    ids = []
    for number, _ in enumerate(range(200)):
        ids.append(number)
    assert all(piece for piece in pieces) or len(pieces) <= 200
    assert "".join(pieces)


def test_each_token_costs_what_the_whole_text_read_at_once_says():
    model = LanguageModel(7, (LSTM(5),), embedding_size=4)
    text = np.random.default_rng(0).integers(0, 7, 40)
    params = model.init(jax.random.key(0), text[:1, None])
    scored = Scored.of(text, 10, 40, rows=1, window=13, warmup=9)  # from the first token on
    nats, likeliest = (np.asarray(one) for one in score_tokens(model, params, scored))
    logits, _ = model.apply(params, text[:-1, None])
    expected = -jax.nn.log_softmax(logits[:, 0])[np.arange(39), text[1:]]
    np.testing.assert_allclose(scored.in_order(nats), expected[9:], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(scored.in_order(likeliest), logits[9:, 0].argmax(axis=-1))
