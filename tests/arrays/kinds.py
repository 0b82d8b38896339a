"""Kinds of arrays: rows and images as every kind of object, and what may not be taken."""

import warnings

import ml_dtypes
import numpy as np
import pyarrow
import scipy.sparse
import torch

from genmem.errors import InputError, UsageError

N, D = 40, 6


class Converts:
    """An object that offers its values by `__array__` only, as JAX arrays and data frames do."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return self.values


class Exchanges:
    """An object that offers its values by DLPack only, as arrays on other devices do."""

    def __init__(self, values):
        self.values = torch.from_numpy(np.array(values))

    def __dlpack__(self, **options):
        return self.values.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.values.__dlpack_device__()


class Fails:
    """An object whose conversion fails, as a CUDA array's does in NumPy."""

    def __array__(self, dtype=None, copy=None):
        raise TypeError("implicit conversion is not allowed")


def memory_map(values, folder):
    np.save(folder / "rows.npy", values)
    return np.load(folder / "rows.npy", mmap_mode="r")


def read_only(values):
    copy = values.copy()
    copy.flags.writeable = False
    return copy


def nested(values):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that nested tensors are a prototype
        return torch.nested.nested_tensor([torch.from_numpy(row) for row in values])


def quantized(values):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that quantized tensors will go
        return torch.quantize_per_tensor(torch.from_numpy(values), 0.1, 0, torch.qint8)


def sparse_csr(values):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that they are in beta
        return torch.from_numpy(values).to_sparse_csr()


def with_mask(values):
    mask = np.zeros(values.shape, bool)
    mask[2] = True
    return np.ma.masked_array(values, mask)


def structured(values):
    return np.zeros(len(values), dtype=[("a", "f4"), ("b", "f4")])


def negative_view(values):
    """A real tensor that torch stores as the negative of another."""
    return torch.complex(torch.zeros(values.shape), torch.from_numpy(-values)).conj().imag


USABLE = {
    "float64": lambda v, _: v.astype(np.float64),
    "long double": lambda v, _: v.astype(np.longdouble),
    "big-endian": lambda v, _: v.astype(">f4"),
    "big-endian float64": lambda v, _: v.astype(">f8"),
    "Fortran order": lambda v, _: np.asfortranarray(v),
    "not contiguous": lambda v, _: np.repeat(v, 2, axis=1)[:, ::2],
    "backwards": lambda v, _: v[::-1].copy()[::-1],
    "read-only": lambda v, _: read_only(v),
    "memory map": memory_map,
    "matrix": lambda v, _: v.view(np.matrix),
    "nothing masked": lambda v, _: np.ma.masked_array(v),
    "object with __array__": lambda v, _: Converts(v),
    "object with a matrix": lambda v, _: Converts(v.view(np.matrix)),
    "object with DLPack": lambda v, _: Exchanges(v),
    "Arrow table": lambda v, _: pyarrow.table({str(i): c for i, c in enumerate(v.T)}),
    "tensor": lambda v, _: torch.from_numpy(v.copy()),
    "tensor that requires gradients": lambda v, _: torch.from_numpy(v.copy()).requires_grad_(),
    "parameter": lambda v, _: torch.nn.Parameter(torch.from_numpy(v.copy())),
    "tensor that is not contiguous": lambda v, _: torch.from_numpy(v.T.copy()).T,
    "tensor stored as a negative": lambda v, _: negative_view(v),
}
"""By kind: values float32 [n, d] and a folder → the same values as that kind of object."""

SHORT = {
    "float16": lambda v: v.astype(np.float16),
    "bfloat16 array": lambda v: v.astype(ml_dtypes.bfloat16),
    "float16 tensor": lambda v: torch.from_numpy(v).half(),
    "bfloat16 tensor": lambda v: torch.from_numpy(v).bfloat16(),
}
"""Kinds with fewer digits; the values in them are exact in both."""

