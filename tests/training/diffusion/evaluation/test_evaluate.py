import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genmem.errors import InputError, UsageError
from genmem.neighbors import Nearest
from genmem.training.common.config import ImageSelection
from genmem.training.common.dataset import load_training_images
from genmem.training.diffusion import OptimalDenoiser, evaluate_denoiser, open_model
from genmem.training.diffusion.config import DiffusionConfig, UNetConfig
from genmem.training.diffusion.evaluation.pretrained import fit_channels, load_for, load_test_for
from genmem.training.diffusion.evaluation.results import THRESHOLD, copied_images
from genmem.training.diffusion.run_folder import measure_memorization
from genmem.training.diffusion.sampler import Sampling, Schedule
from genmem.training.diffusion.train import train as train_run

SHORT = Schedule(steps=6)
CONFIG = DiffusionConfig(
    network=UNetConfig(image_size=8, channels=8, multipliers=(1, 2), blocks=1, attention=()),
    batch_size=8,
    steps=2,
    warm_up_epochs=0,
    snapshots=1,
    samples=0,
)


class Shrinking:
    """D(x; σ) = x/(1 + σ²), the best for images that are standard normal noise."""

    def __init__(self):
        self.asked = []

    def denoise(self, x, sigma, labels=None):
        self.asked.append((x.clone(), sigma.clone(), labels))
        return x / (1 + sigma.square())[:, None, None, None]


def halves(images):
    """The first and the last half of the images, as two sets."""
    count = len(images) // 2
    return (
        replace(
            images,
            pixels=np.ascontiguousarray(images.pixels[part]),
            labels=images.labels[part],
            ids=images.ids[part],
        )
        for part in (slice(count), slice(count, None))
    )


@pytest.mark.parametrize("classes", [0, 3])
def test_the_optimal_denoiser_is_all_copies_and_no_distance_from_itself(made, classes):
    model = OptimalDenoiser(made.pixels, labels=made.labels)
    found = evaluate_denoiser(model, made, samples=30, sampling=Sampling(classes=classes))
    assert found.ratio.value == 1.0
    assert found.curves["train"].distance.max() < 1e-12
    assert sum(len(one.samples) for one in found.copied) == 30


def test_training_and_test_images_that_are_swapped_are_seen(cifar10):
    train, test = halves(cifar10)
    model = OptimalDenoiser(train.pixels)
    right = evaluate_denoiser(
        model, train, test=test, samples=20, sampling=Sampling(schedule=SHORT)
    )
    wrong = evaluate_denoiser(
        model, test, test=train, samples=20, sampling=Sampling(schedule=SHORT)
    )
    assert (right.ratio.value, right.curves["test"].distance.max() < 1e-12) == (1.0, True)
    assert wrong.ratio.value < 0.5
    assert wrong.curves["train"].distance.max() > 1e-3
    assert wrong.curves["test"].distance.max() > 1e-3
    # What it copies are the images at hand, so that only the right order puts them at distance 0.
    assert right.curves["train"].clean[-1] < 1e-12 < right.curves["test"].clean[-1]


@pytest.mark.parametrize("labelled", [False, True])
def test_distances_are_those_of_the_formula_in_float64(made, labelled):
    model = Shrinking()
    found = evaluate_denoiser(
        model,
        made,
        samples=1,
        points=9,
        sampling=Sampling(classes=3 if labelled else 0, batch_size=4, schedule=SHORT),
    )
    clean = torch.from_numpy(made.pixels).double() / 127.5 - 1
    sums = {}
    for x, sigmas, labels in model.asked[11:]:  # one sample takes 2·6 − 1 calls
        for row in range(len(x)):
            y, sigma = x[row].double(), float(sigmas[row])
            among = clean if labels is None else clean[made.labels == int(labels[row])]
            squares = (y - among).square().flatten(1).sum(dim=1)
            weights = torch.softmax(-squares / (2 * sigma**2), dim=0)
            optimal = (weights[:, None] * among.flatten(1)).sum(dim=0)
            gap = y.flatten() / (1 + sigma**2) - optimal
            sums.setdefault(sigma, []).append(float(gap.square().mean()))
    curve = found.curves["train"]
    assert curve.images == 9
    assert [len(values) for values in sums.values()] == [9] * 6
    means = [np.mean(values) for values in sums.values()]
    errors = [np.std(values, ddof=1) / 3 for values in sums.values()]
    np.testing.assert_allclose(curve.sigmas, list(sums), rtol=1e-6)
    np.testing.assert_allclose(curve.distance, means, rtol=1e-5)
    np.testing.assert_allclose(curve.standard_error, errors, rtol=1e-4)


