"""Verifying finds numbers that are possible and yet not those of the features."""

import numpy as np
import pytest

from genmem import build_reference
from genmem.errors import InputError
from genmem.reference.verify import verify_reference


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("euclidean_distances", lambda array: array * 2),
        ("cosine_distances", lambda array: array * 0.999),
        ("euclidean_indices", lambda array: np.roll(array, 1, axis=1)),
        ("subset_distances", lambda array: array * 2),
        ("test_cosine_distances", lambda array: np.minimum(array, 1e-7)),
        ("test_cosine_indices", np.zeros_like),
        ("test_euclidean_distances", lambda array: array / 2),
        ("repeats", lambda array: array + 1),
        ("near_duplicates", lambda array: array + 1),
    ],
)
def test_numbers_of_other_features_are_found(reference, forge, name, change):
    forge(name, change)
    with pytest.raises(InputError, match=rf"{name}\.npy: .* disagree with the features") as caught:
        verify_reference(reference.folder)
    assert "\n" not in str(caught.value)


def test_many_equal_rows_are_no_disagreement(tmp_path):
    train = np.repeat(np.eye(4, 6, dtype=np.float32), 20, axis=0)
    train[70:] = 0
    build_reference(train=train, test=train[::3], out=tmp_path / "train.genmem")
    verify_reference(tmp_path / "train.genmem")
