"""What rejection compares with: embeddings by name, cached features, faiss, memory-mapped rows."""

import importlib
import sys
import warnings

import faiss
import numpy as np
import pytest
import torch
from torch import nn

from genmem.errors import InputError, UsageError
from genmem.features import find_backbone
from genmem.training import MemorizationRejection
from genmem.training.rejection.embedding import training_features
from genmem.training.rejection.search import FaissSearch
from genmem.training.rejection.threshold import as_unit_rows, resolve_tau


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (6, 3, 4, 4), dtype=np.uint8)


class Linear(nn.Module):
    def __init__(self, scale):
        super().__init__()
        weight = torch.randn(48, 5, generator=torch.Generator().manual_seed(0))
        self.weight = nn.Parameter(weight + scale)

    def forward(self, images):
        return images.flatten(1).float() @ self.weight


def test_other_weights_under_the_same_name_are_other_features_in_the_cache(images, tmp_path):
    def rows(module):
        return training_features(
            module, images, name="pixels", device=torch.device("cpu"), cache=tmp_path
        )

    first, other = rows(Linear(0)), rows(Linear(1))
    assert not np.allclose(first, other)
    assert np.array_equal(first, rows(Linear(0)))
    assert len(list((tmp_path / "training").glob("*.npy"))) == 2


def test_an_at_in_the_path_of_a_file_is_part_of_the_path(tmp_path):
    folder = tmp_path / "me@work"
    folder.mkdir()
    path = folder / "embedding.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that TorchScript is on its way out
        torch.jit.trace(nn.Flatten(), torch.zeros(1, 3, 8, 8, dtype=torch.uint8)).save(path)
    assert find_backbone(str(path)).network is not None
    made = MemorizationRejection(
        np.random.default_rng(0).integers(0, 256, (4, 3, 8, 8), dtype=np.uint8),
        backbone=str(path),
        tau=0.1,
    )
    assert made.dimension == 3 * 8 * 8


@pytest.mark.parametrize("side", ["8", "1000000", "²", "9" * 5000, ""])
def test_a_side_that_no_embedding_has_is_refused(side):
    with pytest.raises(UsageError, match="at least 32 and at most 4,096"):
        find_backbone(f"efficientnet-lite0@{side}")


def test_auto_is_refused_where_every_image_appears_twice(images):
    for categories in (None, [0, 1, 2, 3, 4, 5] * 2):
        with pytest.raises(InputError, match="nothing would be rejected"):
            MemorizationRejection(
                np.concatenate([images, images]), backbone="pixels", categories=categories
            )
    twice = MemorizationRejection(np.concatenate([images, images]), backbone="pixels", tau=0.1)
    assert twice.tau == 0.1


def test_auto_is_given_where_only_some_images_appear_twice(images):
    rows = as_unit_rows(images.reshape(6, -1).astype(np.float32))
    assert resolve_tau("auto", np.concatenate([rows, rows[:2]]), None) > 0.01


@pytest.mark.parametrize("mode", ["r", "c"])
def test_memory_mapped_unit_rows_are_not_copied_in_any_mode(tmp_path, mode):
    rows = np.random.default_rng(0).standard_normal((20, 7)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode=mode)
    taken = as_unit_rows(mapped)
    assert np.shares_memory(taken, mapped)
    made = MemorizationRejection(mapped, backbone=nn.Flatten(), tau=0.1)
    assert made.dimension == 7


def test_rows_of_another_norm_or_kind_become_unit_rows_and_the_given_ones_stay(tmp_path):
    rows = np.random.default_rng(0).standard_normal((20, 7))
    for given in (rows, rows.astype(np.float32), rows.astype(np.float32)[:, ::-1]):
        before = given.copy()
        taken = as_unit_rows(given)
        assert taken.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(taken, axis=1), 1, rtol=1e-5)
        np.testing.assert_array_equal(given, before)


def test_faiss_finds_its_cells_in_rows_of_every_class_though_they_come_sorted(monkeypatch):
    rows = 0.1 * torch.rand(12_000, 4, generator=torch.Generator().manual_seed(0))
    rows[torch.arange(12_000), torch.arange(12_000) // 3_000] = 1  # four classes, one after another
    seen = []
    train = faiss.IndexIVFFlat.train

    def watched(self, given):
        seen.append(given.copy())
        return train(self, given)

    monkeypatch.setattr(faiss.IndexIVFFlat, "train", watched)
    FaissSearch(rows)
    FaissSearch(rows)
    assert 10_000 <= len(seen[0]) < 12_000
    shares = np.bincount(seen[0].argmax(axis=1)) / len(seen[0])
    np.testing.assert_allclose(shares, 0.25, atol=0.02)
    np.testing.assert_array_equal(seen[0], seen[1])  # a seeded sample


def test_a_star_import_works_without_lightning(monkeypatch):
    for name in ("lightning", "lightning.pytorch"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "genmem.training.rejection.lightning", raising=False)
    found = {}
    exec("from genmem.training import *", found)
    assert {"MemorizationRejection", "ramp", "RejectsEverythingError"} <= set(found)
    with pytest.raises(UsageError, match="Lightning"):
        importlib.import_module("genmem.training.rejection.lightning")
