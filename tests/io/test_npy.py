import io

import numpy as np
import pytest

from genmem.io.npy import read_npy_header


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_a_header_says_shape_order_and_type_and_the_bytes_follow(version):
    array = np.asfortranarray(np.arange(6, dtype=np.uint8).reshape(2, 3))
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=version)
    file.seek(0)
    header = read_npy_header(file)
    assert header == ((2, 3), True, np.dtype(np.uint8))
    assert file.read() == array.tobytes(order="F")


HOSTILE = b"{'descr': '<c8', (\x87\n"
"""A header that Python's tokenizer refuses with an error of its own."""


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        b"\x93NUMPY\x09\x00",
        b"\x93NUMPY\x01\x00",
        b"\x93NUMPY\x01\x00" + len(HOSTILE).to_bytes(2, "little") + HOSTILE,
        b"\x93NUMPY\x01\x00\x40\x00" + b"(" * 64,
    ],
)
def test_other_bytes_are_a_value_error(content):
    with pytest.raises(ValueError, match=r"."):
        read_npy_header(io.BytesIO(content))
