"""Twenty-odd ways in which PyTorch users hold images, each with the value of the plain array."""

import functools
import io
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

import genmem
from genmem.errors import InputError, UsageError

SHAPE = (12, 8, 8, 3)
PIXELS = np.random.default_rng(5).integers(0, 256, SHAPE, dtype=np.uint8)
TRAIN = np.random.default_rng(6).integers(0, 256, SHAPE, dtype=np.uint8)
NCHW = torch.from_numpy(PIXELS.transpose(0, 3, 1, 2).copy())
UNIT = NCHW.float() / 255
PILLOW = [Image.fromarray(pixels) for pixels in PIXELS]
UNIT_RANGE = {"value_range": (0, 1)}


def encoded(image):
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


class Labelled(Dataset):
    """A map-style data set of (image, label), without an end that iteration would find."""

    def __len__(self):
        return len(PIXELS)

    def __getitem__(self, index):
        return PILLOW[index % len(PIXELS)], index % 3


class Stream(IterableDataset):
    def __iter__(self):
        return ({"image": image, "label": 1} for image in NCHW)


class Output:
    def __init__(self, images):
        self.images = images


class Sampler:
    """What a diffusers pipeline does: `batch_size` images a call, under `images`."""

    done = 0

    def __call__(self, batch_size=1, output_type="pil"):
        self.done += batch_size
        return Output(PILLOW[self.done - batch_size : self.done])


def function():
    rest = list(NCHW.split(1))
    return lambda n: torch.cat([rest.pop(0) for _ in range(n)])


def folder(path):
    for number, image in enumerate(PILLOW):
        image.save(path / f"{number:02d}.png")
    return path


def archive(path):
    with zipfile.ZipFile(path / "a.zip", "w") as zipped:
        for number, image in enumerate(PILLOW):
            zipped.writestr(f"{number:02d}.png", encoded(image))
    return path / "a.zip"


def array_file(path):
    np.save(path / "a.npy", PIXELS)
    return path / "a.npy"


def loader(images, **options):
    return DataLoader(TensorDataset(images, torch.arange(len(images))), batch_size=5, **options)


def dictionaries(images):
    return DataLoader([{"pixel_values": image, "id": 0} for image in images], batch_size=5)


KINDS = {
    "array, channels last": lambda path: PIXELS,
    "array, channels first": lambda path: PIXELS.transpose(0, 3, 1, 2),
    "tensor": lambda path: NCHW,
    "floats in 0 … 1": lambda path: UNIT,
    "float16 in 0 … 1": lambda path: UNIT.half(),
    "floats in −1 … 1": lambda path: UNIT * 2 - 1,
    "float64 array, channels last": lambda path: PIXELS / 255,
    "folder": folder,
    "folder as text": lambda path: str(folder(path)),
    "zip": archive,
    ".npy file": array_file,
    "list of paths": lambda path: sorted(map(str, folder(path).iterdir())),
    "list of Pillow images": lambda path: PILLOW,
    "list of arrays": lambda path: list(PIXELS),
    "encoded images": lambda path: [encoded(image) for image in PILLOW],
    "generator of images": lambda path: (image for image in PIXELS),
    "generator of batches": lambda path: iter(NCHW.split(5)),
    "generator of lists": lambda path: iter([PILLOW[:5], PILLOW[5:]]),
    "Dataset of (image, label)": lambda path: Labelled(),
    "TensorDataset": lambda path: TensorDataset(NCHW, torch.arange(12)),
    "IterableDataset of dictionaries": lambda path: Stream(),
    "DataLoader": lambda path: loader(NCHW),
    "DataLoader of floats": lambda path: loader(UNIT),
    "DataLoader of dictionaries": lambda path: dictionaries(NCHW),
    "list of (image, label)": lambda path: [(image, 7) for image in NCHW],
    "(images, labels)": lambda path: (NCHW, torch.arange(12)),
    "dictionary of images": lambda path: {"images": PIXELS, "labels": list(range(12))},
    "dictionaries with encoded images": lambda path: [
        {"image": {"bytes": encoded(image), "path": None}} for image in PILLOW
    ],
    "sampler": lambda path: genmem.sample_images(function(), 12, batch_size=5),
    "pipeline": lambda path: genmem.sample_images(Sampler(), 12, batch_size=5),
    "opened source": lambda path: genmem.open_images(PIXELS),
}

