import pytest

from genmem.images.classes import class_of_path


@pytest.mark.parametrize(
    ("image_id", "name"),
    [("cat/1.png", "cat"), ("cat/tabby/2.png", "cat"), ("3.png", None), ("cat.png", None)],
)
def test_the_class_of_an_image_is_its_first_level_folder(image_id, name):
    assert class_of_path(image_id) == name
