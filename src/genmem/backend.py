"""The one place where work on large sets is handed to other machines.

The functions that take long on large sets (`hash_images`, `extract`, `moments`, the search of
`NearestNeighbors`) ask for the active backend. Without one they work in this process. A backend
gives the same bits; `genmem.distributed.RayBackend` is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol


class Backend(Protocol):
    """Something that does work of this process elsewhere; each method may decline by None."""

    def hash_images(self, source: Any) -> Any | None:
        """What `images.hash_images` gives of a source: uint8 [n, 16]."""
        ...

    def extract(self, extraction: Any, folder: Path) -> Any | None:
        """`features.feature_cache.Compute` of an `Extraction` into a folder of the cache."""
        ...

    def moments(self, features: Any) -> Any | None:
        """What `metrics.moments.moments` gives of features [n, d]."""
        ...

    def search(
        self, queries: Any, references: Any, *, k: int, metric: Any, within: Any, first: int
    ) -> Iterable[Any] | None:
        """Parts for `NearestNeighbors.merge` that together cover all references [m, d].

        Args:
            queries: features [n, d].
            references: features [m, d].
            k: neighbors per query.
            metric: of `neighbors.METRICS`.
            within: as for `NearestNeighbors`.
            first: the index of the first reference.
        """
        ...


_ACTIVE: ContextVar[Backend | None] = ContextVar("genmem_backend", default=None)


def active_backend() -> Backend | None:
    """The backend of this context; None: work in this process."""
    return _ACTIVE.get()


@contextmanager
def use_backend(backend: Backend | None) -> Iterator[None]:
    """Hand work to a backend within the block, in this thread."""
    token = _ACTIVE.set(backend)
    try:
        yield
    finally:
        _ACTIVE.reset(token)
