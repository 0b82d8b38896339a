"""The FID Inception V3 of 2015-12-05, by way of torch-fidelity's port, as several tools feed it.

`inception` is what FID was defined with:

Heusel et al. 2017 (arXiv 1706.08500) feed it RGB images 0–255; the frozen graph stretches them to
299 × 299 with TensorFlow 1's bilinear resize (no antialiasing, no half-pixel shift, aspect ratio
not kept) and scales by (x − 128) / 128. Features are pool_3, 2048-d. The logits are those without
bias (`logits_unbiased`, 1008 classes), from which published Inception Scores are computed. No
departures.

The same weights give other features, and other FIDs, where images are resized otherwise:

- `inception-clean`: clean-fid (Parmar, Zhang and Zhu 2022, arXiv 2104.11222): each channel in
  float32 by Pillow's antialiased bicubic filter to 299 × 299, clipped to 0–255; then (x − 128)/128.
- `inception-pytorch-fid`: pytorch-fid: torch's bilinear interpolate (half-pixel centres, no
  antialiasing) to 299 × 299, then 2x/255 − 1.
- `inception-spatial`: fed like `inception`; FD in it is sFID (Nash et al. 2021, arXiv 2103.03841;
  as ADM counts it, arXiv 2105.05233): the first seven channels of mixed_6/conv, 17 × 17 × 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from genmem.features.backbone import Backbone
from genmem.features.preprocessing import CleanStretch, Preprocessing, Stretch
from genmem.features.weights import UrlFile

if TYPE_CHECKING:
    import torch

WEIGHTS = UrlFile(
    url="https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth",
    sha256="6726825d",
    also_named=("pt_inception-2015-12-05-6726825d.pth",),
)


@dataclass(frozen=True)
class InceptionNetwork:
    """Builds torch-fidelity's extractor for images that are already 299 × 299.

    Attributes:
        output: a class of `_inception_network`.
        middle: m of the scaling (x − m) / m.
    """

    output: str = "Inception"
    middle: float = 128.0

    def __call__(self, weights: Path) -> torch.nn.Module:
        """Build the network.

        Args:
            weights: a state dict of torch-fidelity's module, .pth or .safetensors.

        Raises:
            WeightsError: the file does not hold this network's weights.
        """
        from genmem.features import _inception_network
        from genmem.features._state_dict import read_state_dict, wrong_weights_error
        from genmem.features.torch_modules import freeze

        tensors = read_state_dict(weights)
        try:
            return freeze(getattr(_inception_network, self.output)(tensors, middle=self.middle))
        except RuntimeError as error:
            raise wrong_weights_error("inception", weights, error) from error


def _inception(
    name: str,
    description: str,
    network: InceptionNetwork,
    *,
    dimension: int = 2048,
    preprocessing: Preprocessing | None = None,
) -> Backbone:
    return Backbone(
        name=name,
        description=description,
        licence="Apache-2.0",
        dimension=dimension,
        input_size=299,
        preprocessing=preprocessing or Stretch(299, half_pixel=False),
        weights=WEIGHTS,
        network=network,
    )


BACKBONE = _inception(
    "inception",
    "FID Inception V3 (2015-12-05), pool_3: what published FIDs use",
    InceptionNetwork(),
)

CLEAN = _inception(
    "inception-clean",
    "the same, images resized as clean-fid does",
    InceptionNetwork("PooledInception"),
    preprocessing=CleanStretch(299),
)

PYTORCH_FID = _inception(
    "inception-pytorch-fid",
    "the same, images resized and scaled as pytorch-fid does",
    InceptionNetwork("PooledInception", middle=127.5),
    preprocessing=Stretch(299, half_pixel=True),
)

SPATIAL = _inception(
    "inception-spatial",
    "the same, mixed_6/conv at 17 × 17 places: FD in it is sFID",
    InceptionNetwork("SpatialInception"),
    dimension=2023,
)