REFUSED = {
    "masked": (lambda v: with_mask(v), "masked"),
    "object with masked values": (lambda v: Converts(with_mask(v)), "masked"),
    "SciPy sparse": (scipy.sparse.csr_array, "toarray"),
    "sparse tensor": (lambda v: torch.from_numpy(v).to_sparse(), "to_dense"),
    "sparse CSR tensor": (sparse_csr, "to_dense"),
    "meta tensor": (lambda v: torch.from_numpy(v).to("meta"), "holds no values"),
    "quantized tensor": (quantized, "dequantize"),
    "nested tensor": (nested, "nested"),
    "failing object": (lambda v: Fails(), "implicit conversion is not allowed"),
    "one row": (lambda v: v[0], "expected"),
    "a number": (lambda v: v[0, 0], "expected"),
    "object dtype": (lambda v: v.astype(object), "object"),
    "text": (lambda v: v.astype(str), "<U"),
    "complex": (lambda v: v.astype(np.complex64), "complex64"),
    "complex tensor": (lambda v: torch.from_numpy(v).to(torch.complex64), "complex64"),
    "bool": (lambda v: v > 0, "bool"),
    "whole numbers": (lambda v: np.round(v * 9).astype(np.int64), r"int64.*astype\('float32'\)"),
    "uint8": (lambda v: np.abs(v * 9).astype(np.uint8), "uint8"),
    "whole-number tensor": (lambda v: torch.from_numpy(v * 9).int(), "int32"),
    "structured": (structured, "expected"),
    "no rows": (lambda v: v[:0], "expected|empty"),
    "no columns": (lambda v: v[:, :0], "expected|empty"),
    "NaN": (lambda v: np.where(v == v[3, 0], np.nan, v), "row 3"),
    "infinity": (lambda v: np.where(v == v[3, 0], np.float32(np.inf), v), "row 3"),
    "NaN tensor": (lambda v: torch.from_numpy(np.where(v == v[3, 0], np.nan, v)), "row 3"),
}
"""By kind: values → an object that no function may take, and what the message says."""


def refusal(function, *arguments, **keywords):
    """The message with which a call is refused; "" where it is not. Other errors are raised."""
    try:
        function(*arguments, **keywords)
    except (InputError, UsageError) as error:
        return str(error)
    return ""


def values(seed, rows=N):
    """Rows that bfloat16 and float16 hold exactly, none of them 0."""
    random = np.random.default_rng(seed)
    return (random.integers(1, 120, (rows, D)) / 16 * random.choice([-1, 1], (rows, D))).astype(
        "f4"
    )


G, T, H = values(0), values(1), values(2)
"""Generated, train and held-out rows."""


def pixels(seed, rows=12):
    return np.random.default_rng(seed).integers(0, 256, (rows, 8, 10, 3), dtype=np.uint8)


USABLE_IMAGES = {
    "not contiguous": lambda p, _: np.repeat(p, 2, axis=2)[:, :, ::2],
    "Fortran order": lambda p, _: np.asfortranarray(p),
    "read-only": lambda p, _: read_only(p),
    "memory map": memory_map,
    "nothing masked": lambda p, _: np.ma.masked_array(p),
    "object with __array__": lambda p, _: Converts(p),
    "object with DLPack": lambda p, _: Exchanges(p),
    "tensor": lambda p, _: torch.from_numpy(p.copy()),
    "tensor, channels first": lambda p, _: torch.from_numpy(p.transpose(0, 3, 1, 2).copy()),
    "array, channels first": lambda p, _: p.transpose(0, 3, 1, 2),
    "tensor, channels first, a view": lambda p, _: torch.from_numpy(p.copy()).permute(0, 3, 1, 2),
}

REFUSED_IMAGES = {
    "masked": (with_mask, "masked"),
    "meta tensor": (lambda p: torch.from_numpy(p).to("meta"), "holds no values"),
    "sparse tensor": (lambda p: torch.from_numpy(p).to_sparse(), "to_dense"),
    "float32": (lambda p: p.astype(np.float32) / 255, "float32"),
    "float16": (lambda p: p.astype(np.float16) / 255, "float16"),
    "float16 tensor": (lambda p: torch.from_numpy(p).half() / 255, "float16"),
    "bfloat16 tensor": (lambda p: torch.from_numpy(p).bfloat16() / 255, "bfloat16"),
    "int64": (lambda p: p.astype(np.int64), "int64"),
    "bool": (lambda p: p > 127, "bool"),
    "complex": (lambda p: p.astype(np.complex64), "complex64"),
    "object dtype": (lambda p: p.astype(object), "object"),
    "one image": (lambda p: p[0], "single image"),
    "one image, channels first": (lambda p: p[0].transpose(2, 0, 1), "single image"),
    "one tensor, channels first": (
        lambda p: torch.from_numpy(p[0].transpose(2, 0, 1).copy()),
        "single image",
    ),
    "two dimensions": (lambda p: p.reshape(len(p), -1), "uint8"),
    "videos": (lambda p: p[None], "expected"),
    "no images": (lambda p: p[:0], "expected"),
    "five channels": (lambda p: np.concatenate([p, p[..., :2]], axis=3), "expected"),
    "failing object": (lambda p: Fails(), "implicit conversion is not allowed"),
}

P, Q = pixels(0), pixels(1)
"""Generated and training images."""
