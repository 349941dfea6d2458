"""JAX made to believe that it computes on an NVIDIA GPU."""

from functools import partial
from types import SimpleNamespace

import jax
import pytest
from jax.experimental import rnn

from lstm_jax.kernels import cudnn_limits
from simulated_cudnn import reference_backward, reference_forward


@pytest.fixture
def nvidia(monkeypatch):
    """JAX says that it computes on NVIDIA's GPUs, and runs on the CPU: cuDNN's primitives are traced alone."""
    jax.clear_caches()
    cudnn_limits._log_once.cache_clear()
    monkeypatch.setattr(cudnn_limits, "get_backend", lambda: SimpleNamespace(platform_version="PJRT C API\ncuda 12090"))
    sizes = "compute_rnn_workspace_reserve_space_sizes"
    monkeypatch.setattr(vars(rnn)["gpu_rnn"], sizes, lambda *_: (16, 64), raising=False)
    with jax.default_device(jax.devices("cpu")[0]):
        yield
    jax.clear_caches()
    cudnn_limits._log_once.cache_clear()


@pytest.fixture
def calls(nvidia, monkeypatch):
    """jax's reference in cuDNN's place, as ungenerous as cuDNN may be; the shapes of x in every call traced."""
    traced = []
    monkeypatch.setattr(rnn, "lstm_fwd", partial(reference_forward, traced))
    monkeypatch.setattr(rnn, "lstm_bwd", reference_backward)
    return traced
