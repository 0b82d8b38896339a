"""`RunningScore` in a training loop gives what `score` gives on all images at once."""

import copy
import pickle

import numpy as np
import pytest
import torch
import torch.multiprocessing

import genmem
from genmem import InputError, UsageError, WeightsError
from genmem.neighbors import NearestNeighbors

from ..small_networks import convolution


@pytest.fixture
def pixels():
    rng = np.random.default_rng(2)
    return {
        "train": rng.integers(0, 256, (60, 8, 8, 3), dtype=np.uint8),
        "test": rng.integers(0, 256, (30, 8, 8, 3), dtype=np.uint8),
        "generated": rng.integers(0, 256, (30, 8, 8, 3), dtype=np.uint8),
    }


def test_batches_of_images_equal_one_score(pixels):
    whole = genmem.score(**pixels, backbone="pixels")
    running = genmem.RunningScore(train=pixels["train"], test=pixels["test"], backbone="pixels")
    running.update(pixels["generated"][:7])
    running.update(torch.from_numpy(pixels["generated"][7:20]).permute(0, 3, 1, 2))
    running.update(torch.from_numpy(pixels["generated"][20:]))
    assert running.count == 30
    assert running.compute().metrics == whole.metrics


def test_merged_workers_equal_one_worker(features):
    whole = genmem.score(**features)
    fixed = {"train": features["train"], "test": features["test"]}
    first, second = (genmem.RunningScore(**fixed) for _ in range(2))
    first.update(features["generated"][:25])
    second.update(torch.from_numpy(features["generated"][25:]))
    first.merge(second)
    assert first.compute().metrics == whole.metrics


def test_reset_clears_the_generated_images_but_not_train(features):
    running = genmem.RunningScore(train=features["train"], metrics=["fd"])
    running.update(features["generated"] + 5)
    far = float(running.compute()["fd"])
    running.reset()
    running.update(features["generated"])
    assert float(running.compute()["fd"]) < far


def test_compute_before_any_batch_says_so(features):
    with pytest.raises(InputError, match="at least one batch"):
        genmem.RunningScore(train=features["train"]).compute()


def test_images_against_training_features_are_refused(features, pixels):
    running = genmem.RunningScore(train=features["train"])
    with pytest.raises(UsageError, match="give train as images too"):
        running.update(pixels["generated"])


def test_workers_with_different_training_sets_cannot_be_merged(features):
    first = genmem.RunningScore(train=features["train"])
    second = genmem.RunningScore(train=features["test"])
    with pytest.raises(UsageError, match="same sets and backbone"):
        first.merge(second)


def test_an_unknown_metric_is_refused_by_the_constructor(features):
    with pytest.raises(UsageError, match="fdd"):
        genmem.RunningScore(train=features["train"], metrics=["fdd"])


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_one_image_without_its_batch_axis_is_refused_and_not_counted(pixels, kind):
    running = genmem.RunningScore(train=pixels["train"], backbone="pixels")
    for image in (pixels["generated"][0], pixels["generated"][0].transpose(2, 0, 1).copy()):
        with pytest.raises(InputError, match="For a single image add an axis"):
            running.update(kind(image))
    assert running.count == 0
    for image in (pixels["generated"][0], pixels["generated"][0].transpose(2, 0, 1).copy()):
        running.update(kind(image[None]))
    assert running.count == 2


@pytest.mark.parametrize("shape", [(5, 9, 8, 3), (5, 4, 16, 3)], ids=["larger", "as many pixels"])
def test_a_batch_of_another_size_is_refused_and_the_others_stay(pixels, shape):
    running = genmem.RunningScore(train=pixels["train"], backbone="pixels", metrics=["kd"])
    running.update(pixels["generated"])
    expected = float(running.compute()["kd"])
    with pytest.raises(InputError, match=r"generated has \d × \d+, train has 8 × 8"):
        running.update(np.zeros(shape, np.uint8))
    assert (running.count, float(running.compute()["kd"])) == (30, expected)


def test_a_batch_of_another_size_than_the_statistics_of_train_is_refused(pixels):
    rows = pixels["train"].reshape(60, -1).astype(np.float32)
    statistics = genmem.Statistics(mu=rows.mean(0), sigma=np.cov(rows.T), count=60)
    running = genmem.RunningScore(train=statistics, backbone="pixels", metrics=["fd"])
    running.update(pixels["generated"])
    with pytest.raises(InputError, match="generated has 216, train has 192"):
        running.update(np.zeros((5, 9, 8, 3), np.uint8))
    assert running.count == 30


def test_sets_of_images_of_different_sizes_are_refused_even_with_as_many_pixels(pixels):
    reshaped = pixels["generated"].reshape(30, 4, 16, 3)
    with pytest.raises(InputError, match="generated has 4 × 16, train has 8 × 8"):
        genmem.score(generated=reshaped, train=pixels["train"], backbone="pixels")


