"""The merged search over forms against a slow one that looks at every form of every image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genmem.auditing.search import (
    Matches,
    Queries,
    most_significant_first,
    nearest_over_augmentations,
)


def slow(queries, forms, kept, k, own=None):
    """For each query: (distance, training row, form) of the k nearest different training rows."""
    found = []
    for i, query in enumerate(queries):
        best = []
        for place, row in enumerate(kept):
            if own is not None and own[i] == row:
                continue
            distances = [np.linalg.norm(query - form[place]) for form in forms]
            form = int(np.argmin(distances))
            best.append((distances[form], row, form))
        found.append(sorted(best)[:k])
    return found


@given(
    st.integers(1, 4), st.integers(4, 12), st.integers(1, 3), st.booleans(), st.integers(0, 9_999)
)
@settings(deadline=None, max_examples=60)
def test_the_merged_search_equals_the_slow_search(forms, rows, k, leave_out, seed):
    rng = np.random.default_rng(seed)
    made = [rng.normal(size=(rows, 5)).astype(np.float32) for _ in range(forms)]
    kept = np.sort(rng.choice(100, rows, replace=False))
    own = kept[:4] if leave_out else None
    queries = made[0][:4] if leave_out else rng.normal(size=(4, 5)).astype(np.float32)
    found = nearest_over_augmentations(
        {"q": Queries(array=queries, train_rows=own)},
        [iter([form[:3], form[3:]]) for form in made],
        train_rows=kept,
        k=k,
        metric="euclidean",
    )["q"]
    expected = slow(queries.astype(np.float64), made, kept, k, own)
    for i, row in enumerate(expected):
        assert found.distances[i] == pytest.approx([one[0] for one in row])
        assert found.train[i].tolist() == [one[1] for one in row]
        assert found.augmentations[i].tolist() == [one[2] for one in row]


def test_a_flipped_copy_names_its_nearest_augmentation():
    train = np.eye(4, dtype=np.float32)
    flipped = train[:, ::-1].copy() * 2
    found = nearest_over_augmentations(
        {"q": Queries(array=flipped[:1])},
        [iter([train]), iter([flipped])],
        train_rows=np.arange(4),
        k=2,
        metric="euclidean",
    )["q"]
    assert found.train[0, 0] == 0
    assert found.augmentations[0, 0] == 1
    assert found.distances[0, 0] == 0


def matches(distances, train, form):
    train = np.array(train)
    return Matches(
        distances=np.array(distances, float), train=train, augmentations=np.full(train.shape, form)
    )


def test_the_most_significant_match_comes_first_and_no_image_is_listed_twice():
    plain = matches([[0.5, 0.6], [0.5, 0.6]], [[7, 8], [7, 8]], 0)
    flipped = matches([[0.1, 0.9], [0.7, 0.8]], [[9, 7], [9, 7]], 1)
    found = most_significant_first([plain, flipped], np.array([1, 1]), 3)
    assert found.train.tolist() == [[9, 7], [9, 7]]
    assert found.distances.tolist() == [[0.1, 0.5], [0.7, 0.5]]
    assert found.augmentations.tolist() == [[1, 0], [1, 0]]
    assert most_significant_first([plain], np.array([0, 0]), 1).train.tolist() == [[7], [7]]
