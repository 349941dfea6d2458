"""Settings of the whole suite: four host devices, quick compilation, strict numerics where a test asks for them."""

import os
from importlib.metadata import version

# Before jax starts: hasty compilation, which takes a third of the time; the tests' arrays are tiny.
_flags = [
    "--xla_force_host_platform_device_count=4",
    "--xla_backend_optimization_level=0",
    "--xla_cpu_multi_thread_eigen=false",
]
if tuple(map(int, version("jaxlib").split(".")[:2])) < (0, 11):
    # An option that later versions lack, and refuse to start with.
    _flags.append("--xla_cpu_use_fusion_emitters=false")
os.environ["XLA_FLAGS"] = " ".join([os.environ.get("XLA_FLAGS", ""), *_flags])
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# The suite leaves nothing in the user's cache; the tests of the cache have one of their own.
os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"

from collections.abc import Iterator  # noqa: E402

import hypothesis  # noqa: E402
import jax  # noqa: E402
import pytest  # noqa: E402

hypothesis.settings.register_profile("suite", deadline=None, derandomize=True, max_examples=25)
hypothesis.settings.load_profile("suite")
# For scripts/mutate.py (--hypothesis-profile): whether a test fails, without the search for the smallest example.
once = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
hypothesis.settings.register_profile("unshrunk", hypothesis.settings.get_profile("suite"), phases=once)


@pytest.fixture
def float64() -> Iterator[None]:
    """64-bit arithmetic, and no silent promotion of ranks or dtypes."""
    with jax.enable_x64(True), jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"):
        yield


@pytest.fixture(autouse=True)
def _free_compiled_programs(request: pytest.FixtureRequest) -> None:
    """Drop compiled programs between modules and rows of the table: thousands exhaust a process's memory maps."""
    group = request.module.__name__, getattr(request.node, "callspec", None) and request.node.callspec.params.get("row")
    if _last_group and _last_group[-1] != group:
        jax.clear_caches()
    _last_group[:] = [group]


_last_group: list = []