def test_the_ratio_is_that_of_the_project_s_other_ways_of_measuring_it(made):
    model = Shrinking()
    found = evaluate_denoiser(model, made, samples=25, sampling=Sampling(seed=5, schedule=SHORT))
    other = measure_memorization(model, made, samples=25, sampling=Sampling(seed=5, schedule=SHORT))
    assert found.ratio.to_dict() == other.to_dict()


def test_a_model_told_labels_is_compared_within_the_class(made):
    """An unconditional optimum is far from that of the class at a middling noise level."""
    blind = evaluate_denoiser(
        OptimalDenoiser(made.pixels, labels=None),
        made,
        samples=2,
        sampling=Sampling(schedule=SHORT),
    )
    assert blind.curves["train"].distance.max() < 1e-12

    class Deaf(OptimalDenoiser):
        def denoise(self, x, sigma, labels=None):
            return super().denoise(x, sigma)

    told = evaluate_denoiser(
        Deaf(made.pixels), made, samples=2, sampling=Sampling(classes=3, schedule=SHORT)
    )
    assert told.curves["train"].distance.max() > 1e-3


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.floats(0, 10), st.floats(0.001, 10)),
        min_size=1,
        max_size=40,
    )
)
def test_every_memorized_sample_is_counted_once_at_its_nearest_image(rows):
    distances = np.array([[min(a, b), max(a, b)] for _, a, b in rows])
    indices = np.array([[train, train + 1] for train, _, _ in rows])
    found = copied_images(Nearest(distances, indices))
    expected = {
        (row, train) for row, (train, a, b) in enumerate(rows) if min(a, b) / max(a, b) < THRESHOLD
    }
    listed = [(int(row), one.train) for one in found for row in one.samples]
    assert sorted(listed) == sorted(expected)
    counts = [len(one.samples) for one in found]
    assert counts == sorted(counts, reverse=True)
    assert len({one.train for one in found}) == len(found)


def test_test_images_that_are_training_images_are_said_and_count_as_copies(made):
    found = evaluate_denoiser(
        Shrinking(), made, test=made, samples=2, points=2, sampling=Sampling(schedule=SHORT)
    )
    assert found.test_ratio is not None
    assert found.test_ratio.value == 1.0
    assert any("24 of 24 test images equal a training image" in note for note in found.notes)


def test_duplicates_among_the_training_images_hide_no_copies(made):
    twice = replace(
        made,
        pixels=np.concatenate([made.pixels, made.pixels]),
        labels=None,
        ids=(*made.ids, *(f"again-{one}" for one in made.ids)),
        notes=("24 images repeat an earlier one.",),
    )
    found = evaluate_denoiser(
        OptimalDenoiser(twice.pixels), twice, samples=12, sampling=Sampling(schedule=SHORT)
    )
    assert found.ratio.value == 1.0
    assert "made: 24 images repeat an earlier one." in found.notes
    assert all(one.train < 24 for one in found.copied)


def test_sizes_of_batches_change_nothing_but_rounding(made):
    few, many = (
        evaluate_denoiser(
            Shrinking(),
            made,
            samples=11,
            sampling=Sampling(batch_size=batch, schedule=SHORT, seed=2),
        )
        for batch in (3, 256)
    )
    np.testing.assert_array_equal(few.samples, many.samples)
    np.testing.assert_allclose(
        few.curves["train"].distance, many.curves["train"].distance, rtol=1e-6
    )


class Answering:
    def __init__(self, answer):
        self.answer = answer

    def denoise(self, x, sigma, labels=None):
        return self.answer(x)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x: x[:, :1], r"expected images of shape \[2, 3, 8, 8\]"),
        (lambda x: x * float("nan"), "NaN or infinite"),
    ],
)
def test_a_model_that_answers_something_else_is_refused(made, answer, words):
    with pytest.raises(InputError, match=words):
        evaluate_denoiser(Answering(answer), made, samples=2)


