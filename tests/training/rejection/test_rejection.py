"""Memorization rejection against a slow version written from the paper's definition."""

import numpy as np
import pytest
import torch
from torch import nn

from genmem.errors import GenmemError, InputError, UsageError
from genmem.training import MemorizationRejection, RejectsEverythingError, ramp

from .factories import (
    Projection,
    as_float,
    features,
    make,
    random_pixels,
    slow_distances,
    threshold,
)


def test_distances_and_choice_are_those_of_the_definition(train, near):
    slow = slow_distances(near, train, Projection())
    tau = threshold(slow)
    judged = make(train, tau)(near)
    assert judged.distances is not None
    np.testing.assert_allclose(judged.distances.numpy(), slow, atol=1e-5)
    np.testing.assert_array_equal(judged.keep, slow > tau)


def test_an_image_at_the_threshold_itself_is_rejected():
    rows = np.eye(4, dtype=np.float32)
    module = nn.Flatten()
    rejection = MemorizationRejection(rows[1:], backbone=module, tau=1.0)
    judged = rejection(torch.tensor([[[[1]], [[0]], [[0]], [[0]]]], dtype=torch.uint8))
    assert judged.distances is not None
    assert judged.distances.tolist() == [1.0]
    assert not judged.keep.item()


@pytest.mark.parametrize("search", ["exact", "pruned", "faiss"])
def test_every_search_makes_the_choice_of_the_definition(train, near, search):
    slow = slow_distances(near, train, Projection())
    tau = threshold(slow)
    judged = make(train, tau, search=search)(near)
    assert judged.distances is not None
    distances = judged.distances.numpy()
    np.testing.assert_array_equal(judged.keep, slow > tau)
    rejected = slow <= tau
    np.testing.assert_allclose(distances[rejected], slow[rejected], atol=1e-5)
    assert (distances[~rejected] > tau).all()


def test_filter_goes_on_with_the_survivors_of_one_batch(train, near):
    tau = threshold(slow_distances(near, train, Projection()))
    keep = torch.from_numpy(slow_distances(near, train, Projection()) > tau)
    rejection = make(train, tau)
    fake = rejection.sample(lambda count: near[:count], len(near))
    assert torch.equal(fake, near[keep])
    assert rejection.pop_statistics().redraws == 0


def test_filter_draws_the_whole_batch_anew_only_when_none_survives(train, near):
    tau = threshold(slow_distances(near, train, Projection()))
    batches = iter([near[:3], near[:3], near[-3:]])
    rejection = make(train, tau)
    fake = rejection.sample(lambda count: next(batches), 3)
    assert torch.equal(fake, near[-3:])
    assert rejection.pop_statistics().redraws == 2


def slow_resample(draw, labels, train, tau):
    """Algorithm 1, image by image: draw for its label until it is farther than τ."""
    found = []
    for label in labels.tolist():
        while True:
            image = draw(label)
            if slow_distances(image[None], train, Projection())[0] > tau:
                found.append(image)
                break
    return torch.stack(found)


def sequences(near):
    """For every label a sequence of images of its own, the same each time it is asked for."""
    orders = [np.random.default_rng(label).permutation(len(near)).tolist() for label in range(6)]
    taken = [0] * 6

    def draw(label):
        image = near[orders[label][taken[label]]]
        taken[label] += 1
        return image

    return draw


def test_resample_is_algorithm_1_and_keeps_the_labels(train, near):
    tau = threshold(slow_distances(near, train, Projection()))
    labels = torch.arange(6)
    slow = slow_resample(sequences(near), labels, train, tau)
    draw = sequences(near)
    rejection = make(train, tau, mode="resample", smallest_draw=1)
    fake, kept = rejection.sample_labelled(
        lambda asked: torch.stack([draw(label) for label in asked.tolist()]), labels
    )
    assert torch.equal(kept, labels)
    assert torch.equal(fake, slow)


def test_resample_draws_a_few_more_at_once_and_takes_one_for_each_place(train, near):
    tau = threshold(slow_distances(near, train, Projection()))
    asked_for = []

    def draw(labels):
        asked_for.append(len(labels))
        start = 3 * len(asked_for)
        return near[start : start + len(labels)]

    labels = torch.arange(8)
    rejection = make(train, tau, mode="resample", smallest_draw=4)
    fake, kept = rejection.sample_labelled(draw, labels)
    assert torch.equal(kept, labels)
    assert len(fake) == 8
    assert min(asked_for) >= 4
    assert (slow_distances(fake, train, Projection()) > tau).all()