@pytest.fixture(params=["pixels", "network.onnx"])
def backbone(request, tmp_path):
    """A space without a network, and one of a network in a file."""
    name = request.param
    return name if name == "pixels" else convolution(tmp_path / name)


@pytest.mark.parametrize("travel", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_running_score_travels_with_its_images_and_opens_its_network_again(
    pixels, backbone, travel
):
    first = genmem.RunningScore(train=pixels["train"], backbone=backbone, metrics=["kd"])
    first.update(pixels["generated"][:12])
    second = travel(first)
    second.update(pixels["generated"][12:])
    first.reset()
    whole = genmem.RunningScore(train=pixels["train"], backbone=backbone, metrics=["kd"])
    whole.update(pixels["generated"])
    assert (second.count, first.count) == (30, 0)
    assert float(second.compute()["kd"]) == pytest.approx(float(whole.compute()["kd"]), rel=1e-5)


def test_a_worker_without_images_merges_with_one_that_has_some(pixels, tmp_path):
    name = convolution(tmp_path / "c.onnx")
    (tmp_path / "elsewhere").mkdir()
    elsewhere = convolution(tmp_path / "elsewhere" / "c.onnx")
    busy, idle = (
        genmem.RunningScore(train=pixels["train"], backbone=path, metrics=["kd"])
        for path in (name, elsewhere)
    )
    busy.update(pixels["generated"])
    idle.merge(busy)
    assert float(idle.compute()["kd"]) == float(busy.compute()["kd"])


def test_a_network_that_travels_to_a_machine_without_its_weights_says_so(pixels, tmp_path):
    running = genmem.RunningScore(
        train=pixels["train"], backbone=convolution(tmp_path / "c.onnx"), metrics=["kd"]
    )
    arrived = pickle.loads(pickle.dumps(running))
    (tmp_path / "c.onnx").unlink()
    with pytest.raises(WeightsError, match=r"c\.onnx"):
        arrived.update(pixels["generated"])
    convolution(tmp_path / "c.onnx", seed=1)
    with pytest.raises(WeightsError, match="SHA-256"):
        arrived.update(pixels["generated"])


def _merge_on_rank_0(rank, folder, pixels, backbone, out):
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2
    )
    try:
        running = genmem.RunningScore(train=pixels["train"], backbone=backbone)
        running.update(pixels["generated"][rank::2])
        gathered = [None, None] if rank == 0 else None
        torch.distributed.gather_object(running, gathered)
        if rank == 0:
            running.merge(gathered[1])
            out.put({name: float(value) for name, value in running.compute().metrics.items()})
    finally:
        torch.distributed.destroy_process_group()


def test_two_processes_of_a_distributed_run_merge_to_the_value_of_one(pixels, tmp_path):
    backbone = convolution(tmp_path / "c.onnx")
    whole = genmem.RunningScore(train=pixels["train"], backbone=backbone)
    for rank in range(2):
        whole.update(pixels["generated"][rank::2])
    expected = {name: float(value) for name, value in whole.compute().metrics.items()}
    method = "fork" if "fork" in torch.multiprocessing.get_all_start_methods() else "spawn"
    context = torch.multiprocessing.get_context(method)
    out = context.SimpleQueue()
    workers = [
        context.Process(target=_merge_on_rank_0, args=(rank, tmp_path, pixels, backbone, out))
        for rank in range(2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert out.get() == pytest.approx(expected, rel=1e-6, nan_ok=True)


def test_an_array_that_is_neither_features_nor_images_is_named(features):
    running = genmem.RunningScore(train=features["train"], metrics=["fd"])
    with pytest.raises(InputError, match=r"expected features \[n, d\] or uint8 images.*\[6\]"):
        running.update(np.zeros(6, np.float32))


def test_a_score_is_not_merged_into_itself():
    rows = np.random.default_rng(0).normal(size=(2, 40, 4)).astype(np.float32)
    running = genmem.RunningScore(train=rows[0], metrics=["memorization_distance"])
    running.update(rows[1])
    with pytest.raises(UsageError, match="would count twice"):
        running.merge(running)
    assert running.compute().metrics["memorization_distance"].n["generated"] == 40


def test_a_second_compute_searches_for_the_new_images_alone(features, monkeypatch):
    whole = genmem.score(**features)
    searched = []
    update = NearestNeighbors.update

    def record(self, references, **options):
        searched.append((len(self.queries), len(references)))
        update(self, references, **options)

    running = genmem.RunningScore(train=features["train"], test=features["test"])
    running.update(features["generated"][:50])
    running.compute()
    monkeypatch.setattr(NearestNeighbors, "update", record)
    running.update(features["generated"][50:])
    assert running.compute().metrics == whole.metrics
    against_train = [queries for queries, references in searched if references == 100]
    # Cosine and Euclidean neighbors of the new images, and gaps around their training images.
    assert sorted(against_train)[-2:] == [10, 10] or max(against_train) <= 10

    running.reset()
    running.update(features["generated"])
    assert running.compute().metrics == whole.metrics
