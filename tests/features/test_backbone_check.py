"""`check_backbone` agrees with what is recorded, and notices what is not the published network."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from genmem.features import backbone_check
from genmem.features.backbone_check import COPIES, OTHER, RECORDED, check_backbone, render_scenes

from .test_sscd import save_script, save_stand_in

PAGE = Path(__file__).parents[2] / "docs" / "weights.md"


def by_name(results):
    return {result.what: result for result in results}


@pytest.mark.parametrize("name", ["efficientnet-lite0", "pixels", "pixels@64"])
def test_backbones_that_work_offline_give_the_recorded_numbers(name):
    results = check_backbone(name, device="cpu")
    assert all(result.holds for result in results), results
    expected = by_name(results)[f"cosine, {COPIES[0]}"].expected
    assert expected == f"{RECORDED[name][0]:.3f} ± 0.02"


def test_the_scenes_are_always_the_same_and_all_different():
    scenes, again = render_scenes(), render_scenes()
    assert all(np.array_equal(*pair) for pair in zip(scenes, again, strict=True))
    assert len({scene.tobytes() for scene in scenes}) == backbone_check.SCENES


def test_a_stand_in_fails_the_hash_and_holds_the_rest_of_the_interface(tmp_path):
    save_stand_in(tmp_path / "net.pt", 512)
    results = by_name(check_backbone("sscd", weights=tmp_path / "net.pt", device="cpu"))
    assert not results["SHA-256"].holds
    assert results["SHA-256"].expected.startswith("9f26bd4c")
    for what in ("dimension", "norm of features", "difference, run once more"):
        assert results[what].holds
    assert results[f"cosine, {OTHER}"].expected == "not recorded yet"


def test_a_network_of_another_dimension_or_norm_is_noticed(tmp_path):
    class Unscaled(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean(dim=[2, 3]) * 7.0 + 1.0

    save_script(Unscaled(), tmp_path / "net.pt")
    results = by_name(check_backbone("sscd-large", weights=tmp_path / "net.pt", device="cpu"))
    assert not results["dimension"].holds
    assert not results["norm of features"].holds


def test_features_that_do_not_depend_on_the_image_are_noticed(monkeypatch):
    constant = np.ones((12, 4), np.float32)
    monkeypatch.setattr(backbone_check, "_features", lambda _, images: constant[: len(images)])
    results = by_name(check_backbone("pixels"))
    assert not results["copies nearest to their own scene"].holds


def test_the_page_states_the_recorded_numbers():
    rows = re.findall(
        r"^\| cosine, (.+?) (?:\(largest\) )?\|.*\| ([\d.]+) \| ([\d.]+) \|$",
        PAGE.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert [row[0] for row in rows] == [*COPIES, OTHER]
    for column, name in ((1, "efficientnet-lite0"), (2, "pixels@64")):
        assert [float(row[column]) for row in rows] == list(RECORDED[name])
