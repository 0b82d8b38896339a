"""Protocols beside the tools that they are named after, all on the same random weights file."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

import genmem
from genmem.errors import UsageError
from genmem.metrics.inception_score import inception_score
from genmem.metrics.prdc import prdc_on_subsets
from genmem.scoring.protocols import PROTOCOLS, find_protocol

ROWS = {"generated": 11, "train": 9}


class Unloaded(FeatureExtractorInceptionV3):
    """torch-fidelity's extractor with the random weights it starts with."""

    def load_state_dict(self, *_, **__):
        return None


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    nothing = io.BytesIO()
    torch.save({}, nothing)
    nothing.seek(0)
    names = ["2048", "logits_unbiased"]
    network = Unloaded("inception-v3-compat", names, feature_extractor_weights_path=nothing)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.1, 0.4)
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    rng, root = np.random.default_rng(0), tmp_path_factory.mktemp("images")
    for role, count in ROWS.items():
        (root / role).mkdir()
        for number in range(count):
            small = Image.fromarray(rng.integers(0, 256, (6, 5, 3), dtype=np.uint8))
            picture = small.resize((40, 48), Image.Resampling.BICUBIC)
            picture.save(root / role / f"{number:03d}.png")
    return {role: str(root / role) for role in ROWS}


@pytest.fixture(scope="module")
def peer(weights):
    return FeatureExtractorInceptionV3(
        "inception-v3-compat",
        ["2048", "logits_unbiased"],
        feature_extractor_weights_path=str(weights),
    )


@pytest.fixture
def by_protocol(folders, weights, monkeypatch):
    """(name) → the score; torch runs the network, whose export to ONNX takes longer."""
    monkeypatch.setattr(
        "genmem.features.onnx_export.export_to_onnx", lambda *_: (None, "not exported")
    )
    return lambda name, **more: genmem.score(
        **folders, protocol=name, weights=weights, device="cpu", **more
    )


def images_of(folder):
    from pathlib import Path

    files = sorted(Path(folder).iterdir())
    return torch.from_numpy(np.stack([np.asarray(Image.open(file)) for file in files]))


def fd_of(features):
    return float(genmem.fd(**{role: np.asarray(rows) for role, rows in features.items()}))


PEER = {"cuda": False, "cache": False, "verbose": False, "save_cpu_ram": True}


def test_torch_fidelity(by_protocol, folders, weights, peer):
    from torch_fidelity import calculate_metrics

    result = by_protocol("torch-fidelity", metrics=["fd", "kd", "inception_score"])
    theirs = calculate_metrics(
        input1=folders["generated"],
        input2=folders["train"],
        isc=True,
        kid=True,
        kid_subset_size=min(ROWS.values()),
        feature_extractor_weights_path=str(weights),
        **PEER,
    )
    expected = theirs["inception_score_mean"]
    assert result["inception_score"].value == pytest.approx(expected, rel=1e-4)
    expected = theirs["kernel_inception_distance_mean"]
    assert result["kd"].value == pytest.approx(expected, abs=1e-4 * max(1.0, abs(expected)))
    with torch.inference_mode():
        features = {
            role: peer(images_of(path).permute(0, 3, 1, 2))[0] for role, path in folders.items()
        }
    assert result["fid"].value == pytest.approx(fd_of(features), rel=1e-4)
    assert result.provenance["protocol"] == "torch-fidelity"


def test_precision_and_recall_of_torch_fidelity(folders, tmp_path, monkeypatch):
    """In VGG-16 features. Of the same network with random weights, without its large layers."""
    from torch_fidelity.feature_extractor_vgg16 import FeatureExtractorVGG16

    from genmem.features import find_backbone

    images = images_of(folders["train"])
    theirs = FeatureExtractorVGG16.__new__(FeatureExtractorVGG16)
    torch.nn.Module.__init__(theirs)
    theirs.features_list, theirs.feature_extractor_internal_dtype = ["fc2"], torch.float32
    theirs.model = torch.nn.Identity()
    with torch.inference_mode():
        (expected,) = theirs(images.permute(0, 3, 1, 2))
    backbone = find_backbone("vgg16-stretched")
    resized = np.stack([backbone.preprocessing.apply(image) for image in images.numpy()])
    mean, std = (np.array(values) for values in backbone.network.scaling)
    ours = (resized / 255 - mean) / std
    assert ours.transpose(0, 3, 1, 2) == pytest.approx(expected.numpy(), abs=1e-4)


