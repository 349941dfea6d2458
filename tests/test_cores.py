"""Cores as devices, each case in a process of its own: JAX decides about its devices once."""

import os
import platform
import subprocess
import sys

import pytest

BEFORE = """
import os
import pytest
from lstm_jax import use_cpu_cores
"""
AFTER = """
import jax
import jax.numpy as jnp

def devices():
    return [device.platform for device in jax.devices("cpu")]

def computes():
    return float(jax.jit(lambda x: (x @ x).sum())(jnp.ones((8, 8)))) == 512
"""


def _run(code, flags=""):
    """What a fresh process prints that runs ``code``."""
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", BEFORE + code]
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_as_many_devices_as_asked_for_and_afterwards_it_is_too_late():
    other = "--xla_cpu_enable_fast_math=false"
    output = _run(
        AFTER
        + """
print(use_cpu_cores(3), devices(), computes(), os.environ["XLA_FLAGS"])
with pytest.raises(RuntimeError) as late:
    use_cpu_cores(2)
print(late.value, len(devices()))
""",
        flags=other,
    )
    first, second = output.splitlines()
    assert first == f"3 ['cpu', 'cpu', 'cpu'] True {other} --xla_cpu_multi_thread_eigen=false"
    assert second == (
        "use_cpu_cores(2) came too late: JAX has started. Call it before anything that makes an array or asks for "
        "devices. 3"
    )


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores are taken away by Linux")
@pytest.mark.parametrize("count", [1, 2])
def test_none_takes_the_cores_of_this_process(count):
    cores = sorted(os.sched_getaffinity(0))[:count]
    output = _run(f"os.sched_setaffinity(0, {cores})\n{AFTER}\nprint(use_cpu_cores(), len(devices()), computes())")
    assert output.split() == [str(len(cores))] * 2 + ["True"]


def test_what_is_refused_changes_nothing():
    output = _run(
        """
flag = "--xla_force_host_platform_device_count=2"
os.environ["XLA_FLAGS"] = flag
for n in (3, None):
    with pytest.raises(RuntimeError, match=r"use_cpu_cores\\(\\d+\\) was called, but XLA_FLAGS holds --xla_force_host_"
                                           r"platform_device_count: remove one of the two\\.$"):
        use_cpu_cores(n)
assert os.environ.pop("XLA_FLAGS") == flag
for n in (0, -1, 1.0, 2.5, "2", True):
    with pytest.raises(ValueError, match=f"the number of cores must be a whole number of at least 1, got {n!r}"):
        use_cpu_cores(n)
assert "XLA_FLAGS" not in os.environ
"""
        + AFTER
        + "print(len(devices()))"
    )
    assert output == "1\n"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another libc keeps memory in its own way")
def test_memory_that_is_free_again_stays_with_the_process():
    output = _run("""
import resource
import numpy as np

def faults(megabytes):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.empty(megabytes << 20, np.uint8)[::4096] = 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults(100)
before = faults(100)
use_cpu_cores()
faults(100)
print(before, faults(100))
""")
    before, after = map(int, output.split())
    assert after < before / 10
