"""Backbones, their engines, and the content-hashed cache: images → float32 [n, d].

    embedder = load_backbone("inception")
    features = extract(source, embedder=embedder)

Neither torch nor timm is imported before a backbone is loaded.
"""

from genmem.features._backbone import Backbone, Device
from genmem.features.cache import default_cache
from genmem.features.extract import Features, RowIds, extract, is_cached, transform_of
from genmem.features.extractor import Embedder, load_backbone, torch_module
from genmem.features.feature_io import is_feature_source, load_features
from genmem.features.registry import WeightsStatus, backbones, find_backbone, weights_status

__all__ = [
    "Backbone",
    "Device",
    "Embedder",
    "Features",
    "RowIds",
    "WeightsStatus",
    "backbones",
    "default_cache",
    "extract",
    "find_backbone",
    "is_cached",
    "is_feature_source",
    "load_backbone",
    "load_features",
    "torch_module",
    "transform_of",
    "weights_status",
]
