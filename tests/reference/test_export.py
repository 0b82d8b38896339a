"""Statistics files that other tools read give the Fréchet distance of the images."""

from typing import Any, cast

import numpy as np
import pytest

from genmem import build_reference, fd, load_features, load_statistics, score
from genmem.errors import UsageError
from genmem.features import extract, load_backbone
from genmem.images import open_images
from genmem.reference.export import FORMATS, export_statistics


@pytest.fixture
def reference(tmp_path, images):
    return build_reference(train=images["train"], out=tmp_path / "r.genmem", backbone="pixels@4")


@pytest.fixture
def generated(images):
    """Features of the generated images."""
    with open_images(images["generated"]) as source:
        return np.array(extract(source, extractor=load_backbone("pixels@4")).array)


@pytest.mark.parametrize("format", FORMATS)
def test_the_file_gives_the_distance_of_the_images(tmp_path, images, reference, format):
    export_statistics(reference, tmp_path / "train.npz", format=format)
    options = {"generated": images["generated"], "backbone": "pixels@4", "metrics": ["fd"]}
    from_images = score(**options, train=images["train"])
    assert float(score(**options, train=tmp_path / "train.npz")["fd"]) == pytest.approx(
        float(from_images["fd"]), rel=1e-6
    )


def test_torch_fidelity_computes_the_same_distance(tmp_path, reference, generated):
    torch = pytest.importorskip("torch")
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    export_statistics(reference, tmp_path / "train.npz", format="pytorch-fid")
    ours = fid_features_to_statistics(torch.from_numpy(generated.astype(np.float64)))
    with np.load(tmp_path / "train.npz", allow_pickle=False) as theirs:
        value = fid_statistics_to_metric(ours, dict(theirs), verbose=False)
    train = reference.space().features("train")
    assert value["frechet_inception_distance"] == pytest.approx(
        float(fd(generated=generated, train=train)), rel=1e-6, abs=1e-9
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_pytorch_fid_reads_the_file(tmp_path, reference, generated):
    peer = pytest.importorskip("pytorch_fid.fid_score", reason="needs the extra `peers`")
    path = tmp_path / "train.npz"
    export_statistics(reference, path, format="pytorch-fid")
    mu, sigma = peer.compute_statistics_of_path(str(path), None, 1, 1, "cpu")
    rng = np.random.default_rng(0)
    many = np.concatenate([generated, rng.normal(100, 40, (200, generated.shape[1]))])
    value = peer.calculate_frechet_distance(many.mean(0), np.cov(many, rowvar=False), mu, sigma)
    assert value == pytest.approx(
        float(fd(generated=many, train=reference.space().features("train"))), rel=1e-6
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_clean_fid_takes_the_file_as_a_custom_data_set(tmp_path, reference, generated, monkeypatch):
    peer = pytest.importorskip("cleanfid.fid", reason="needs the extra `peers`")
    (tmp_path / "stats").mkdir()
    path = tmp_path / "stats" / "mine_clean_custom_na.npz"
    export_statistics(reference, path, format="clean-fid")
    monkeypatch.setattr("cleanfid.features.os.path.dirname", lambda _: str(tmp_path))
    mu, sigma = peer.get_reference_statistics("mine", res=None, split="custom")
    rng = np.random.default_rng(0)
    many = np.concatenate([generated, rng.normal(100, 40, (200, generated.shape[1]))])
    value = peer.frechet_distance(many.mean(0), np.cov(many, rowvar=False), mu, sigma)
    assert value == pytest.approx(
        float(fd(generated=many, train=reference.space().features("train"))), rel=1e-6
    )


def test_the_file_is_read_as_statistics_and_never_as_rows(tmp_path, reference):
    export_statistics(reference, tmp_path / "train.npz", format="adm")
    statistics = load_statistics(tmp_path / "train.npz")
    mean, covariance = reference.space().moments.compute()
    np.testing.assert_array_equal(statistics.mu, mean)
    np.testing.assert_allclose(statistics.sigma, covariance, rtol=0, atol=0)
    with pytest.raises(Exception, match="no rows"):
        load_features(tmp_path / "train.npz")


def test_an_unknown_format_or_space_is_refused(tmp_path, reference):
    with pytest.raises(UsageError, match="expected one of pytorch-fid"):
        export_statistics(reference, tmp_path / "train.npz", format=cast("Any", "edm"))
    with pytest.raises(UsageError, match="has no features of inception"):
        export_statistics(reference, tmp_path / "x.npz", format="adm", backbone="inception")
