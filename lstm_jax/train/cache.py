"""JAX's persistent compilation cache, on by default: a second process finds what the first one compiled."""

import functools
import hashlib
import os
import platform
from pathlib import Path
from typing import Any

import jax


def use_compilation_cache() -> Path | None:
    """Switch the cache on under the user's cache folder, unless JAX's own settings say otherwise.

    ``JAX_COMPILATION_CACHE_DIR`` names another folder, ``JAX_ENABLE_COMPILATION_CACHE=false`` switches it off. XLA's
    programs for a CPU use that CPU's instructions, so each kind of CPU has a folder of its own.

    Returns:
        The folder, or None where it is off.
    """
    settings: Any = jax.config  # whose options no type checker sees
    if not settings.jax_enable_compilation_cache:
        return None
    if settings.jax_compilation_cache_dir is not None:
        return Path(settings.jax_compilation_cache_dir)
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "lstm_jax" / f"jax-{jax.__version__}-{_cpu()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # a home that cannot be written: the run is whole without a cache
        return None
    from jax.experimental.compilation_cache import compilation_cache

    jax.config.update("jax_compilation_cache_dir", str(folder))
    # Also what compiles quickly: a run has dozens of small programs.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    compilation_cache.reset_cache()  # something may have been compiled before, without it
    return folder


@functools.cache
def _cpu() -> str:
    """Tells one kind of CPU from another by what it can do."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        kind = [line for line in lines if line.startswith(("model name", "flags", "Features"))][:2]
    except OSError:
        kind = [platform.processor()]
    return hashlib.sha256("".join([platform.machine(), *kind]).encode()).hexdigest()[:8]
