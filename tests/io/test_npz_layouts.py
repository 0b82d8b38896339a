"""What an .npz file holds is in the names of its arrays, never in their shapes alone."""

import numpy as np
import pytest

from genmem.errors import InputError
from genmem.io.npz_layouts import npz_layout

MU, SIGMA = np.zeros(5), np.eye(5)
IMAGES = np.zeros((5, 4, 4, 3), np.uint8)


@pytest.mark.parametrize(
    ("arrays", "kind", "rows", "statistics"),
    [
        ({"mu": MU, "sigma": SIGMA}, "statistics", "", "pytorch-fid"),
        ({"mu": MU, "sigma": SIGMA, "mu_s": MU, "sigma_s": SIGMA}, "statistics", "", "ADM"),
        ({"arr_0": IMAGES, "mu": MU, "sigma": SIGMA}, "images", "arr_0", "ADM"),
        ({"images": IMAGES, "mu": MU, "sigma": SIGMA}, "images", "images", "pytorch-fid"),
        ({"arr_0": IMAGES, "arr_1": np.arange(5)}, "images", "arr_0", None),
        ({"images": IMAGES, "labels": np.eye(5)}, "images", "images", None),
        ({"features": SIGMA, "labels": MU}, "features", "features", None),
        ({"feats": SIGMA}, "features", "feats", None),
        ({"whatever": IMAGES}, "images", "whatever", None),
    ],
)
def test_known_names_say_what_a_file_holds(tmp_path, arrays, kind, rows, statistics):
    np.savez(tmp_path / "a.npz", **arrays)
    layout = npz_layout(tmp_path / "a.npz")
    assert (layout.kind, layout.rows, layout.statistics) == (kind, rows, statistics)


@pytest.mark.parametrize(
    "arrays",
    [
        {"arr_0": MU, "arr_1": SIGMA},  # numpy.savez(path, mu, sigma)
        {"arr_0": SIGMA, "arr_1": MU},
        {"mu": MU, "cov": SIGMA},
        {"sigma": SIGMA},
        {"mean": MU, "cov": SIGMA},
        {"mu": MU, "sigma": SIGMA, "features": SIGMA},
        {"mu": MU, "sigma": SIGMA, "arr_0": SIGMA},
        {"x": SIGMA, "y": MU},
        {"x": IMAGES, "y": IMAGES},
        {},
    ],
)
def test_arrays_whose_meaning_is_unknown_are_refused_with_their_names(tmp_path, arrays):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError, match="statistics named mu and sigma") as error:
        npz_layout(tmp_path / "a.npz")
    assert all(name in str(error.value) for name in arrays)
