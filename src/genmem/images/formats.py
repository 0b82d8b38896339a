"""Formats of encoded images, told by their first bytes, and which of them can be read here."""

from __future__ import annotations

import io
from importlib.util import find_spec
from typing import TYPE_CHECKING

from PIL import features
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

if TYPE_CHECKING:
    from pillow_heif import HeifFile

_READERS: dict[str, type[ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "WebP": WebPImageFile,
    "GIF": GifImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
    "PNM": PpmImageFile,
    "AVIF": AvifImageFile,
}
_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"RIFF", "WebP"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    *((f"P{digit}".encode(), "PNM") for digit in range(1, 7)),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
)
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_FORMATS = "JPEG, PNG, WebP, GIF, BMP, TIFF, PNM, AVIF or HEIF"


def image_format(content: bytes) -> str | None:
    """The name of the format that the first bytes belong to; None if they are of none known."""
    for signature, name in _SIGNATURES:
        if content.startswith(signature):
            return name
    if content[4:8] != b"ftyp":
        return None
    length = min(int.from_bytes(content[:4], "big"), 256)
    brands = {content[8:12], *(content[at : at + 4] for at in range(16, length, 4))}
    if brands & {b"avif", b"avis"}:
        return "AVIF"
    return "HEIF" if brands.intersection(_HEIF_BRANDS) else None


def unsupported_reason(content: bytes) -> str | None:
    """Why images of this format cannot be read here, and what to do; None if they can, or if the
    format is unknown.
    """
    name = image_format(content)
    if name == "JPEG XL":
        return "JPEG XL is not supported. Convert it to PNG, as with djxl"
    if name == "HEIF" and find_spec("pillow_heif") is None:
        return "HEIF (HEIC) needs the package pillow-heif: pip install 'genmem[heif]'"
    if name in ("AVIF", "WebP") and not features.check(name.lower()):
        return f"{name} is missing from this build of Pillow. Install Pillow from its own wheel"
    return None


def open_header(content: bytes) -> ImageFile | HeifFile:
    """Read the header of an encoded image; its pixels are decoded later.

    Pillow's own `open` would also try formats that are not listed here.

    Raises:
        ValueError: the format is unknown or cannot be read here. Readers raise almost any other
            exception on hostile bytes.
    """
    if (reason := unsupported_reason(content)) is not None:
        raise ValueError(reason)
    name = image_format(content)
    if name == "HEIF":
        import pillow_heif

        return pillow_heif.open_heif(content)
    if name is None:
        raise ValueError(f"not {_FORMATS}" if content else "the file is empty")
    return _READERS[name](io.BytesIO(content))
