"""Reading IDX files: every type, compressed or not, and one sentence for each way in which a file can be wrong."""

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from lstm_jax import data

CODES = {
    "uint8": (8, "B"),
    "int8": (9, "b"),
    "int16": (11, "h"),
    "int32": (12, "i"),
    "float32": (13, "f"),
    "float64": (14, "d"),
}


def encoded(numbers, shape, dtype):
    """An IDX file, a number at a time."""
    code, letter = CODES[dtype]
    head = bytes([0, 0, code, len(shape)]) + b"".join(struct.pack(">I", size) for size in shape)
    return head + b"".join(struct.pack(f">{letter}", number) for number in numbers)


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("dtype", CODES)
def test_every_type_is_read_in_its_shape_and_order(tmp_path, dtype, compress):
    numbers = [0, 1, 2, 100, 5, 127] if dtype == "uint8" else [0, -1, 2, -100, 5, 127]
    content = encoded(numbers, (2, 3, 1), dtype)
    path = tmp_path / "some-file"  # the name says nothing of the compression
    path.write_bytes(gzip.compress(content, mtime=0) if compress else content)
    found = data.read_idx(path)
    assert found.dtype == np.dtype(dtype) and found.dtype.isnative and found.shape == (2, 3, 1)
    assert found.ravel().tolist() == numbers
    np.testing.assert_array_equal(data.read_idx(str(path)), found)


def test_numbers_of_several_bytes_are_big_endian(tmp_path):
    (tmp_path / "x").write_bytes(b"\0\0\x0b\x01\0\0\0\x02\x01\x02\xff\xfe")
    assert data.read_idx(tmp_path / "x").tolist() == [258, -2]


GOOD = encoded(range(6), (2, 3), "uint8")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty where an IDX file has its magic number, such as 00 00 08 03."),
        (b"\x89PNG\r\n", "begins with 89 50 4e 47 where an IDX file has its magic number, such as 00 00 08 03."),
        (b"\0\1" + GOOD[2:], "begins with 00 01 08 02 where an IDX file has its magic number, such as 00 00 08 03."),
        (
            b"\0\0\x0a" + GOOD[3:],
            "begins with 00 00 0a 02 where an IDX file has its magic number, such as 00 00 08 03.",
        ),
        (GOOD[:3], "begins with 00 00 08 where an IDX file has its magic number, such as 00 00 08 03."),
        (GOOD[:11], "ends within the sizes of its 2 dimensions; it is cut off."),
        (GOOD[:-1], "states 2 x 3 of 1 bytes each, 6 bytes in all, but 5 follow; it is cut off."),
        (GOOD + b"\0", "states 2 x 3 of 1 bytes each, 6 bytes in all, but 7 follow; it is damaged."),
        (
            encoded([1, 2], (4,), "float64"),
            "states 4 of 8 bytes each, 32 bytes in all, but 16 follow; it is cut off.",
        ),
        (
            # Sizes whose product is beyond 64 bits.
            b"\0\0\x0e\x03" + b"\xff" * 12,
            f"{(2**32 - 1) ** 3 * 8} bytes in all, but 0 follow; it is cut off.",
        ),
        (gzip.compress(GOOD, mtime=0)[:-9], "cannot be uncompressed: it is cut off or damaged."),
        (gzip.compress(GOOD, mtime=0)[:10] + b"\xff" * 9, "cannot be uncompressed: it is cut off or damaged."),
        (b"\x1f\x8b\x07" + bytes(20), "cannot be uncompressed: it is cut off or damaged."),
    ],
)
def test_a_wrong_file_is_refused_with_one_sentence_that_names_it(tmp_path, content, sentence):
    path = tmp_path / "images"
    path.write_bytes(content)
    with pytest.raises(data.DataError) as error:
        data.read_idx(path)
    assert str(error.value).startswith(f"{path} ") and str(error.value).endswith(sentence)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(data.DataError, match=r"gone does not exist; check the path of the IDX file"):
        data.read_idx(tmp_path / "gone")
    with pytest.raises(data.DataError, match=r"is a folder; give the path of an IDX file"):
        data.read_idx(tmp_path)


@pytest.mark.skipif("LSTM_JAX_DATA" not in os.environ, reason="LSTM_JAX_DATA names no folder of public data sets")
def test_the_test_files_of_mnist():
    folder = Path(os.environ["LSTM_JAX_DATA"]) / "image_mnist"
    images, labels = (data.read_idx(folder / f"t10k-{kind}-ubyte.gz") for kind in ("images-idx3", "labels-idx1"))
    assert (images.shape, images.dtype, labels.shape, labels.dtype) == ((10_000, 28, 28), np.uint8, (10_000,), np.uint8)
    assert labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert np.bincount(labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert images.mean() == pytest.approx(33.79, abs=0.01)
    # A 1 is a narrow upright stroke, where a row of the file is a row of the picture.
    ones = images[labels == 1].mean(axis=0)
    assert ones[:, 14].sum() > 5 * ones[14].sum() / 2
