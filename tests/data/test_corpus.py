"""A text in its parts: where they begin, whose vocabulary counts, what is refused."""

import numpy as np
import pytest

from lstm_jax.data import DataError
from lstm_jax.data.corpus import Corpus

TEXT = "abc " * 20 + "xyz " * 5  # 100 characters, the last 20 of other letters


@pytest.mark.parametrize("kind", ["characters", "words"])
def test_the_parts_are_the_text_in_the_training_part_s_vocabulary(kind):
    corpus = Corpus.of(TEXT, kind, 50, validation=0.1, test=0.2)
    assert 0 < corpus.training == corpus.validation < corpus.test < len(corpus.ids)
    assert corpus.characters == 20
    texts = TEXT[:70], TEXT[70:80], TEXT[80:]
    ids = [corpus.tokens.encode(text) for text in texts]
    np.testing.assert_array_equal(corpus.ids, np.concatenate(ids))
    assert (corpus.validation, corpus.test) == (len(ids[0]), len(ids[0]) + len(ids[1]))
    assert corpus.tokens.decode(corpus.ids[: corpus.training]).split()[0] == "abc"
    assert (corpus.ids[corpus.test :] == 0).any() and not (corpus.ids[: corpus.training] == 0).any()


def test_without_validation_all_before_the_test_trains():
    corpus = Corpus.of(TEXT, "characters", 50, validation=0.0, test=0.2)
    assert (corpus.training, corpus.validation, corpus.test) == (80, 75, 80)
    np.testing.assert_array_equal(corpus.tokens.encode(TEXT), corpus.ids)


def test_what_means_nothing_is_refused():
    with pytest.raises(DataError, match=r"a\.txt has 4 characters, too few to train on, validate and test"):
        Corpus.of("abcd", "characters", 50, validation=0.1, test=0.2, name="a.txt")
    with pytest.raises(ValueError, match=r"below 0\.8, for the last 20% test; got 0\.9"):
        Corpus.of(TEXT, "characters", 50, validation=0.9, test=0.2)
    with pytest.raises(ValueError, match="tokens='letters' is not known"):
        Corpus.of(TEXT, "letters", 50, validation=0.1, test=0.2)
