"""Backbones, their engines, and the content-hashed cache: images → float32 [n, d].

    extractor = load_backbone("inception")
    features = extract(source, extractor=extractor)

Neither torch nor timm is imported before a backbone is loaded.

registry.py          the registry of backbones
sides.py             NAME@SIDE: a backbone at another input size
backbone.py          `Backbone`, an entry of the registry, and `Engine`
inception.py timm_models.py efficientnet_lite.py sscd.py pixels.py
                     genmem's own backbones
custom_models.py     custom networks: files, torch modules, callables
exported_programs.py refuses torch.export programs that would run code
preprocessing.py     how a decoded image becomes a network's input
weights.py           where weights are found, downloaded and checked
extractor.py         `load_backbone`, `fetch_weights` and `FeatureExtractor`
backbone_check.py    `check_backbone`: what a backbone should give, beside what it gives here
engines.py onnx_engine.py onnx_export.py network_engine.py torch_modules.py
                     what runs a network: ONNX Runtime, torch or NumPy
extract.py           `extract` and `Features`
cache_key.py         `features_key`: everything that decides features
cache.py             the cache folder: keys, locks, single arrays
feature_cache.py     the feature sets in the cache
feature_io.py        features and statistics of sets from .npy and .npz files
_inception_network.py _state_dict.py
                     torch-fidelity's network; reading weights files safely
"""

from genmem.features.backbone import Backbone, Device
from genmem.features.cache import default_cache
from genmem.features.extract import Features, RowIds, extract, image_transform, is_cached
from genmem.features.extractor import FeatureExtractor, fetch_weights, load_backbone, torch_module
from genmem.features.feature_io import (
    has_statistics,
    is_feature_source,
    is_statistics,
    load_features,
    load_statistics,
)
from genmem.features.pixels import is_pixels
from genmem.features.registry import (
    BackboneLike,
    Backbones,
    LoadedBackbone,
    WeightsStatus,
    backbones,
    custom_backbone,
    find_backbone,
    find_backbones,
    list_backbones,
    weights_status,
)

__all__ = [
    "Backbone",
    "BackboneLike",
    "Backbones",
    "Device",
    "FeatureExtractor",
    "Features",
    "LoadedBackbone",
    "RowIds",
    "WeightsStatus",
    "backbones",
    "custom_backbone",
    "default_cache",
    "extract",
    "fetch_weights",
    "find_backbone",
    "find_backbones",
    "has_statistics",
    "image_transform",
    "is_cached",
    "is_feature_source",
    "is_pixels",
    "is_statistics",
    "list_backbones",
    "load_backbone",
    "load_features",
    "load_statistics",
    "torch_module",
    "weights_status",
]
