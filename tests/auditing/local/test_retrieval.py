"""Votes of descriptors for training images, against the rule written out."""

import numpy as np
import pytest

pytest.importorskip("faiss", reason="needs the extra local")

from genmem.auditing.local.keypoints import Keypoints, KeypointSet
from genmem.auditing.local.retrieval import (
    BACKGROUND,
    MOST_OVERLAYS,
    NEIGHBORS,
    OVERLAY,
    build_index,
)


def descriptors(rng, count):
    """Random descriptors of length 512, nearly."""
    values = rng.random((count, 128)) ** 3
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return np.minimum(np.rint(512 * values), 255).astype(np.uint8)


def keypoint_set(images):
    rows = [np.hstack([np.zeros((len(image), 16), np.uint8), image]) for image in images]
    ends = np.concatenate([[0], np.cumsum([len(image) for image in images])]).astype(np.int64)
    return KeypointSet(ends, np.full((len(images), 2), 64, np.int32), np.concatenate(rows))


def query(values):
    return Keypoints(np.zeros((len(values), 4), np.float32), values, 64, 64)


def jittered(rng, values):
    """The same descriptors after a slight change, each one's own."""
    return np.clip(values + rng.integers(-2, 3, values.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return [descriptors(rng, 30) for _ in range(40)]


NOBODY = np.empty(0, np.int64)


def test_the_source_of_a_part_of_the_descriptors_gets_most_votes(images):
    rng = np.random.default_rng(1)
    index = build_index(keypoint_set(images), np.arange(40), seed=0)
    part = np.concatenate([jittered(rng, images[17][:6]), descriptors(rng, 24)])
    assert index.vote(query(part), most=5, own=NOBODY).images[0] == 17
    assert 17 not in index.vote(query(part), most=40, own=np.array([17])).images


def test_the_background_is_the_distance_to_the_tenth_nearest_image(images):
    index = build_index(keypoint_set(images), np.arange(40), seed=0)
    index.index.nprobe = index.index.nlist  # exact
    values = jittered(np.random.default_rng(2), images[3][:5])
    background = index.vote(query(values), most=1, own=NOBODY).background
    for row, expected in zip(values.astype(float), background, strict=True):
        squared = np.stack([((image - row) ** 2).sum(axis=1) for image in images])
        if np.sort(squared.ravel())[NEIGHBORS - 1] > np.sort(squared.min(axis=1))[BACKGROUND - 1]:
            assert np.sort(squared.min(axis=1))[BACKGROUND - 1] == expected


def test_the_index_of_some_rows_proposes_only_these(images):
    index = build_index(keypoint_set(images), np.arange(0, 40, 2), seed=0)
    votes = index.vote(query(images[5]), most=40, own=NOBODY)
    assert set(votes.images.tolist()) <= set(range(0, 40, 2))


def test_what_ten_images_share_is_an_overlay_and_matches_nothing(images):
    rng = np.random.default_rng(3)
    mark = descriptors(rng, 8)
    marked = [np.concatenate([image, jittered(rng, mark)]) for image in images]
    index = build_index(keypoint_set(marked), np.arange(40), seed=0)
    assert index.overlay == OVERLAY
    votes = index.vote(query(np.concatenate([mark, images[4][:4]])), most=5, own=NOBODY)
    assert (votes.background[:8] == 0).all()
    assert (votes.background[8:] > 0).all()
    assert votes.images[0] == 4


def test_where_most_of_all_images_is_shared_nothing_is_an_overlay(images):
    rng = np.random.default_rng(4)
    page = descriptors(rng, 60)
    pages = [np.concatenate([jittered(rng, page), image[:10]]) for image in images]
    assert len(page) / len(pages[0]) > MOST_OVERLAYS
    index = build_index(keypoint_set(pages), np.arange(40), seed=0)
    assert index.overlay == 0


def test_images_without_keypoints_have_no_votes():
    empty = np.empty((0, 128), np.uint8)
    index = build_index(keypoint_set([empty] * 5), np.arange(5), seed=0)
    votes = index.vote(query(descriptors(np.random.default_rng(0), 3)), most=5, own=NOBODY)
    assert len(votes.images) == 0
