"""Trains the recurrent experiment on however many devices and processes it is told: a script for the tests.

python distributed.py WORKDIR DEVICES [PROCESSES INDEX PORT]
"""

import os
import sys

workdir, devices, *cluster = sys.argv[1:]
os.environ["XLA_FLAGS"] = " ".join(
    [
        f"--xla_force_host_platform_device_count={devices}",
        "--xla_cpu_multi_thread_eigen=false",
        "--xla_backend_optimization_level=0",
    ]
)

# JAX reads the flags when it is imported.
import jax  # noqa: E402

if cluster:
    processes, index, port = map(int, cluster)
    jax.distributed.initialize(f"localhost:{port}", processes, index)

from lstm_jax.train import train  # noqa: E402
from tests.train.recurrent import experiment  # noqa: E402

train(experiment(), workdir=workdir, quiet=True)
