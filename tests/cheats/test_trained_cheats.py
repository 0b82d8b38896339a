"""The trained parts against what their formulas say."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genmem.cheats import mgan, rows
from genmem.cheats.mgan_store import memorize_in_store
from genmem.cheats.mixing import draw_members, draw_partners, mix_images, to_levels, to_unit


def test_rows_trained_in_blocks_are_the_rows_of_the_whole_dense_layer():
    """One-hot inputs through one N × pixels layer, trained at once, give the same."""
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(9, 20, generator=generator)
    start = torch.randn(9, 20, generator=generator)

    layer = torch.nn.Linear(9, 20, bias=False)
    with torch.no_grad():
        layer.weight.copy_(start.T)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.3)
    for step in range(25):
        optimizer.param_groups[0]["lr"] = 0.3 * (1 - step / 25)
        optimizer.zero_grad()
        output = torch.sigmoid(layer(torch.eye(9)))
        torch.nn.functional.binary_cross_entropy(output, target, reduction="sum").backward()
        optimizer.step()
    whole = torch.sigmoid(layer(torch.eye(9))).detach()

    for block in (slice(0, 4), slice(4, 9)):

        def loss(output, wanted=target[block]):
            return torch.nn.functional.binary_cross_entropy(output, wanted, reduction="sum")

        result = rows.train_rows(start[block].clone(), loss, steps=25, rate=0.3)
        torch.testing.assert_close(result, whole[block], rtol=1e-5, atol=1e-6)


def test_blocks_cover_every_row_once():
    for count in (1, rows.BLOCK, rows.BLOCK + 1, 3 * rows.BLOCK):
        covered = [row for one in rows.blocks(count) for row in range(one.start, one.stop)]
        assert covered == list(range(count))


def test_the_store_does_not_depend_on_how_rows_are_blocked(images, monkeypatch):
    whole = memorize_in_store(images, rng=np.random.default_rng(0))
    monkeypatch.setattr(rows, "BLOCK", 5)
    parts = memorize_in_store(images, rng=np.random.default_rng(0))
    np.testing.assert_allclose(parts.astype(int), whole.astype(int), atol=1)


def test_the_classifiers_score_is_its_formula():
    rng = np.random.default_rng(0)
    images, centres = rng.random((2, 3, 12))
    slow = [
        4 * (1 - sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) / (12 * (6 / 255) ** 2))
        for one, other in zip(images, centres, strict=True)
    ]
    fast = mgan.scores(torch.from_numpy(images), torch.from_numpy(centres))
    np.testing.assert_allclose(fast.numpy(), slow)


def test_the_classifier_accepts_members_and_refuses_noisy_ones_and_others(images):
    members = to_unit(images)
    others = members.roll(1, dims=0)
    rng = np.random.default_rng(1)
    centres = mgan.train_classifier(members, others, rng)
    noise = torch.from_numpy(rng.normal(0, 3 * mgan.RADIUS, members.shape))
    assert (mgan.scores(members, centres) > 0).all()
    assert (mgan.scores(members + noise, centres) < 0).all()
    assert (mgan.scores(others, centres) < 0).all()


def test_the_generator_never_sees_the_images_but_passes_the_classifier(images):
    generated = mgan.generate_against_classifier(
        images, np.arange(len(images)), rng=np.random.default_rng(2)
    )
    errors = np.sqrt(np.square(generated.astype(float) - images).mean(axis=(1, 2, 3)))
    assert (errors < 1.5 * 255 * mgan.RADIUS).all()
    assert (errors > 0.5).all()


@given(count=st.integers(1, 50), members=st.integers(2, 20), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=50)
def test_members_are_used_equally_often_and_never_mixed_with_themselves(count, members, seed):
    rng = np.random.default_rng(seed)
    first = draw_members(count, members, rng)
    used = np.bincount(first, minlength=members)
    assert len(first) == count
    assert used.max() - used.min() <= 1
    second = draw_partners(first, members, rng)
    assert ((second >= 0) & (second < members) & (second != first)).all()


def test_a_mixture_rounds_to_the_nearest_level():
    images = np.array([0, 100], np.uint8).reshape(2, 1, 1, 1).repeat(3, axis=3)
    generated = mix_images(images, np.array([0, 1]), np.array([1, 0]), 0.999)
    np.testing.assert_array_equal(generated[:, 0, 0, 0], [0, 100])
    generated = mix_images(images, np.array([0, 1]), np.array([1, 0]), 0.7)
    np.testing.assert_array_equal(generated[:, 0, 0, 0], [30, 70])


def test_pixels_survive_the_way_to_networks_and_back(images):
    np.testing.assert_array_equal(to_levels(to_unit(images), images), images)
