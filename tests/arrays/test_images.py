"""Every public function that takes images, given every kind of array: right, or refused."""

import re

import numpy as np
import pytest
import torch

import genmem
from genmem.errors import InputError, UsageError
from genmem.training.diffusion.optimal_denoiser import OptimalDenoiser
from genmem.training.rejection.rejection import MemorizationRejection

from .kinds import REFUSED_IMAGES, USABLE_IMAGES, P, Q, T, refusal, with_mask


def opened(g=P, t=Q):
    total = 0
    for images in (g, t):
        with genmem.open_images(images) as source:
            total += sum(int(np.asarray(source.content(i), int).sum()) for i in range(len(source)))
    return total


def score_pixels(g=P, t=Q):
    return float(genmem.score(generated=g, train=t, backbone="pixels", metrics=["kd"])["kd"])


def running_pixels(g=P, t=Q):
    running = genmem.RunningScore(train=t, backbone="pixels", metrics=["kd"])
    running.update(g)
    return float(running.compute()["kd"])


def audit_pixels(g=P, t=Q):
    with genmem.audit(generated=g, train=t, backbone=["pixels"]) as result:
        return float(result.p_values.sum())


IMAGE_DOORS = {
    "open_images": opened,
    "score": score_pixels,
    "RunningScore": running_pixels,
    "audit": audit_pixels,
}


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GENMEM_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("door", IMAGE_DOORS)
def test_every_usable_kind_of_images_gives_the_value_of_plain_ones(door, tmp_path, own_cache):
    compute = IMAGE_DOORS[door]
    expected = compute()
    for number, (kind, make) in enumerate(USABLE_IMAGES.items()):
        (tmp_path / kind).mkdir()
        role, images = (("g", P), ("t", Q))[number % 2]
        found = compute(**{role: make(images, tmp_path / kind)})
        assert found == pytest.approx(expected, rel=1e-6), (kind, role)


@pytest.mark.parametrize("door", IMAGE_DOORS)
def test_every_other_kind_of_images_is_refused_in_one_line(door, own_cache):
    for kind, (make, reason) in REFUSED_IMAGES.items():
        for role, images in (("g", P), ("t", Q)):
            message = refusal(IMAGE_DOORS[door], **{role: make(images)})
            assert re.fullmatch(f".*({reason}).*", message), kind
            names = {"g": "generated|queries", "t": "train"}
            assert door == "open_images" or re.match(names[role], message), kind


class MeanColor(torch.nn.Module):
    """A backbone of three features."""

    def forward(self, images):
        return images.float().mean(dim=(2, 3))


def reject(train=P, images=None):
    reject = MemorizationRejection(train, backbone=MeanColor(), tau=0.01, cache=None)
    batch = torch.from_numpy(Q.transpose(0, 3, 1, 2).copy()) if images is None else images
    distances = reject(batch).distances
    assert distances is not None
    return distances.tolist()


@pytest.mark.parametrize("kind", [k for k in USABLE_IMAGES if k not in ("array, channels first",)])
def test_rejection_takes_the_same_training_images(kind, tmp_path):
    assert reject(USABLE_IMAGES[kind](P, tmp_path)) == pytest.approx(reject(), abs=1e-6)


@pytest.mark.parametrize("kind", [k for k in REFUSED_IMAGES if k != "two dimensions"])
def test_rejection_refuses_the_same_training_images(kind):
    make, _ = REFUSED_IMAGES[kind]
    with pytest.raises((InputError, UsageError)):
        reject(make(P))


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        (torch.full((4, 3, 8, 8), torch.nan), "NaN or infinity"),
        (torch.zeros(4, 3, 8, 8, dtype=torch.int64), "int64"),
        (torch.zeros(4, 3, 8, 8, dtype=torch.bool), "bool"),
        (torch.zeros(4, 3, 8, 8, device="meta"), "holds no values"),
        (torch.zeros(3, 8, 8), r"\[3, 8, 8\]"),
        (np.zeros((4, 3, 8, 8), np.uint8), "expected a tensor"),
    ],
)
def test_rejection_refuses_generated_images_that_say_nothing(images, reason):
    with pytest.raises(InputError, match=reason):
        reject(images=images)


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_torch_has_not_is_refused(device):
    for call in (
        lambda: MemorizationRejection(T, backbone=torch.nn.Identity(), device=device),
        lambda: OptimalDenoiser(P.transpose(0, 3, 1, 2).copy(), device=device),
    ):
        with pytest.raises(UsageError, match=f"device: '{device}' is not available"):
            call()


def test_the_optimal_denoiser_refuses_masked_images():
    with pytest.raises(InputError, match="masked"):
        OptimalDenoiser(with_mask(P.transpose(0, 3, 1, 2).copy()))
