from functools import partial

import pytest

from .factories import build_study_config, save_images


@pytest.fixture
def images(tmp_path):
    return save_images(tmp_path / "images")


@pytest.fixture
def study_config(images):
    """A function that builds the configuration of a study which takes a second."""
    return partial(build_study_config, images)
