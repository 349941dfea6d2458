"""Cells as programs that run without this package: `jax.export`, with the parameters inside.

Source: https://docs.jax.dev/en/latest/export/export.html. What a function here returns is written to a file and read
back by JAX alone (``serialize`` needs ``pip install 'lstm-jax[convert]'``)::

    path.write_bytes(export_unroll(cell, params, input_size).serialize())
    program = jax.export.deserialize(path.read_bytes())
    outputs, state = program.call(xs, lengths, state)

States are flat dicts with dotted names: ``{"h": ..., "c": ...}`` of an LSTM, ``{"0.h": ..., ...}`` of a `Stack`. The
number of rows is open, and that of steps, too. An older JAX may refuse what a newer one has written.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import export

from lstm_jax.cell import Array, Cell, Params
from lstm_jax.cells.conv_lstm import ConvLSTM
from lstm_jax.convert.entries import brief, check_params, named, require_cell
from lstm_jax.driver import step, unroll
from lstm_jax.options import one_of, positive
from lstm_jax.wrappers import Bidirectional, Stack
from lstm_jax.wrappers.wrapper import Wrapper

Platforms = Sequence[str] | None
PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


def export_unroll(
    cell: Cell,
    params: Params,
    input_size: int | tuple[int, ...],
    *,
    steps: int | None = None,
    platforms: Platforms = None,
) -> export.Exported:
    """``(xs [T, B, D], lengths [B], state) -> (outputs [T, B, features], state)``, in evaluation.

    Args:
      cell: any cell or composite.
      params: its parameters, which become constants of the program.
      input_size: D; for a cell on images the shape of one, ``(*space, D)``.
      steps: T, if it is to be fixed; else it is open, and at least 1.
      platforms: what it can run on, such as ``("cpu", "cuda")``; None: what this process runs on.

    Raises:
      ValueError: the parameters are not the cell's for this input size, or an argument is none of the above.
    """
    require_cell(cell)
    if steps is not None:
        positive("steps", steps)

    def program(xs: Array, lengths: Array, state: dict[str, Array]) -> tuple[Any, dict[str, Array]]:
        like = cell.initial_state(params, (xs.shape[1],))
        # The plain scan: the others size their chunks by T and B, which are open.
        ys, last = unroll(
            cell, params, xs, _nested(like, state), lengths=lengths, chunk=1, vjp="autodiff", backend="scan"
        )
        return ys, named(last)

    t, b = export.symbolic_shape(f"{'t' if steps is None else steps}, b", constraints=("t >= 1",) * (steps is None))
    xs, state = _inputs(cell, params, input_size, b)
    over_time = jax.ShapeDtypeStruct((t, *xs.shape), xs.dtype)
    return _export(program, (over_time, jax.ShapeDtypeStruct((b,), jnp.int32), state), platforms)


def export_step(
    cell: Cell, params: Params, input_size: int | tuple[int, ...], *, platforms: Platforms = None
) -> export.Exported:
    """``(x [B, D], state) -> (output [B, features], state)``: one step of a stream; arguments as in `export_unroll`."""

    def program(x: Array, state: dict[str, Array]) -> tuple[Any, dict[str, Array]]:
        like = cell.initial_state(params, (x.shape[0],))
        y, last = step(cell, params, x, _nested(like, state))
        return y, named(last)

    return _export(program, _inputs(cell, params, input_size, export.symbolic_shape("b")[0]), platforms)


def export_initial_state(
    cell: Cell, params: Params, input_size: int | tuple[int, ...], *, platforms: Platforms = None
) -> export.Exported:
    """``(x [B, D]) -> state``: the state before the first step, of which ``x`` gives only the number of rows."""

    def program(x: Array) -> dict[str, Array]:
        return named(cell.initial_state(params, (x.shape[0],)))

    return _export(program, _inputs(cell, params, input_size, export.symbolic_shape("b")[0])[:1], platforms)


def _inputs(
    cell: Cell, params: Params, input_size: int | tuple[int, ...], rows: Any
) -> tuple[jax.ShapeDtypeStruct, dict[str, Any]]:
    """The shapes of one step's inputs and of the state."""
    require_cell(cell)
    one = input_size if isinstance(input_size, tuple) else (input_size,)
    if len(one) != cell.feature_axes:
        raise ValueError(
            f"input_size must be {cell.feature_axes} numbers, the shape of one row of inputs, got {one}, "
            f"for {brief(cell)}."
        )
    space = _space(cell)
    if one[:-1] != space:
        raise ValueError(f"input_size must begin with the cell's space {space}, got {one}, for {brief(cell)}.")
    check_params(cell, params, one[-1])
    x = jax.ShapeDtypeStruct((rows, *one), cell.compute_dtype(params))
    return x, named(jax.eval_shape(lambda: cell.initial_state(params, (rows,))))


def _space(cell: Any) -> tuple[int, ...]:
    """The size of the images that the cell takes; empty where it takes none."""
    while not isinstance(cell, ConvLSTM):
        if isinstance(cell, Stack):
            cell = cell.cells[0]
        elif isinstance(cell, Bidirectional):
            cell = cell.forward
        elif isinstance(cell, Wrapper):
            cell = cell.cell
        else:
            return ()
    return cell.space


def _nested(like: Any, state: dict[str, Array]) -> Any:
    return jax.tree.unflatten(jax.tree.structure(like), [state[name] for name in named(like)])


def _export(program: Callable, arguments: tuple, platforms: Platforms) -> export.Exported:
    if isinstance(platforms, str):
        known = ", ".join(map(repr, PLATFORMS))
        raise ValueError(f"platforms must be a tuple of some of {known}, such as ('cpu',), got {platforms!r}.")
    for platform in platforms or ():
        one_of("platforms", platform, PLATFORMS)
    return export.export(jax.jit(program), platforms=platforms)(*arguments)
