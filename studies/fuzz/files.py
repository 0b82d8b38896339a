"""Valid files of every kind that genmem reads, small and in many variants."""

from __future__ import annotations

import io
import json
import random
import tarfile
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

FORMATS = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "JPEG": ("L", "RGB", "CMYK"),
    "WEBP": ("RGB", "RGBA"),
    "GIF": ("P", "L"),
    "BMP": ("1", "L", "P", "RGB"),
    "TIFF": ("1", "L", "RGB", "CMYK", "F"),
    "AVIF": ("RGB",),
}
"""The formats of the images, each with the modes that Pillow can write in it."""

NAMES = (
    "a.png", "A.PNG", "b.jpg", "c/d.png", "train/cat/e.png", "train/dog/f.png", "../g.png",
    "/h.png", "c0\\i.png", "C:\\j.png", "ü.png", "\u202ek.png", "l" * 240 + ".png", "m", ".n.png",
    "__MACOSX/o.png", "p.txt", "q.json", "r.zip", "s/", "t\\", "a.png", "u\nv.png", " .png",
)  # fmt: skip
"""Names of entries that archives of other systems hold."""

DTYPES = ("u1", "i1", "<i4", ">i4", "<f2", "<f4", ">f4", "<f8", "?", "<c8", "U4", "M8[s]", "O")
"""dtypes of arrays in .npy files; the last needs pickle."""

SHAPES = (
    (), (0,), (1,), (8,), (8, 8), (1, 8), (0, 8), (8, 0), (40, 12), (8, 8, 3), (3, 8, 8),
    (6, 8, 8, 3), (6, 3, 8, 8), (6, 8, 8, 1), (6, 8, 8, 2), (6, 8, 8, 4), (0, 8, 8, 3),
    (2, 2, 8, 8, 3),
)  # fmt: skip
"""Shapes of arrays: features, images in both layouts, and what is neither."""

ARRAY_NAMES = ("arr_0", "arr_1", "mu", "sigma", "mu_s", "sigma_s", "images", "features", "labels")


def image(rng: random.Random, side: int | None = None) -> tuple[bytes, str]:
    """The bytes of a random image and the suffix of its format."""
    kind = rng.choice(tuple(FORMATS)) if side is None else "PNG"
    width = side or rng.choice((1, 3, 16, 16, 64))
    height = side or rng.choice((1, 16, 16, 300))
    mode = rng.choice(FORMATS[kind]) if side is None else "RGB"
    pixels = rng.randbytes(width * height * 3)
    picture = Image.frombytes("RGB", (width, height), pixels)
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture.convert("L"), dtype=np.uint16) * 257)
    else:
        picture = picture.convert("RGBA" if mode == "LA" else mode)
    frames = [picture.rotate(90 * n) for n in range(1, 3)] if rng.random() < 1 / 4 else []
    several = {"save_all": True, "append_images": frames} if kind in ("GIF", "TIFF") else {}
    content = io.BytesIO()
    picture.save(content, kind, **several)
    return content.getvalue(), f".{kind.lower()}"


def folder(rng: random.Random, path: Path, *, images: int = 12, side: int = 8) -> Path:
    """A folder of `images` PNG files, in two classes."""
    for number in range(images):
        file = path / ("cat" if number % 2 else "dog") / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(image(rng, side)[0])
    return path


def archive(rng: random.Random) -> tuple[bytes, str]:
    """A zip or tar of a few images under names of `NAMES`, and its suffix."""
    names = rng.choice((NAMES, NAMES[:6]))
    entries = [(rng.choice(names), image(rng, 8)[0]) for _ in range(rng.randint(0, 8))]
    content = io.BytesIO()
    if rng.random() < 1 / 2:
        with warnings.catch_warnings(), zipfile.ZipFile(content, "w") as target:
            warnings.simplefilter("ignore")  # the same name twice is meant
            for name, data in entries:
                target.writestr(zipfile.ZipInfo(name), data, rng.choice((0, 8, 12, 14)))
        return content.getvalue(), ".zip"
    suffix = rng.choice((".tar", ".tar", ".tar.gz", ".tgz"))
    with tarfile.open(fileobj=content, mode="w" if suffix == ".tar" else "w:gz") as target:
        for name, data in entries:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            entry.type = rng.choice((tarfile.REGTYPE, tarfile.REGTYPE, tarfile.SYMTYPE))
            target.addfile(entry, io.BytesIO(data))
    return content.getvalue(), suffix


