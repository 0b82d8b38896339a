"""Moments of a cluster are those of one process, bit for bit."""

import numpy as np
import pytest

from genmem import arrays, distributed
from genmem.errors import InputError
from genmem.metrics.moments import RUN_BLOCKS, moments

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own, of files it leaves to its processes


def test_shards_of_any_size_give_the_bits_of_one_process(cluster, tmp_path, monkeypatch):
    rows = np.random.default_rng(0).normal(3, 1, size=(5000, 12)).astype(np.float32)
    monkeypatch.setattr(arrays, "BLOCK_BYTES", 8 * 12 * 40)  # 125 blocks in 8 runs
    assert 5000 / 40 / RUN_BLOCKS > 7
    expected = moments(rows)
    for bounds in ([0, 5000], [0, 1, 39, 41, 2500, 5000]):
        paths = [tmp_path / f"{start}.npy" for start in bounds[:-1]]
        for path, start, stop in zip(paths, bounds, bounds[1:], strict=False):
            np.save(path, rows[start:stop])
        result = distributed.moments(paths, cluster=cluster)
        assert result.count == 5000
        assert result.mean.tobytes() == expected.mean.tobytes()
        assert result.scatter.tobytes() == expected.scatter.tobytes()
    assert np.cov(rows.T, dtype=float) == pytest.approx(result.compute()[1], rel=1e-9)
    rows[4321, 2] = np.inf
    np.save(tmp_path / "bad.npy", rows)
    with pytest.raises(InputError, match="row 4321 holds NaN"):
        distributed.moments([tmp_path / "bad.npy"], cluster=cluster)
