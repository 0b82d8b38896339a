"""`inception`: the FID Inception V3 of 2015-12-05, by way of torch-fidelity's port.

Heusel et al. 2017 (arXiv 1706.08500) feed it RGB images 0–255; the frozen graph stretches them to
299 × 299 with TensorFlow 1's bilinear resize (no antialiasing, no half-pixel shift, aspect ratio
not kept) and scales by (x − 128) / 128. Features are pool_3, 2048-d. The logits are those without
bias (`logits_unbiased`, 1008 classes), from which published Inception Scores are computed. No
departures.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from genmem.features.backbone import Backbone
from genmem.features.preprocessing import Stretch
from genmem.features.weights import UrlFile

if TYPE_CHECKING:
    import torch

WEIGHTS = UrlFile(
    url="https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth",
    sha256="6726825d",
    also_named=("pt_inception-2015-12-05-6726825d.pth",),
)


def build_network(weights: Path) -> torch.nn.Module:
    """Build torch-fidelity's extractor for images that are already 299 × 299.

    Args:
        weights: a state dict of torch-fidelity's module, .pth or .safetensors.

    Raises:
        WeightsError: the file does not hold this network's weights.
    """
    from genmem.features._inception_network import Inception
    from genmem.features._state_dict import read_state_dict, wrong_weights_error
    from genmem.features.torch_modules import freeze

    tensors = read_state_dict(weights)
    try:
        return freeze(Inception(tensors))
    except RuntimeError as error:
        raise wrong_weights_error("inception", weights, error) from error


BACKBONE = Backbone(
    name="inception",
    description="FID Inception V3 (2015-12-05), pool_3: what published FIDs use",
    licence="Apache-2.0",
    dimension=2048,
    input_size=299,
    preprocessing=Stretch(299, half_pixel=False),
    weights=WEIGHTS,
    network=build_network,
)
