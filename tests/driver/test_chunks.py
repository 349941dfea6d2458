"""The automatic chunk length."""

import jax.numpy as jnp
import pytest

from harness import assert_equal
from lstm_jax.driver.pieces import CACHE_BYTES, auto_chunk, cut, paste


def test_a_chunk_fills_the_cache_on_a_cpu():
    step_bytes = 4 * 64 * 512
    chunk = auto_chunk(1000, step_bytes, weight_bytes=0, remat=False, platform="cpu")
    assert chunk * step_bytes <= CACHE_BYTES < (chunk + 1) * step_bytes


def test_a_chunk_is_not_dearer_in_weights_than_in_steps():
    weights = 10 * CACHE_BYTES
    assert auto_chunk(20_000, 1000, weights, remat=False, platform="cpu") * 1000 >= weights - 1000


@pytest.mark.parametrize("platform", ["cpu", "gpu"])
@pytest.mark.parametrize("steps", [0, 1, 3, 100, 16_384])
@pytest.mark.parametrize("remat", [False, True])
def test_a_chunk_is_at_least_one_step_and_at_most_all(platform, steps, remat):
    for step_bytes in (0, 1, 10**12):
        assert 1 <= auto_chunk(steps, step_bytes, 10**7, remat, platform) <= max(1, steps)


def test_remat_keeps_few_boundaries_and_short_chunks():
    assert 64 <= auto_chunk(16_384, 1, 0, remat=True, platform="cpu") <= 512


@pytest.mark.parametrize("steps, chunk", [(9, 3), (9, 4), (9, 9), (9, 20), (1, 1), (0, 1)])
def test_cutting_and_pasting_is_the_identity(steps, chunk):
    x = {"a": jnp.arange(steps * 2).reshape(steps, 2)}
    assert_equal(paste(cut(x, steps, chunk)), x, rtol=0, atol=0)