def test_sets_that_do_not_go_together_are_refused(made):
    model, unlabelled = Shrinking(), replace(made, labels=None, classes=())
    small = replace(made, pixels=made.pixels[:, :, :4, :4].copy())
    with pytest.raises(InputError, match=r"expected test images of shape \[3, 8, 8\]"):
        evaluate_denoiser(model, made, test=small)
    with pytest.raises(InputError, match="conditioned on 3 labels, and these images have none"):
        evaluate_denoiser(model, unlabelled, sampling=Sampling(classes=3))
    with pytest.raises(InputError, match="expected as many classes of its training images"):
        evaluate_denoiser(model, made, sampling=Sampling(classes=4))
    with pytest.raises(InputError, match="'2' is in one of the two sets only"):
        evaluate_denoiser(
            model, made, test=replace(made, classes=("0", "1", "x")), sampling=Sampling(classes=3)
        )
    with pytest.raises(UsageError, match="samples: expected at least 1"):
        evaluate_denoiser(model, made, samples=0)
    same = replace(made, pixels=np.repeat(made.pixels[:1], 24, axis=0))
    with pytest.raises(InputError, match="two different training images"):
        evaluate_denoiser(model, same, samples=2, sampling=Sampling(schedule=SHORT))


def test_a_run_is_measured_with_the_labels_it_was_trained_with(made, tmp_path):
    np.save(tmp_path / "images.npy", made.pixels.transpose(0, 2, 3, 1))
    np.save(tmp_path / "others.npy", made.pixels[::-1].transpose(0, 2, 3, 1))
    chosen = {"limit": 20, "seed": 1}
    config = CONFIG.replace(labels="random:2")
    images = load_training_images(tmp_path / "images.npy", ImageSelection(**chosen))
    train_run(images, tmp_path / "run", config, device="cpu", source=chosen)
    model = open_model(tmp_path / "run")
    assert (model.classes, model.name) == (2, "run")
    data = load_for(model, tmp_path / "images.npy")
    assert len(data) == 20
    expected = np.random.default_rng([config.seed, 1]).integers(2, size=20)
    np.testing.assert_array_equal(data.labels, expected)
    found = evaluate_denoiser(
        model.denoiser,
        data,
        samples=4,
        points=4,
        sampling=Sampling(classes=model.classes, schedule=SHORT),
    )
    assert np.isfinite(found.curves["train"].distance).all()
    with pytest.raises(InputError, match="its random labels are known for those only"):
        load_for(model, tmp_path / "others.npy")
    with pytest.raises(UsageError, match="random labels, which only its training images"):
        load_test_for(model, tmp_path / "others.npy", data)


def test_random_labels_that_no_image_drew_do_not_keep_a_run_from_being_measured(made, tmp_path):
    np.save(tmp_path / "images.npy", made.pixels.transpose(0, 2, 3, 1))
    config = CONFIG.replace(labels="random:50")
    images = load_training_images(tmp_path / "images.npy")
    train_run(images, tmp_path / "run", config, device="cpu")
    model = open_model(tmp_path / "run")
    data = load_for(model, tmp_path / "images.npy")
    assert len(np.unique(data.labels)) < model.classes == 50
    found = evaluate_denoiser(
        model.denoiser, data, samples=4, points=4, sampling=Sampling(classes=50, schedule=SHORT)
    )
    assert np.isfinite(found.curves["train"].distance).all()


@pytest.mark.parametrize("damage", [{"size": "8"}, {"only": 3}, {"train": 5}])
def test_a_run_whose_source_is_damaged_is_refused(made, tmp_path, damage):
    np.save(tmp_path / "images.npy", made.pixels.transpose(0, 2, 3, 1))
    chosen = {"train": str(tmp_path / "images.npy")}
    train_run(replace(made, labels=None), tmp_path / "run", CONFIG, device="cpu", source=chosen)
    path = tmp_path / "run" / "dataset.json"
    document = json.loads(path.read_text())
    document["source"] |= damage
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match=r"dataset\.json: damaged"):
        open_model(tmp_path / "run")


def test_other_images_than_the_run_s_are_said(made, tmp_path):
    np.save(tmp_path / "others.npy", made.pixels[::-1].transpose(0, 2, 3, 1))
    train_run(replace(made, labels=None), tmp_path / "run", CONFIG, device="cpu")
    data = load_for(open_model(tmp_path / "run"), tmp_path / "others.npy")
    assert any("not the images that the run was trained on" in note for note in data.notes)


def test_images_that_do_not_fit_the_model_are_refused(made, tmp_path):
    with pytest.raises(InputError, match="expected images of 16 × 16, as the model makes them"):
        fit_channels(made, (3, 16, 16))
    with pytest.raises(InputError, match="for a model of one channel, got colors"):
        fit_channels(made, (1, 8, 8))
    grey = replace(made, pixels=np.repeat(made.pixels[:, :1], 3, axis=1))
    np.testing.assert_array_equal(fit_channels(grey, (1, None, None)).pixels, made.pixels[:, :1])
    with pytest.raises(InputError, match="found no such folder"):
        open_model(tmp_path / "missing")
    with pytest.raises(InputError, match="found neither file there"):
        open_model(tmp_path)
