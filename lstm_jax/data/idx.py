"""IDX files, the format of MNIST: a magic number, the sizes of the dimensions, the numbers; all of it big-endian.

The magic number is two zero bytes, a byte for the type and a byte for the number of dimensions; each size is an
unsigned number of 32 bits.
"""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from lstm_jax.data.table import DataError, read_bytes

_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_GZIP = b"\x1f\x8b"


def read_idx(path: str | Path) -> np.ndarray:
    """Read an IDX file, compressed by gzip or not, whatever it is called.

    Returns:
        The numbers, in the shape that the file states, in the type that it states and the machine's byte order.

    Raises:
        DataError: the file cannot be read, is no IDX file, or is shorter or longer than it states.
    """
    path = Path(path)
    data = _bytes(path)
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _TYPES:
        shown = f"begins with {data[:4].hex(' ')}" if data else "is empty"
        raise DataError(f"{path} {shown} where an IDX file has its magic number, such as 00 00 08 03.")
    start = 4 + 4 * data[3]
    if len(data) < start:
        raise DataError(f"{path} ends within the sizes of its {data[3]} dimensions; it is cut off.")
    shape = tuple(np.frombuffer(data, ">u4", data[3], offset=4).tolist())
    dtype = np.dtype(_TYPES[data[2]])
    stated, there = math.prod(shape) * dtype.itemsize, len(data) - start
    if stated != there:
        sizes = " x ".join(map(str, shape)) or "one number"
        raise DataError(
            f"{path} states {sizes} of {dtype.itemsize} bytes each, {stated} bytes in all, but {there} follow; "
            f"{'it is cut off' if there < stated else 'it is damaged'}."
        )
    return np.frombuffer(data, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))


def _bytes(path: Path) -> bytes:
    """The file's bytes, uncompressed."""
    data = read_bytes(path, "an IDX file")
    if not data.startswith(_GZIP):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        raise DataError(f"{path} cannot be uncompressed: it is cut off or damaged.") from None