def test_pytorch_fid(by_protocol, folders, weights, monkeypatch):
    fid_score = pytest.importorskip("pytorch_fid.fid_score")
    inception = pytest.importorskip("pytorch_fid.inception")
    monkeypatch.setattr(inception, "load_state_dict_from_url", lambda *_, **__: torch.load(weights))
    network = inception.InceptionV3([3])
    features = {}
    for role, folder in folders.items():
        files = sorted(f"{folder}/{number:03d}.png" for number in range(ROWS[role]))
        features[role] = fid_score.get_activations(
            files, network, batch_size=9, dims=2048, device="cpu", num_workers=0
        )
    result = by_protocol("pytorch-fid")
    assert result["pytorch_fid"].value == pytest.approx(fd_of(features), rel=1e-4)


def test_clean_fid(by_protocol, folders, peer):
    fid = pytest.importorskip("cleanfid.fid")

    def network(images):
        """The layers after clean-fid's own resize, in the place of its download."""
        x = (images - 128) / 128
        for name in (
            *("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "MaxPool_1", "Conv2d_3b_1x1"),
            *("Conv2d_4a_3x3", "MaxPool_2", "Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a"),
            *("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e", "Mixed_7a", "Mixed_7b", "Mixed_7c"),
            "AvgPool",
        ):
            x = getattr(peer, name)(x)
        return torch.flatten(x, 1)

    features = {
        role: fid.get_folder_features(
            folder,
            model=network,
            num_workers=0,
            device=torch.device("cpu"),
            mode="clean",
            verbose=False,
        )
        for role, folder in folders.items()
    }
    result = by_protocol("cleanfid")
    assert result["clean_fid"].value == pytest.approx(fd_of(features), rel=1e-4)
    assert "kd" in result.metrics


def test_adm(by_protocol, folders, peer):
    spatial = {}
    for role, folder in folders.items():
        maps = []
        hook = peer.Mixed_6d.branch1x1.register_forward_hook(
            lambda *call, maps=maps: maps.append(call[-1])
        )
        with torch.inference_mode():
            peer(images_of(folder).permute(0, 3, 1, 2))
        hook.remove()
        spatial[role] = torch.cat(maps)[:, :7].flatten(1)
    result = by_protocol("adm")
    assert list(result.spaces) == ["inception", "inception-spatial"]
    assert spatial["train"].shape == (9, 2023)
    assert result.spaces["inception-spatial"]["sfid"].value == pytest.approx(
        fd_of(spatial), rel=1e-4
    )
    assert set(result.spaces["inception-spatial"].metrics) == {"fd", "sfid"}
    assert result.spaces["inception"]["precision"].n == ROWS
    assert any("are of 50,000 generated images, these of 11" in note for note in result.notes)


def test_splits_of_five_thousand_are_those_of_adm():
    logits = np.random.default_rng(0).normal(size=(130, 9))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    scores = []
    for start in range(0, 130, 50):
        part = p[start : start + 50]
        kl = (part * (np.log(part) - np.log(part.mean(0)))).sum(1).mean()
        scores.append(np.exp(kl))
    result = inception_score(logits=logits, split_rows=50)
    assert result.value == pytest.approx(np.mean(scores))
    assert result.parts["splits"] == 3


def test_all_rows_of_unequal_sets_are_compared_where_a_protocol_says_so():
    rng = np.random.default_rng(1)
    generated, train = rng.normal(size=(90, 4)), rng.normal(size=(40, 4))
    everything = prdc_on_subsets(generated=generated, train=train, rows=None)
    assert everything["precision"].value == float(
        genmem.precision(generated=generated, train=train)
    )
    assert everything["recall"].n == {"generated": 90, "train": 40}
    assert not everything["recall"].notes


def test_a_protocol_fixes_its_backbone_and_has_only_its_metrics(folders, tmp_path):
    with pytest.raises(UsageError, match="the protocol adm fixes it"):
        genmem.score(**folders, protocol="adm", backbone="pixels")
    with pytest.raises(UsageError, match="c_t is not in the protocol edm, which has fd"):
        genmem.score(**folders, protocol="edm", metrics=["c_t"])
    with pytest.raises(UsageError, match="a weights file belongs to one backbone"):
        genmem.score(**folders, protocol="torch-fidelity", weights="w.pth")
    with pytest.raises(UsageError, match="expected one of adm, edm, "):
        genmem.score(**folders, protocol="fid")


def test_every_metric_of_a_protocol_exists():
    from genmem.features import find_backbone
    from genmem.metrics.registry import BUILT_IN

    for name in PROTOCOLS:
        for backbone, metrics in find_protocol(name).metrics.items():
            assert find_backbone(backbone).name == backbone
            assert set(metrics) <= set(BUILT_IN)
