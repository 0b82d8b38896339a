"""`sscd` and `sscd-large`: descriptors trained for image copy detection.

Pizzi et al. 2022 (arXiv 2202.10261), github.com/facebookresearch/sscd-copy-detection, MIT: the
published TorchScript files `sscd_disc_mixup` (ResNet-50, 512-d) and `sscd_disc_large` (ResNeXt-101,
1,024-d). Preprocessing is the publisher's `small_288`: the shorter side to 288 pixels, the mean and
deviation of ImageNet. Descriptors have norm 1; the publisher finds that of pairs of DISC images
with a cosine above 0.75 (`sscd_disc_mixup`), 90 % are copies.

The files are loaded by the rules for TorchScript files of `custom_models`. The publisher states no
hashes. That of `sscd_disc_mixup` (98,791,638 bytes) is the one that several independent projects
pin; none was to be had for `sscd_disc_large`, so that file is used as it comes.
"""

from __future__ import annotations

from genmem.features.backbone import Backbone
from genmem.features.custom_models import load_channels_last, open_torch_file, parse_preprocess
from genmem.features.weights import UrlFile

_ADDRESS = "https://dl.fbaipublicfiles.com/sscd-copy-detection"


def _backbone(name: str, file: str, *, what: str, dimension: int, sha256: str | None) -> Backbone:
    """The registry entry of one of the two networks."""
    return Backbone(
        name=name,
        description=f"SSCD {file} ({what}): trained for copy detection",
        licence="MIT",
        dimension=dimension,
        preprocessing=parse_preprocess("imagenet,288"),
        weights=UrlFile(url=f"{_ADDRESS}/sscd_{file}.torchscript.pt", sha256=sha256),
        network=load_channels_last,
        open_engine=open_torch_file,
    )


BACKBONES = (
    _backbone(
        "sscd",
        "disc_mixup",
        what="ResNet-50",
        dimension=512,
        sha256="9f26bd4c848cc19b73d2ae92eea6e04886f61a7b764ceb7a13aeee62e6a6db56",
    ),
    _backbone("sscd-large", "disc_large", what="ResNeXt-101", dimension=1024, sha256=None),
)
