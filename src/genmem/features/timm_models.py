"""Backbones whose networks are timm's: NASNet, DINOv2, CLIP, ResNet-50, VGG-16, and any other.

Each entry states the preprocessing of the work that its numbers are compared with:

- nasnet: the competition's private score (arXiv 2106.03062): bilinear to 331 × 331 with
  align_corners=False (torch's half-pixel convention, no antialiasing, aspect ratio not kept),
  scaled to [−1, 1]. timm's own evaluation crops instead.
- dinov2-*: Stein et al. 2023 (arXiv 2306.04675), where FD-DINOv2 is from: Pillow's bicubic to
  224 × 224, aspect ratio not kept, ImageNet's mean and deviation; the class token after the last
  norm. Departure: timm resamples the position embedding with antialiasing.
- clip-*: Radford et al. 2021 (arXiv 2103.00020): Pillow's bicubic, shorter side to 224, central
  crop; the projected image embedding, not normalized. QuickGELU networks, as trained.
- resnet50, vgg16: torchvision's first ImageNet weights and evaluation transform: bilinear, shorter
  side to 256, central crop of 224. resnet50: pooled features. vgg16: the second fully connected
  layer after its ReLU, as in Kynkäänniemi et al. 2019 (arXiv 1904.06991).
  vgg16-stretched: as torch-fidelity feeds it, TensorFlow 1's bilinear to 224 × 224.
- timm:NAME: the pretrained configuration timm has for NAME; the features before the classifier,
  or the projection where the network is published with one.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from genmem.errors import UsageError
from genmem.features.backbone import Backbone
from genmem.features.preprocessing import Crop, Stretch
from genmem.features.weights import HubFile, UrlFile, WeightsSource

if TYPE_CHECKING:
    import torch

Scaling = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation per channel, of values in [0, 1]."""

IMAGENET: Scaling = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP: Scaling = (
    (0.48145466, 0.4578275, 0.40821073),
    (0.26862954, 0.26130258, 0.27577711),
)
HALF: Scaling = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@dataclass(frozen=True, kw_only=True)
class TimmNetwork:
    """Builds a timm network from a weights file, without its classifier.

    Attributes:
        model: timm's name, with the tag of the weights.
        scaling: mean and deviation per channel.
        image_size: side in pixels to resample the position embedding to; None: no resampling.
        keep_head: keep the last layer: it is a projection that belongs to the features.
    """

    model: str
    scaling: Scaling
    image_size: int | None = None
    keep_head: bool = False

    def __call__(self, weights: Path) -> torch.nn.Module:
        """Build the network.

        Args:
            weights: .safetensors or .pth, in timm's naming or the original one that timm converts.

        Raises:
            WeightsError: the file does not hold exactly this network's weights.
        """
        import timm

        from genmem.features._state_dict import read_state_dict, wrong_weights_error
        from genmem.features.torch_modules import Normalized, freeze, remove_classifier

        tensors = dict(read_state_dict(weights))
        size: dict[str, Any] = {} if self.image_size is None else {"img_size": self.image_size}
        try:
            network = timm.create_model(
                self.model,
                pretrained=True,
                pretrained_cfg_overlay={"state_dict": tensors},
                **size,
            )
        except (RuntimeError, KeyError, AssertionError, ValueError) as error:
            raise wrong_weights_error(self.model, weights, error) from error
        if not self.keep_head:
            network = remove_classifier(network)
        mean, std = self.scaling
        return freeze(Normalized(network, mean=mean, std=std))


def _dinov2(letter: str, size_name: str, dimension: int) -> Backbone:
    model = f"vit_{size_name}_patch14_dinov2.lvd142m"
    return Backbone(
        name=f"dinov2-{letter}",
        description=f"DINOv2 ViT-{letter.upper()}/14, class token",
        licence="Apache-2.0",
        dimension=dimension,
        input_size=224,
        preprocessing=Crop(224, None, Image.Resampling.BICUBIC),
        weights=HubFile(repository=f"timm/{model}"),
        network=TimmNetwork(model=model, scaling=IMAGENET, image_size=224),
        batch_size=8,
    )


def _clip(short: str, shape: str, dimension: int) -> Backbone:
    model = f"vit_{shape}_clip_quickgelu_224.openai"
    return Backbone(
        name=f"clip-{short}",
        description=f"CLIP ViT-{short[0].upper()}/{short[1:]} image embedding",
        licence="MIT",
        dimension=dimension,
        input_size=224,
        preprocessing=Crop(224, 224, Image.Resampling.BICUBIC),
        weights=HubFile(repository=f"timm/vit_{shape}_clip_224.openai"),
        network=TimmNetwork(model=model, scaling=CLIP, keep_head=True),
        batch_size=8,
    )


