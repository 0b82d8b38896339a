"""Images drawn from a run, as files in a zip."""

import zipfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from genmem.training.common import checkpoint
from genmem.training.common.dataset import load_shared_images
from genmem.training.gan.config import GanConfig
from genmem.training.gan.sampling import folder_names, sample_run, write_zip
from genmem.training.gan.trainer import GanTrainer

from ..fixtures import cpu_accelerator


@pytest.fixture
def saved(small, images, tmp_path):
    """Write the checkpoint of a new run; its folder."""

    def save(model, classes):
        config = GanConfig(**small | {"model": model})
        data = replace(load_shared_images(str(images), size=16), classes=classes)
        training = GanTrainer(config, data, cpu_accelerator(config), None)
        training.save(tmp_path / checkpoint.CHECKPOINT_FILE)
        return tmp_path

    return save


def names_in(path):
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def test_a_model_that_knows_no_classes_invents_none(saved, tmp_path):
    write_zip(saved("dcgan", ("cat", "dog")), 3, tmp_path / "made.zip")
    assert names_in(tmp_path / "made.zip") == ["000000.png", "000001.png", "000002.png"]


def test_a_class_s_name_leads_to_no_other_folder(saved, tmp_path):
    write_zip(saved("sagan", ("../../evil", "/etc/dog")), 3, tmp_path / "made.zip")
    assert names_in(tmp_path / "made.zip") == [
        "___.._evil/000000.png",
        "_etc_dog/000001.png",
        "___.._evil/000002.png",
    ]


def test_the_images_of_a_zip_are_those_of_the_run_in_their_order(saved, tmp_path):
    run = saved("sagan", ("cat", "dog"))
    write_zip(run, 103, tmp_path / "made.zip", seed=4)  # more than a batch
    expected = sample_run(run, 103, seed=4)
    with zipfile.ZipFile(tmp_path / "made.zip") as archive:
        for image, name in zip(expected, archive.namelist(), strict=True):
            with archive.open(name) as file:
                assert np.array_equal(np.asarray(Image.open(file)).transpose(2, 0, 1), image)


@given(st.lists(st.text(st.characters(), max_size=8) | st.sampled_from(["..", ".", "a", "A"])))
def test_folder_names_are_safe_and_no_two_the_same(classes):
    found = folder_names(classes)
    assert len({name.casefold() for name in found}) == len(found) == len(classes)
    for name in found:
        assert name
        assert not set(name) & set('/\\:*?"<>|')
        assert name[0] not in ". "
        assert name[-1] not in ". "
        assert name.isprintable()
        name.encode()


def test_ordinary_names_stay_as_they_are():
    assert folder_names(["cat", "maine coon", "Käfer", "v1.2"]) == [
        *("cat", "maine coon", "Käfer", "v1.2")
    ]
