"""lstm_jax with the batch shared out over the cores, as `lstm_jax.train.train` runs it."""

import jax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import lstm_jax
from benchmarks.cases import Case
from benchmarks.frameworks import Timed, lstm_jax_one

lstm_jax.use_cpu_cores()
MESH = jax.make_mesh((jax.device_count(),), ("batch",), axis_types=(AxisType.Auto,))
jax.set_mesh(MESH)


def build(case: Case) -> Timed:
    """Parameters on every device, rows shared out."""
    rows = jax.device_count() if case.shape[0] % jax.device_count() == 0 else 1
    spec = PartitionSpec(None, "batch") if rows > 1 else PartitionSpec()
    return lstm_jax_one.build(case, NamedSharding(MESH, PartitionSpec()), NamedSharding(MESH, spec))