def _torchvision(name: str, *, description: str, dimension: int, published_hash: str) -> Backbone:
    """A network with torchvision's first ImageNet weights and evaluation transform."""
    return Backbone(
        name=name,
        description=description,
        licence="BSD-3-Clause",
        dimension=dimension,
        input_size=224,
        preprocessing=Crop(224, 256, Image.Resampling.BILINEAR),
        weights=UrlFile(
            url=f"https://download.pytorch.org/models/{name}-{published_hash}.pth",
            sha256=published_hash,
        ),
        network=TimmNetwork(model=f"{name}.tv_in1k", scaling=IMAGENET),
        batch_size=8,
    )


BACKBONES = (
    Backbone(
        name="nasnet",
        description="NASNet-A-Large, pooled features: the competition's private space",
        licence="Apache-2.0",
        dimension=4032,
        input_size=331,
        preprocessing=Stretch(331, half_pixel=True),
        weights=UrlFile(
            url="https://github.com/rwightman/pytorch-image-models/releases/download/"
            "v0.1-weights/nasnetalarge-dc4a7b8b.pth",
            sha256="dc4a7b8b",
        ),
        network=TimmNetwork(model="nasnetalarge.tf_in1k", scaling=HALF),
        batch_size=8,
    ),
    _dinov2("s", "small", 384),
    _dinov2("b", "base", 768),
    _dinov2("l", "large", 1024),
    _dinov2("g", "giant", 1536),
    _clip("b32", "base_patch32", 512),
    _clip("b16", "base_patch16", 512),
    _clip("l14", "large_patch14", 768),
    _torchvision(
        "resnet50",
        description="ResNet-50 (torchvision, ImageNet), pooled features",
        dimension=2048,
        published_hash="0676ba61",
    ),
    _torchvision(
        "vgg16",
        description="VGG-16 (torchvision, ImageNet), second fully connected layer",
        dimension=4096,
        published_hash="397923af",
    ),
)

VGG16_STRETCHED = replace(
    BACKBONES[-1],
    name="vgg16-stretched",
    description="the same, images stretched: torch-fidelity's for precision and recall",
    preprocessing=Stretch(224, half_pixel=False),
)


def timm_backbone(model: str) -> Backbone:
    """Describe the backbone `timm:MODEL` by timm's pretrained configuration.

    Raises:
        UsageError: timm has no such model or no weights for it, or the model does not take square
            RGB images.
    """
    import timm
    from timm.models import PretrainedCfg

    name = f"timm:{model}"
    known = timm.list_pretrained()
    is_known = model in known or timm.is_model_pretrained(model)
    config = timm.get_pretrained_cfg(model) if is_known else None
    if not isinstance(config, PretrainedCfg):
        near = difflib.get_close_matches(model, known, n=3)
        hint = f"; similar names: {', '.join(near)}" if near else ""
        raise UsageError(f"timm has no pretrained model {model!r}{hint}.")
    channels, height, width = config.input_size
    filters = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
    if channels != 3 or height != width or config.interpolation not in filters:
        raise UsageError(
            f"{name}: expected a model of square RGB images, bicubic or bilinear, got "
            f"{config.input_size}, {config.interpolation}."
        )
    squash = config.crop_mode == "squash"
    resize = None if squash else math.floor(height / config.crop_pct)
    return Backbone(
        name=name,
        description=f"timm's {model}",
        licence=config.license or "see the model's page",
        input_size=height,
        preprocessing=Crop(height, resize, filters[config.interpolation]),
        weights=_published_weights(config.hf_hub_id, config.hf_hub_filename, config.url),
        network=TimmNetwork(
            model=model,
            scaling=(config.mean, config.std),
            keep_head=config.num_classes > 0 and "_clip_" in model and _is_contrastive(model),
        ),
        batch_size=8,
    )


def _is_contrastive(model: str) -> bool:
    """Whether CLIP weights were never fine-tuned: then the last layer is the projection."""
    return "_ft_" not in model


def _published_weights(repository: str | None, filename: str | None, url: object) -> WeightsSource:
    """Where timm's configuration says the weights are: the hub first, as in timm."""
    if repository:
        return HubFile(repository=repository, name=filename or "model.safetensors")
    address = str(url)
    published = re.search(r"-([0-9a-f]{8,64})\.\w+$", address)
    return UrlFile(url=address, sha256=published.group(1) if published else "")
