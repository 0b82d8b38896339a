"""The metrics in torchmetrics' manner are genmem's functions, and change one import in a script."""

import json
import pickle
from pathlib import Path

import lightning
import numpy as np
import pytest
import torch
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

import genmem
from genmem import InputError, UsageError
from genmem.torch import (
    FrechetDistance,
    KernelDistance,
    MemorizationDistance,
    MiFID,
    PrecisionRecallDensityCoverage,
)

from ..training.launcher import run_program

METRICS = [
    FrechetDistance,
    KernelDistance,
    MemorizationDistance,
    MiFID,
    PrecisionRecallDensityCoverage,
]


def flat_pixels(images):
    return images.flatten(1).float() / 255


class Pixels(torch.nn.Module):
    """What torchmetrics takes in the place of Inception."""

    num_features = 48

    def forward(self, images):
        return flat_pixels(images)


@pytest.fixture
def sets():
    draw = torch.Generator().manual_seed(3)
    train = torch.randint(0, 256, (90, 3, 4, 4), dtype=torch.uint8, generator=draw)
    fake = torch.randint(0, 200, (70, 3, 4, 4), dtype=torch.uint8, generator=draw)
    fake[:20] = train[:20]
    return {"train": train, "generated": fake}


def fed(metric, sets, size=17):
    for batch in sets["train"].split(size):
        metric.update(batch, real=True)
    for batch in sets["generated"].split(size):
        metric.update(batch, real=False)
    return metric


def rows(sets):
    return {role: flat_pixels(images).numpy() for role, images in sets.items()}


def test_each_metric_is_the_function_on_the_features(sets):
    features = rows(sets)
    assert float(fed(FrechetDistance(flat_pixels), sets).compute()) == pytest.approx(
        float(genmem.fd(**features)), rel=1e-9
    )
    mean, deviation = fed(KernelDistance(flat_pixels, subsets=7, subset_size=50), sets).compute()
    kd = genmem.kd(**features, subsets=7, subset_size=50)
    assert (float(mean), float(deviation)) == pytest.approx((kd.value, kd.parts["deviation"]))
    distance = genmem.memorization_distance(**features)
    assert float(fed(MemorizationDistance(flat_pixels), sets).compute()) == float(distance)
    for tau in (0.01, 0.5):
        assert float(fed(MiFID(flat_pixels, tau=tau), sets).compute()) == pytest.approx(
            float(genmem.mifid(**features, tau=tau)), rel=1e-6
        )
    four = fed(PrecisionRecallDensityCoverage(flat_pixels), sets).compute()
    scored = genmem.score(**features, metrics=["precision", "recall", "density", "coverage"])
    assert {name: float(value) for name, value in four.items()} == {
        name: scored[name].value for name in four
    }


@pytest.mark.filterwarnings("ignore:Metric `Kernel")
def test_a_torchmetrics_script_changes_one_import(sets):
    theirs = fed(FrechetInceptionDistance(feature=Pixels()).set_dtype(torch.float64), sets)
    ours = fed(FrechetDistance(Pixels()), sets)
    assert float(ours.compute()) == pytest.approx(float(theirs.compute()), rel=1e-5)
    torch.manual_seed(0)
    theirs = fed(KernelInceptionDistance(feature=Pixels(), subsets=400, subset_size=40), sets)
    ours = fed(KernelDistance(Pixels(), subsets=400, subset_size=40), sets)
    error = 5 * float(theirs.compute()[1]) / 400**0.5  # they draw other subsets
    assert float(ours.compute()[0]) == pytest.approx(float(theirs.compute()[0]), abs=error)


def test_floats_and_features_are_taken_as_torchmetrics_takes_them(sets):
    expected = float(fed(FrechetDistance(flat_pixels), sets).compute())
    floats = {role: ((images.double() + 0.5) / 255).clamp(max=1) for role, images in sets.items()}
    assert float(fed(FrechetDistance(flat_pixels, normalize=True), floats).compute()) == expected
    features = {role: flat_pixels(images) for role, images in sets.items()}
    assert float(fed(FrechetDistance(flat_pixels), features).compute()) == pytest.approx(expected)


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
@pytest.mark.parametrize("metric", METRICS)
def test_reset_forgets_and_may_keep_the_real_images(metric, sets):
    first = fed(metric(flat_pixels, reset_real_features=False), sets)
    expected = first.compute()
    first.reset()
    for batch in sets["generated"].split(30):
        first.update(batch, real=False)
    again = first.compute()
    assert repr(again) == repr(expected) or np.allclose(
        np.ravel(again), np.ravel(expected), rtol=1e-9
    )
    forgetful = fed(metric(flat_pixels), sets)
    forgetful.reset()
    with pytest.raises(InputError, match="real=False"):
        forgetful.compute()


