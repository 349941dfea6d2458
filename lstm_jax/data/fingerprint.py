"""What data a run was made with, so that it is not resumed with other data."""

import hashlib

import numpy as np


def fingerprint(*parts: np.ndarray | str) -> str:
    """16 hexadecimal digits (of SHA-256) that tell apart arrays, by type, shape and values, and texts."""
    hashed = hashlib.sha256()
    for part in parts:
        # One character a column would take four bytes: a text is hashed as it is written to a file.
        array = np.frombuffer(part.encode(), np.uint8) if isinstance(part, str) else part
        hashed.update(f"{type(part).__name__} {array.dtype.str} {array.shape}:".encode())
        hashed.update(np.ascontiguousarray(array).tobytes())
    return hashed.hexdigest()[:16]
