import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genmem.images import open_images, read_classes


@pytest.fixture(params=["folder", "zip", "tar"])
def build(request, build_folder, build_zip, build_tar, encoded, pixels):
    """Builds a source of one kind from the names of its images."""
    builders = {"folder": build_folder, "zip": build_zip, "tar": build_tar}

    def make(names):
        return builders[request.param]({name: encoded(pixels[0]) for name in names})

    return make


@pytest.mark.parametrize("top", ["", "train/", "data/train/", "cat/"])
def test_the_class_of_an_image_is_its_first_folder_below_those_that_all_images_share(build, top):
    names = ["1.png", "cat-a/3.png", "cat/1.png", "cat/tabby/2.png"]
    with open_images(build([top + name for name in names])) as source:
        ids = [source.id(n).removeprefix(top) for n in range(len(source))]
        classes = dict(zip(ids, read_classes(source), strict=True))
    assert classes == dict(zip(names, [None, "cat-a", "cat", "cat"], strict=True))


@pytest.mark.parametrize("top", ["", "train/", "data/train/"])
def test_images_in_one_folder_have_no_classes(build, top):
    with open_images(build([f"{top}{n}.png" for n in range(3)])) as source:
        assert read_classes(source) == [None] * 3


def test_a_file_that_is_no_image_beside_the_top_folder_changes_no_class(build_zip, encoded, pixels):
    names = ["LICENSE", "train/cat/1.png", "train/dog/1.png", "zoo.xml"]
    with open_images(build_zip({name: encoded(pixels[0]) for name in names})) as source:
        assert read_classes(source)[1:3] == ["cat", "dog"]


def test_a_stray_image_beside_the_top_folder_leaves_no_single_class(build):
    with open_images(build(["preview.png", "train/cat/1.png", "train/dog/1.png"])) as source:
        assert read_classes(source) == [None] * 3


@pytest.mark.parametrize(
    ("labels", "classes"), [([3, 3, 3], [None] * 3), ([3, 4, 3], ["3", "4", "3"])]
)
def test_labels_that_are_all_equal_are_no_classes(labels, classes, tmp_path, encoded, pixels):
    images = [encoded(image) for image in pixels[:3]]
    pq.write_table(pa.table({"image": images, "label": labels}), tmp_path / "a.parquet")
    with open_images(tmp_path / "a.parquet") as source:
        assert read_classes(source) == classes
    with open_images(np.zeros((3, 4, 4, 3), np.uint8)) as source:
        assert read_classes(source) == [None] * 3
