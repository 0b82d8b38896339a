"""Linear algebra of symmetric matrices, float64, by the fastest routine there is for each step.

Measured at d = 2048 on 2 cores, idle and with other work beside: MKL's eigenvalues (torch's) take
0.55 s on one thread and hardly less on two, OpenBLAS's (NumPy's) 0.6 s on two, but ten times that
when the second core is busy. LAPACK's `sygst` forms LᵀSL in half the time of two products. Small
NumPy matrices stay with NumPy: importing torch takes longer than they do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from array_api_compat import is_torch_array
from numpy.typing import NDArray

SMALL = 512
"""The largest dimension of a NumPy matrix that torch is not loaded for."""


def eigenvalues(matrix: Any) -> NDArray[np.float64]:
    """Ascending, of a symmetric matrix [d, d] whose lower triangle is read; on the CPU."""
    if _is_small(matrix):
        return np.asarray(np.linalg.eigvalsh(matrix), np.float64)
    import torch

    if is_torch_array(matrix) and matrix.device.type != "cpu":
        return torch.linalg.eigvalsh(matrix).cpu().numpy()
    with _one_thread():
        return torch.linalg.eigvalsh(_tensor(matrix)).numpy()


def eigenvectors(matrix: Any) -> tuple[Any, Any]:
    """Ascending eigenvalues [d] and their columns [d, d], of what `eigenvalues` takes."""
    if _is_small(matrix):
        return np.linalg.eigh(matrix)
    import torch

    if is_torch_array(matrix):
        return torch.linalg.eigh(matrix)
    with _one_thread():
        spectrum, vectors = torch.linalg.eigh(_tensor(matrix))
    return spectrum.numpy(), vectors.numpy()


def cholesky(matrix: Any) -> Any:
    """U, upper triangular with UᵀU = `matrix`; None where it is not positive definite."""
    if _is_small(matrix):
        try:
            return np.linalg.cholesky(matrix, upper=True)
        except np.linalg.LinAlgError:
            return None
    import torch

    upper, failed = torch.linalg.cholesky_ex(_tensor(matrix), upper=True)
    if int(failed):
        return None
    return upper if is_torch_array(matrix) else upper.numpy()


def congruence(upper: Any, matrix: Any) -> Any:
    """U S Uᵀ for U upper triangular and S symmetric; only its lower triangle is meant."""
    if is_torch_array(upper) or _is_small(upper):
        return upper @ matrix @ upper.T
    from scipy.linalg.lapack import dsygst  # pyright: ignore[reportAttributeAccessIssue]

    # Transposed, C-ordered arrays are what LAPACK reads without a copy: L = Uᵀ, S = Sᵀ.
    product, failed = dsygst(matrix.T, upper.T, itype=2, lower=1)
    if failed:
        raise AssertionError(f"dsygst refused its argument {-failed}")
    return product


def _is_small(matrix: Any) -> bool:
    return isinstance(matrix, np.ndarray) and matrix.shape[0] <= SMALL


def _tensor(matrix: Any) -> Any:
    import torch

    return matrix if is_torch_array(matrix) else torch.from_numpy(matrix)


@contextmanager
def _one_thread() -> Iterator[None]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