def array(rng: random.Random) -> np.ndarray:
    """An array of a random dtype and shape; floats now and then hold NaN, inf or huge values."""
    shape, dtype = rng.choice(SHAPES), np.dtype(rng.choice(DTYPES))
    values = np.random.default_rng(rng.randrange(2**32)).random(shape) * rng.choice((1, 255, 1e30))
    if dtype.kind in "fc" and values.size and rng.random() < 1 / 3:
        values.flat[rng.randrange(values.size)] = rng.choice((np.nan, np.inf, -np.inf, 1e300))
    with np.errstate(all="ignore"):
        values = values.astype("i8").astype(dtype) if dtype.kind in "Miu" else values.astype(dtype)
    return np.asfortranarray(values) if rng.random() < 1 / 8 else values


def array_file(rng: random.Random) -> tuple[bytes, str]:
    """A .npy file of one array, or a .npz of several under names of `ARRAY_NAMES`."""
    content = io.BytesIO()
    if rng.random() < 1 / 2:
        np.save(content, array(rng), allow_pickle=True)
        return content.getvalue(), ".npy"
    names = rng.sample(ARRAY_NAMES, rng.randint(0, 3))
    arrays: dict[str, Any] = {name: array(rng) for name in names}
    np.savez(content, **arrays)
    return content.getvalue(), ".npz"


def statistics(rng: random.Random, dimensions: int) -> tuple[bytes, str]:
    """A .npz of mu and sigma, complete or not, proper or not, and its suffix."""
    rows = np.random.default_rng(rng.randrange(2**32)).random((40, dimensions))
    arrays = {"mu": rows.mean(0), "sigma": np.atleast_2d(np.cov(rows.T))}
    if rng.random() < 1 / 3:
        arrays |= {"arr_0": array(rng)}
    if rng.random() < 1 / 3:
        arrays |= {"mu_s": rows.mean(0), "sigma_s": arrays["sigma"]}
    if rng.random() < 1 / 2:
        name = rng.choice(("mu", "sigma"))
        arrays[name] = rng.choice((array(rng), arrays[name][::-1], arrays[name].ravel()))
    if rng.random() < 1 / 4:
        arrays.pop(rng.choice(tuple(arrays)))
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue(), ".npz"


def parquet(rng: random.Random) -> tuple[bytes, str]:
    """A parquet file of images as a data-set hub stores them, or of something else."""
    images = [image(rng, 8)[0] for _ in range(rng.randint(0, 8))]
    structs = [{"bytes": data, "path": f"{n}.png"} for n, data in enumerate(images)]
    column = rng.choice(
        (
            pa.array(structs, pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            pa.array(images, pa.binary()),
            pa.array([None, *images], pa.binary()),
            pa.array([1.0] * len(images), pa.float32()),
            pa.array([[1.0, 2.0]] * len(images), pa.list_(pa.float32())),
        )
    )
    table = pa.table({rng.choice(("image", "img", "x", "")): column})
    content = io.BytesIO()
    pq.write_table(table, content, row_group_size=rng.choice((1, 3, 1_000)))
    return content.getvalue(), ".parquet"


def results_table(rng: random.Random) -> str:
    """A competition's results as CSV, in the columns of the published table."""
    separator = rng.choice(",,,,,;\t")
    columns = ("submission_id", "public_score", "private_score", "FID_public", "FID_private",
               "distance_public", "distance_private", "labels")  # fmt: skip
    lines = [separator.join(columns)]
    for number in range(rng.choice((0, 1, 30, 30, 30))):
        values = [f"{rng.uniform(0, 300):.6f}" for _ in columns[1:-1]]
        label = rng.choice(("", "non-mem", "mgan", "sup", "aug", "ae"))
        lines.append(separator.join([str(number), *values, label]))
    return rng.choice(("\n", "\r\n")).join(lines) + "\n"


def competition(rng: random.Random, train: Path) -> str:
    """The YAML file of a competition."""
    return f"""title: Fuzz {rng.randrange(10**6)}
slug: fuzz-{rng.randrange(10**9)}
rules: None.
opens_at: 2026-01-01T00:00Z
closes_at: 2099-01-01T00:00Z
time_zone: UTC
image_count: 12
image_width: 8
image_height: 8
daily_limit: 5
maximum_upload_bytes: 500 MB
public: {{backbone: pixels, train: "{train}", tau: 0.1}}
private: {{backbone: pixels, train: "{train}"}}
"""


def settings(rng: random.Random, options: Mapping[str, object]) -> str:
    """A JSON file of settings, a few of them of another type or range."""
    values = (0, -1, 1, 2**63, 1e308, "", "x", None, True, [], {}, [1], {"a": 1}, "1", 0.5)
    changed = {name: rng.choice(values) for name in rng.sample(sorted(options), rng.randint(0, 2))}
    return json.dumps({**options, **changed}, indent=rng.choice((None, 2)))