def test_resample_gives_what_it_has_when_its_tries_are_over(train, near):
    tau = threshold(slow_distances(near, train, Projection()))
    rejection = make(train, tau, mode="resample", max_tries=3, smallest_draw=1)

    def draw(labels):
        return torch.stack([near[0] if label == 0 else near[-1] for label in labels.tolist()])

    fake, labels = rejection.sample_labelled(draw, torch.tensor([1, 0, 2]))
    assert labels.tolist() == [1, 2]
    assert len(fake) == 2


def test_no_gradient_flows_through_the_embedding_or_the_choice(train, near):
    tau = threshold(slow_distances(near, train, Projection()))
    scale = torch.ones((), requires_grad=True)
    embedding = Projection()
    rejection = MemorizationRejection(train, backbone=embedding, tau=tau)
    loss = rejection.sample(lambda count: near * scale, len(near)).mean()
    loss.backward()
    survivors = near[torch.from_numpy(slow_distances(near, train, Projection()) > tau)]
    assert scale.grad is not None
    torch.testing.assert_close(scale.grad, survivors.mean())
    assert embedding.weight.grad is None
    distances = rejection(near).distances
    assert distances is not None
    assert not distances.requires_grad


def test_within_classes_only_copies_of_the_same_class_are_rejected(train):
    rejection = make(train, 1e-4, categories=np.arange(40) % 2)
    copies = as_float(train[:4])
    same = rejection(copies, torch.tensor([0, 1, 0, 1]))
    other = rejection(copies, torch.tensor([1, 0, 1, 0]))
    assert not same.keep.any()
    assert other.keep.all()
    with pytest.raises(UsageError, match="labels"):
        rejection(copies)
    with pytest.raises(InputError, match="label 7"):
        rejection(copies, torch.tensor([0, 7, 0, 1]))
    with pytest.raises(InputError, match="expected 4 labels, one per image, got"):
        rejection(copies, torch.tensor([0, 1]))


def test_a_flipped_copy_passes_unless_flips_are_stored(train):
    flipped = as_float(train[:5]).flip(3)
    assert make(train, 1e-4)(flipped).keep.all()
    assert not make(train, 1e-4, flips=True)(flipped).keep.any()
    assert make(train, "auto", flips=True).tau == make(train, "auto").tau


def test_nothing_is_rejected_or_embedded_in_the_warm_up_and_tau_then_rises(train):
    embedding = Projection()
    rejection = MemorizationRejection(
        train, backbone=embedding, tau=0.4, warm_up=2, schedule=ramp(4)
    )
    embedding.seen = 0
    copies = as_float(train[:3])
    assert rejection(copies).keep.all()
    assert rejection(copies).distances is None
    assert embedding.seen == 0
    taus = []
    for _ in range(8):
        taus.append(rejection.tau_now)
        rejection.step()
    assert taus == pytest.approx([0, 0, 0.1, 0.2, 0.3, 0.4, 0.4, 0.4])
    assert not rejection(copies).keep.any()


def test_steps_are_counted_by_sample_and_kept_in_a_state(train, near):
    rejection = make(train, 0.0)
    for _ in range(3):
        rejection.sample(lambda count: near[:count], 4)
    again = make(train, 0.0, warm_up=5)
    again.load_state_dict(rejection.state_dict())
    assert again.steps == 3


@pytest.mark.parametrize("mode", ["filter", "resample"])
def test_a_threshold_that_rejects_everything_stops_with_acceptance_and_a_hint(train, near, mode):
    rejection = make(train, 2.0, mode=mode, max_tries=5)
    drawn = []

    def draw(count):
        drawn.append(count)
        return near[:count]

    with pytest.raises(RejectsEverythingError) as caught:
        rejection.sample(draw, 8)
    assert len(drawn) == 5
    message = str(caught.value)
    for words in ("40 generated images", "tau = 2", "acceptance 0 %", "Lower tau"):
        assert words in message


def test_the_hint_after_tau_auto_is_a_lower_number(train):
    rejection = make(train, "auto", max_tries=1)
    with pytest.raises(RejectsEverythingError, match="lower number than 'auto' took"):
        rejection.sample(lambda count: as_float(train[:count]), 4)


@pytest.mark.parametrize("shape", [(3, 6, 6), (6, 6), (4, 108)])
def test_generated_images_that_are_no_batch_are_refused(train, shape):
    with pytest.raises(InputError, match=r"expected a tensor \[b, 3, H, W\]"):
        make(train, 0.1)(torch.zeros(shape))


