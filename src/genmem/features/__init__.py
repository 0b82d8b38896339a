"""Backbones, their engines, and the content-hashed cache: images → float32 [n, d].

    extractor = load_backbone("inception")
    features = extract(source, extractor=extractor)

Neither torch nor timm is imported before a backbone is loaded.
"""

from genmem.features.backbone import Backbone, Device
from genmem.features.cache import default_cache
from genmem.features.extract import Features, RowIds, extract, image_transform, is_cached
from genmem.features.extractor import FeatureExtractor, load_backbone, torch_module
from genmem.features.feature_io import is_feature_source, load_features
from genmem.features.registry import WeightsStatus, backbones, find_backbone, weights_status

__all__ = [
    "Backbone",
    "Device",
    "FeatureExtractor",
    "Features",
    "RowIds",
    "WeightsStatus",
    "backbones",
    "default_cache",
    "extract",
    "find_backbone",
    "image_transform",
    "is_cached",
    "is_feature_source",
    "load_backbone",
    "load_features",
    "torch_module",
    "weights_status",
]