@pytest.mark.parametrize("metric", [FrechetDistance, MemorizationDistance])
def test_merged_states_go_on_as_one(metric, sets):
    first, second = (metric(flat_pixels) for _ in range(2))
    first.update(sets["train"], real=True)
    first.update(sets["generated"][:30], real=False)
    second.update(sets["generated"][30:50], real=False)
    first.merge_state(second)
    first.update(sets["generated"][50:], real=False)
    assert float(first.compute()) == pytest.approx(float(fed(metric(flat_pixels), sets).compute()))


@pytest.mark.parametrize("keeps", [True, False])
def test_forward_is_refused_and_loses_nothing(sets, keeps):
    metric = fed(FrechetDistance(flat_pixels, reset_real_features=not keeps), sets)
    with pytest.raises(UsageError, match="Call update"):
        metric(sets["generated"], real=False)
    assert metric.compute() == fed(FrechetDistance(flat_pixels), sets).compute()


def test_a_metric_can_be_pickled(sets):
    metric = fed(FrechetDistance("pixels"), sets)
    assert pickle.loads(pickle.dumps(metric)).compute() == metric.compute()


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (torch.rand(2, 3, 4, 4), "normalize=True"),
        (torch.zeros(24, dtype=torch.uint8), r"\[24\]"),
        (torch.zeros(2, 4, 4, 3, dtype=torch.uint8), r"\[b, 3, H, W\]"),
        (torch.full((2, 7), torch.nan), "row 0"),
    ],
)
def test_a_wrong_batch_is_refused(batch, message):
    with pytest.raises(InputError, match=message):
        FrechetDistance(flat_pixels).update(batch, real=True)


def test_wrong_settings_are_refused(sets):
    with pytest.raises(UsageError, match="2048"):
        FrechetDistance(2048)
    with pytest.raises(UsageError):
        MiFID(flat_pixels, tau=-1)
    with pytest.raises(InputError, match=r"in \[0, 1\]"):
        FrechetDistance(flat_pixels, normalize=True).update(sets["train"], real=True)
    metric = FrechetDistance(flat_pixels)
    metric.update(sets["train"], real=True)
    with pytest.raises(InputError, match="dimension 48"):
        metric.update(torch.rand(4, 5), real=False)


class Module(lightning.LightningModule):
    """Logs a metric object, which Lightning computes and resets at the end of each epoch."""

    def __init__(self, sets):
        super().__init__()
        self.sets = sets
        self.fid = FrechetDistance(flat_pixels)
        self.layer = torch.nn.Linear(1, 1)

    def validation_step(self, batch, _):
        self.fid.update(batch, real=False)
        self.fid.update(self.sets["train"][:30], real=True)
        self.log("fid", self.fid, on_epoch=True, on_step=False)


@pytest.mark.filterwarnings("ignore")
def test_lightning_logs_it(sets, tmp_path):
    trainer = lightning.Trainer(
        logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu",
        default_root_dir=tmp_path, enable_model_summary=False, barebones=False,
    )  # fmt: skip
    loader = torch.utils.data.DataLoader(sets["generated"], batch_size=35)
    (logged,) = trainer.validate(Module(sets), loader, verbose=False)
    features = rows(
        {"generated": sets["generated"], "train": sets["train"][:30].repeat(2, 1, 1, 1)}
    )
    assert logged["fid"] == pytest.approx(float(genmem.fd(**features)), rel=1e-5)


def test_two_ranks_are_joined(sets, tmp_path):
    features = rows(sets)
    torch.save(
        {role: torch.from_numpy(part) for role, part in features.items()}, tmp_path / "features.pt"
    )
    run_program(Path(__file__).with_name("two_ranks.py"), str(tmp_path))
    values = [json.loads((tmp_path / f"{number}.json").read_text()) for number in range(2)]
    assert values[0] == values[1]
    *numbers, error = values[0]
    expected = [float(genmem.fd(**features)), float(genmem.memorization_distance(**features))]
    assert numbers == pytest.approx([*expected, *expected], rel=1e-9)
    assert error.startswith("generated: expected images before compute(), got none")
