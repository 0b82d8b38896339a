from functools import partial

import pytest

from .small_models import build_request, save_images


@pytest.fixture
def images(tmp_path):
    return save_images(tmp_path / "images")


@pytest.fixture
def request_of(images):
    """A function that builds a request of a study which takes a second."""
    return partial(build_request, images)