def test_three_lines_in_a_plain_loop_keep_a_generator_from_copying(train):
    target = as_float(train[:1])
    generator = nn.Linear(4, 3 * 6 * 6)
    optimizer = torch.optim.Adam(generator.parameters(), lr=0.05)
    draws = torch.Generator().manual_seed(0)

    def draw(count):
        z = torch.randn(count, 4, generator=draws)
        return torch.tanh(generator(z)).view(count, 3, 6, 6)

    reject = make(train, 0.02)
    stopped = False
    for _ in range(400):
        try:
            fake = reject.sample(draw, 8)
        except RejectsEverythingError:
            stopped = True
            break
        loss = (fake - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    # A generator drawn to one training image stops at the threshold instead of reaching it.
    distances = slow_distances(draw(20).detach(), train, Projection())
    assert stopped or distances.mean() > 0.005
    assert distances.mean() > 1e-3


def test_features_and_images_give_the_same_rejection(train, near):
    embedding = Projection()
    rows = features(as_float(train), embedding).astype(np.float32)
    from_rows = MemorizationRejection(rows, backbone=embedding, tau="auto")
    from_images = MemorizationRejection(train, backbone=embedding, tau="auto")
    assert from_rows.tau == pytest.approx(from_images.tau, abs=1e-6)
    torch.testing.assert_close(from_rows(near).distances, from_images(near).distances)


def test_features_of_a_named_embedding_are_computed_once_and_mapped(train, monkeypatch, tmp_path):
    first = MemorizationRejection(train, backbone="pixels")
    assert len(list((tmp_path / "cache" / "training").glob("*.npy"))) == 1

    def never(*arguments, **options):
        raise AssertionError("computed again")

    monkeypatch.setattr("genmem.training.rejection.embedding.embed_all", never)
    assert MemorizationRejection(train, backbone="pixels").tau == first.tau


def test_uint8_and_another_range_of_values_are_the_same_images(train, near):
    pixels = ((near + 1) * 127.5).round().to(torch.uint8)
    expected = make(train, 0.1)(near).distances
    torch.testing.assert_close(make(train, 0.1)(pixels).distances, expected)
    unit = make(train, 0.1, value_range=(0.0, 1.0))((near + 1) / 2).distances
    torch.testing.assert_close(unit, expected)


def test_half_precision_chooses_almost_alike(train, near):
    exact = make(train, 0.1)(near).distances
    torch.testing.assert_close(
        make(train, 0.1, half=True)(near).distances, exact, atol=2e-2, rtol=0
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tau": -0.1}, "tau"),
        ({"tau": 3}, "tau"),
        ({"tau": "high"}, "tau"),
        ({"mode": "drop"}, "filter, resample"),
        ({"tau": None}, "tau"),
        ({"tau": True}, "tau"),
        ({"tau": float("nan")}, "tau"),
        ({"max_tries": 0}, "max_tries"),
        ({"max_tries": 2.5}, "max_tries"),
        ({"warm_up": "long"}, "warm_up"),
        ({"value_range": (0, 0)}, "value_range"),
        ({"value_range": 1}, "value_range"),
        ({"search": "fast"}, "auto, exact, pruned, faiss"),
        ({"categories": [0, 1]}, "categories"),
        ({"categories": [0] * 40, "search": "pruned"}, "pruned"),
    ],
)
def test_settings_that_are_not_possible_are_refused(train, options, words):
    with pytest.raises((UsageError, InputError), match=words):
        MemorizationRejection(train, backbone=Projection(), **options)


@pytest.mark.parametrize(
    "given",
    [random_pixels(1, 0), random_pixels(5, 0).astype(float), random_pixels(5, 0)[0]],
    ids=["one image", "float images", "no batch"],
)
def test_training_images_of_the_wrong_kind_are_refused(given):
    with pytest.raises(InputError, match="train"):
        MemorizationRejection(given, backbone=Projection())


def test_features_of_another_embedding_are_refused(near):
    rows = np.random.default_rng(0).normal(size=(10, 7)).astype(np.float32)
    rejection = MemorizationRejection(rows, backbone=Projection())
    with pytest.raises(InputError, match="expected 7 features"):
        rejection(near)


def test_a_draw_of_another_number_than_asked_for_is_refused(train, near):
    with pytest.raises(InputError, match="draw: expected 8 images, as asked for, got 5"):
        make(train, 0.1).sample(lambda count: near[:5], 8)


@pytest.mark.parametrize(
    "given",
    [
        {"search": "exat"},
        {"search": "pruned", "categories": [0] * 40},
        {"categories": [0, 1]},
    ],
)
def test_what_cannot_be_searched_is_refused_before_images_are_embedded(train, given):
    embedding = Projection()
    with pytest.raises(GenmemError):
        MemorizationRejection(train, backbone=embedding, **given)
    assert embedding.seen == 0
