"""Every test here runs twice: as sets of its size are searched, and by blocks in torch."""

import pytest

from genmem.neighbors import _small


@pytest.fixture(autouse=True, params=["by size", "by blocks"], scope="module")
def way(request):
    """Which code searches: what the size says, or always that of large sets."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "by blocks":
            patch.setattr(_small, "PAIRS", 0)
        yield request.param
