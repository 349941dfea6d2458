"""An answer at every step: what it is made of, and what padding does to it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax import GRU, LSTM, Bidirectional, Stack, unroll
from lstm_jax.models import SequenceTagger

XS = jax.random.normal(jax.random.key(1), (7, 4, 3))


@pytest.mark.parametrize("cells", [(LSTM(5),), (Bidirectional(LSTM(3), GRU(4)), LSTM(5))])
def test_is_a_dense_layer_on_the_outputs(cells):
    model = SequenceTagger(cells=cells, outputs=6)
    variables = model.init(jax.random.key(0), XS)
    answers = model.apply(variables, XS)
    params = variables["params"]
    ys, _ = unroll(cells[0] if len(cells) == 1 else Stack(cells), params["Recurrent_0"]["cell"], XS)
    dense = params["Dense_0"]
    expected = np.einsum("tbh,ho->tbo", ys, dense["kernel"]) + dense["bias"]
    np.testing.assert_allclose(answers, expected, rtol=1e-5, atol=1e-6)
    assert answers.shape == (7, 4, 6)


def test_padding_changes_no_answer():
    model = SequenceTagger(cells=(Bidirectional(LSTM(3), LSTM(3)),), outputs=2)
    variables = model.init(jax.random.key(0), XS)
    lengths = jnp.array([7, 3, 1, 0])
    broken = jnp.where(jnp.arange(7)[:, None, None] < lengths[:, None], XS, jnp.nan)
    answers = model.apply(variables, broken, lengths=lengths)
    for row, length in enumerate(lengths[:3]):
        alone = model.apply(variables, XS[:length, row])
        np.testing.assert_allclose(answers[:length, row], alone, rtol=1e-5, atol=1e-6)


def test_refused():
    with pytest.raises(ValueError, match="SequenceTagger needs at least one cell"):
        SequenceTagger(cells=()).init(jax.random.key(0), XS)
    with pytest.raises(ValueError, match="outputs must be a whole number of at least 1, got 0"):
        SequenceTagger(outputs=0).init(jax.random.key(0), XS)
