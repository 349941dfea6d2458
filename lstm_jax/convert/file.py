"""Parameters in one safetensors file: no code in it, and readable without this package.

Source: the safetensors format, https://github.com/huggingface/safetensors. Each leaf is an entry under its dotted name,
such as ``layers.0.w_x``, in its own dtype.
"""

import importlib
import os
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax.cell import Cell, Params
from lstm_jax.convert.entries import brief, check_entries, named, require_cell, shapes_of

# Names of the format.
DTYPES = {
    "BOOL": "bool", "U8": "uint8", "U16": "uint16", "U32": "uint32", "U64": "uint64",
    "I8": "int8", "I16": "int16", "I32": "int32", "I64": "int64",
    "F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64", "C64": "complex64",
}  # fmt: skip
ARRAYS: Any = (np.ndarray, np.generic, jax.Array, int, float, complex)


def save_params(params: Params, path: str | Path) -> None:
    """Write the leaves of any pytree of arrays to ``path``, which then holds all of them or what it held before.

    Raises:
      ValueError: a leaf is no array of numbers, such as a key of `jax.random.key`, or there is none.
      FileNotFoundError: the folder of ``path`` does not exist.
    """
    save_file = _safetensors("safetensors.numpy").save_file
    arrays = {}
    for name, leaf in named(params).items():
        if not isinstance(leaf, ARRAYS):
            raise ValueError(f"{name} is no array, but {type(leaf).__name__}: pass parameters, and then the path.")
        # The leaf's own: JAX would say complex64 of a complex128.
        dtype = leaf.dtype if hasattr(leaf, "dtype") else jnp.result_type(leaf)
        if dtype not in [jnp.dtype(known) for known in DTYPES.values()]:
            raise ValueError(f"{name} has dtype {dtype}, which safetensors cannot hold.")
        # Contiguous: a transposed view would be written as if it were not transposed.
        arrays[name] = np.array(leaf, dtype, order="C")
    if not arrays:
        raise ValueError(f"params hold no arrays, so there is nothing to save: got {params!r}.")
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent}: make it, then save {path.name} in it.")
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
    try:
        save_file(arrays, unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def load_params(cell: Cell, path: str | Path, input_size: int) -> Params:
    """The parameters of ``cell`` for inputs of ``input_size`` features, in the dtypes of the file.

    Raises:
      ValueError: an entry is missing, not expected or of another shape than ``cell.init`` makes, it holds no
        floating-point numbers where the parameter does, or it has 64 bits while JAX has 32; or the file is no
        safetensors file.
    """
    require_cell(cell)
    safetensors = _safetensors("safetensors")
    try:
        entries = dict(safetensors.deserialize(Path(path).read_bytes()))
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is no whole safetensors file ({error}): pass one that save_params wrote.") from error
    arrays = {name: _array(str(path), name, entry) for name, entry in entries.items()}
    like = shapes_of(cell, input_size)
    check_entries(str(path), cell, arrays, named(like))
    for name, wanted in named(like).items():
        if jnp.issubdtype(wanted.dtype, jnp.floating) and not jnp.issubdtype(arrays[name].dtype, jnp.floating):
            raise ValueError(
                f"{path} has {name} of dtype {arrays[name].dtype} where {wanted.dtype} is needed, for {brief(cell)}."
            )
    return jax.tree.unflatten(jax.tree.structure(like), [jnp.asarray(arrays[name]) for name in named(like)])


def _array(path: str, name: str, entry: dict[str, Any]) -> np.ndarray:
    if entry["dtype"] not in DTYPES:
        raise ValueError(f"{path} has {name} in dtype {entry['dtype']}, which is not one of {', '.join(DTYPES)}.")
    dtype = jnp.dtype(DTYPES[entry["dtype"]])
    if jax.dtypes.canonicalize_dtype(dtype) != dtype:
        raise ValueError(
            f"{path} has {name} in {dtype}, but JAX is set to 32 bits: jax.config.update('jax_enable_x64', True)."
        )
    return np.frombuffer(entry["data"], dtype).reshape(entry["shape"])


def _safetensors(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ImportError("Parameter files need safetensors: pip install 'lstm-jax[convert]'.") from None
