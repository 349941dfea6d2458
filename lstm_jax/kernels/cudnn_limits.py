"""What cuDNN's LSTM cannot run, and how that is told: a refusal where it was asked for, else one line in the log."""

import logging
from functools import lru_cache

import jax
import jax.numpy as jnp
from jax.extend.backend import get_backend
from jax.sharding import AxisType

from lstm_jax.cell import Array, Cell, Params
from lstm_jax.cells import LSTM

_PRECISION = "jax_default_matmul_precision"
_PRECISIONS = {
    # As everywhere in JAX on these devices, TF32 is the default.
    None: jax.lax.Precision.HIGH,
    "high": jax.lax.Precision.HIGH,
    "tensorfloat32": jax.lax.Precision.HIGH,
    "highest": jax.lax.Precision.HIGHEST,
    "float32": jax.lax.Precision.HIGHEST,
}
"""What that setting may be: cuDNN's LSTM either may use TF32, or may not."""


def can_run(cell: Cell, params: Params, xs: Array, *, required: bool, **asked: bool) -> bool:
    """Whether cuDNN can run this call of `unroll`.

    Where it cannot, that is refused by ValueError if it is ``required``, and logged where an LSTM on a GPU must do
    without it. ``asked``: whether the call has a ``mask``, has ``resets``, has ``collect``, has ``remat``, and
    differentiates by ``vjp="autodiff"`` (``autodiff``).
    """
    why = _refusal(cell, params, xs, **asked)
    if why is not None and (required or (isinstance(cell, LSTM) and _on_nvidia())):
        give_way(why, required=required)
    return why is None


def _on_nvidia() -> bool:
    """Whether JAX computes on NVIDIA's GPUs, unless told otherwise."""
    return "cuda" in get_backend().platform_version


def _refusal(
    cell: Cell, params: Params, xs: Array, *, mask: bool, resets: bool, collect: bool, remat: bool, autodiff: bool
) -> str | None:
    """Why cuDNN cannot run this call, to follow a "because"; None where it can."""
    if not _on_nvidia():
        return f"it needs an NVIDIA GPU and JAX computes on {jax.default_backend()!r} here"
    if type(cell) is not LSTM:
        return f"it knows LSTM alone and this is {type(cell).__name__}"
    dtype, precision = cell.compute_dtype(params), _matmul_precision()
    axes = jax.sharding.get_abstract_mesh().axis_types
    reasons = {
        f"its activations are tanh and sigmoid, not {cell.activation} and {cell.gate_activation}": (
            (cell.activation, cell.gate_activation) != ("tanh", "sigmoid")
        ),
        f"it computes in float32, not in {dtype}": dtype != jnp.float32,
        f"it has no {_PRECISION}={precision!r}": precision not in _PRECISIONS,
        f"xs of shape {list(xs.shape)} are empty": xs.size == 0,
        "it knows lengths but no mask": mask,
        "it knows no resets": resets,
        "it does not give out inner values for collect": collect,
        "it cannot forget what it keeps for the backward pass as remat=True asks": remat,
        'it cannot be differentiated by JAX itself as vjp="autodiff" asks': autodiff,
        "it cannot be laid out over a mesh with explicit axes": AxisType.Explicit in axes,
    }
    return next((why for why, holds in reasons.items() if holds), None)


def precision_of_products() -> jax.lax.Precision:
    """How exact cuDNN's products are to be, by the setting of JAX in force here."""
    return _PRECISIONS[_matmul_precision()]


def _matmul_precision() -> str | None:
    return getattr(jax.config, _PRECISION)


def give_way(why: str, *, required: bool) -> None:
    """Refuse a call for which cuDNN is ``required``; for another, log once for each reason that a scan runs it."""
    if required:
        raise ValueError(
            f'backend="cudnn" cannot run this call, because {why}: with backend="auto" a scan runs what cuDNN cannot.'
        )
    _log_once(why)


@lru_cache(maxsize=256)
def _log_once(why: str) -> None:
    logging.getLogger("lstm_jax").info("An LSTM runs as a scan, not on cuDNN, because %s.", why)
