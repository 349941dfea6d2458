"""The cores of a CPU as devices of JAX: the quickest way to train on all of them."""

import ctypes
import os
import platform

import jax

from lstm_jax.options import positive

_SINGLE_THREADED = "--xla_cpu_multi_thread_eigen=false"
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # of mallopt(3)
_KEPT_BYTES = 2**31 - 1  # the most that mallopt takes
_HOST_DEVICES = "--xla_force_host_platform_device_count"


def available_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def use_cpu_cores(n: int | None = None) -> int:
    """Make each of ``n`` CPU cores a device of its own with one thread; call it before anything computes with JAX.

    Splitting the batch over such devices is faster than splitting each small operation over the cores. `train` does so
    by itself; elsewhere it happens under a mesh with the axis "batch"::

        mesh = jax.make_mesh((jax.device_count(),), ("batch",), axis_types=(jax.sharding.AxisType.Auto,))
        with jax.set_mesh(mesh):
            gradients = jax.jit(jax.grad(loss))(params)  # every `unroll` in it shares out its rows

    On an accelerator it changes nothing but the host's own devices. With glibc, up to 2 GiB of freed memory are kept
    for the next call (mallopt): to get it from the system anew each time takes longer than to compute with it.

    Args:
        n: how many cores; None takes all that this process may use.

    Returns:
        How many cores it is.

    Raises:
        RuntimeError: JAX has started, or XLA_FLAGS already sets the number of devices.
        ValueError: ``n`` is no whole number of at least 1.
    """
    cores = available_cores() if n is None else positive("the number of cores", n)
    flags = os.environ.get("XLA_FLAGS", "")
    if _HOST_DEVICES in flags:
        raise RuntimeError(
            f"use_cpu_cores({cores}) was called, but XLA_FLAGS holds {_HOST_DEVICES}: remove one of the two."
        )
    try:
        jax.config.update("jax_num_cpu_devices", cores)
    except RuntimeError as error:
        raise RuntimeError(
            f"use_cpu_cores({cores}) came too late: JAX has started. Call it before anything that makes an array or "
            "asks for devices."
        ) from error
    if _SINGLE_THREADED not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_SINGLE_THREADED}".strip()
    _keep_freed_memory()
    return cores


def _keep_freed_memory() -> None:
    """What XLA allocates for a call, tens of megabytes, comes from memory that is there; each page fault costs."""
    if platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    # One arena, because those of threads cannot hold more than 64 MiB.
    for parameter, value in ((_M_ARENA_MAX, 1), (_M_MMAP_THRESHOLD, _KEPT_BYTES), (_M_TRIM_THRESHOLD, _KEPT_BYTES)):
        mallopt(parameter, value)