RANGES = {"floats in −1 … 1": (-1, 1)}


def score(images, value_range):
    result = genmem.score(
        generated=images,
        train=TRAIN,
        backbone="pixels",
        metrics=["memorization_distance"],
        value_range=value_range,
    )
    return float(result["memorization_distance"])


def audit(images, value_range):
    with genmem.audit(
        generated=images, train=TRAIN, backbone="pixels@8", value_range=value_range
    ) as result:
        return float(result.spaces[0].distances.sum())


def running(images, value_range):
    running = genmem.RunningScore(
        train=TRAIN, backbone="pixels", metrics=["memorization_distance"], value_range=value_range
    )
    running.update(images)
    return float(running.compute()["memorization_distance"])


def extracted(images, value_range):
    extractor = genmem.load_backbone("pixels")
    features = genmem.extract(images, extractor=extractor, value_range=value_range)
    assert len(features.ids) == 12
    return float(features.array.sum(dtype=np.float64))


DOORS = (score, audit, running, extracted)


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_every_kind_of_images_gives_the_value_of_the_plain_array(door, tmp_path):
    plain = door(PIXELS, None)
    assert len(KINDS) >= 20
    for number, (kind, make) in enumerate(KINDS.items()):
        (tmp_path / str(number)).mkdir()
        images = make(tmp_path / str(number))
        assert door(images, RANGES.get(kind, (0, 1))) == pytest.approx(plain, rel=1e-12), kind


def test_a_list_of_paths_has_the_paths_as_ids(tmp_path):
    paths = sorted(folder(tmp_path).iterdir())
    with genmem.open_images(paths) as source:
        assert [source.id(number) for number in range(12)] == list(map(str, paths))


def test_a_range_rounds_to_the_nearest_level_and_leaves_uint8_alone():
    levels = np.arange(256, dtype=np.float64).reshape(1, 16, 16, 1) / 255
    with genmem.open_images(levels + 0.49 / 255, value_range=(0, 1)) as source:
        assert np.array_equal(source.content(0).ravel(), np.arange(256))
    with genmem.open_images(PIXELS, value_range=(0, 1)) as source:
        assert np.array_equal(source.content(3), PIXELS[3])


@pytest.mark.parametrize(
    ("images", "value_range", "reason"),
    [
        (UNIT, None, r"give value_range=\(0, 1\) or \(-1, 1\)"),
        ([UNIT], None, r"item 0 of the iterable: .*give value_range"),
        (UNIT * 2 - 1, (0, 1), r"the values go from -1 to 1, beyond value_range=\(0, 1\)"),
        (UNIT * 255, (-1, 1), r"the values go from 0 to 255"),
        (torch.full((2, 3, 8, 8), torch.nan), (0, 1), "NaN or infinite"),
    ],
)
def test_a_range_is_not_guessed_and_is_checked(images, value_range, reason):
    with pytest.raises(InputError, match=reason):
        genmem.open_images(images, value_range=value_range)


def test_a_real_pipeline_is_sampled_as_it_is_read():
    diffusers = pytest.importorskip("diffusers")
    network = diffusers.UNet2DModel(
        sample_size=8,
        block_out_channels=(8, 8),
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
    )
    pipeline = diffusers.DDPMPipeline(network, diffusers.DDPMScheduler(num_train_timesteps=2))
    pipeline.set_progress_bar_config(disable=True)
    sampler = functools.partial(pipeline, num_inference_steps=1)
    with genmem.open_images(genmem.sample_images(sampler, 5, batch_size=2)) as source:
        assert len(source) == 5
        assert source.content(4).shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("sampler", "n", "reason"),
    [
        (PIXELS, 5, "expected a function of a number of images"),
        (lambda n: NCHW, 0, "n: expected a whole number of at least 1, got 0"),
        (lambda prompt, height=8: NCHW, 5, "takes prompts. Wrap it"),
    ],
)
def test_what_is_no_sampler_is_refused_at_once(sampler, n, reason):
    with pytest.raises(UsageError, match=reason):
        genmem.sample_images(sampler, n)


@pytest.mark.parametrize("output", [NCHW[:3], PILLOW[:3], NCHW[0], "images", None])
def test_a_sampler_must_return_as_many_images_as_it_was_asked_for(output):
    with pytest.raises(InputError, match="sampler: expected 5 images"):
        genmem.open_images(genmem.sample_images(lambda n: output, 5))
