import hashlib
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

import genmem.features as features
from genmem.errors import UsageError, WeightsError
from genmem.features.weights import (
    HubFile,
    PackageFile,
    UrlFile,
    blob_sha256,
    obtain_weights,
    torch_hub_folder,
)

CONTENT = b"weights" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        extra = 5 if "cut" in self.path else 0
        self.send_header("Content-Length", str(len(CONTENT) + extra))
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _empty_hub(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_a_download_is_checked_and_kept_in_the_torch_hub_cache(server):
    source = UrlFile(url=f"{server}/net-{DIGEST[:8]}.pth", sha256=DIGEST[:8])
    stages = []
    weights = obtain_weights(source, backbone="net", progress=lambda *now: stages.append(now))
    assert weights.path == torch_hub_folder() / f"net-{DIGEST[:8]}.pth"
    assert (weights.sha256, weights.origin) == (DIGEST, "download")
    assert stages[-1] == (f"downloading net-{DIGEST[:8]}.pth", len(CONTENT), len(CONTENT))
    assert obtain_weights(source, backbone="net").origin == "torch hub cache"
    assert [path.name for path in torch_hub_folder().iterdir()] == [weights.path.name]


def test_a_download_with_the_wrong_hash_is_thrown_away(server):
    source = UrlFile(url=f"{server}/net.pth", sha256="00000000")
    with pytest.raises(WeightsError, match="discarded"):
        obtain_weights(source, backbone="net")
    assert not list(torch_hub_folder().iterdir())


def test_a_download_that_ends_early_leaves_nothing(server):
    source = UrlFile(url=f"{server}/cut.pth", sha256=DIGEST[:8])
    with pytest.raises(WeightsError, match="the download failed"):
        obtain_weights(source, backbone="net")
    assert not list(torch_hub_folder().iterdir())


def test_offline_the_error_names_file_address_place_and_working_backbones():
    offline = UrlFile(url="http://127.0.0.1:9/net-01234567.pth", sha256="01234567")
    backbone = features.find_backbone("inception")
    with pytest.raises(WeightsError) as caught:
        features.load_backbone(replace(backbone, weights=offline))
    message = str(caught.value)
    assert caught.value.exit_code == 3
    for part in (
        "net-01234567.pth",
        "http://127.0.0.1:9/",
        str(torch_hub_folder()),
        "--weights",
        "efficientnet-lite0",
        "pixels",
    ):
        assert part in message
    assert "inception," not in message.split("right now")[1]
    assert not torch_hub_folder().exists()


def test_the_hub_being_unreachable_is_a_weights_error(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match=r"hf download timm/nothing model\.safetensors"):
        obtain_weights(HubFile(repository="timm/nothing"), backbone="net")


def test_a_hub_out_of_reach_is_asked_once_and_nothing_is_printed(monkeypatch, capfd):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(WeightsError, match=r"the download failed \(.*refused"):
        obtain_weights(HubFile(repository="timm/nothing"), backbone="net")
    assert capfd.readouterr() == ("", "")


def test_a_folder_in_the_environment_comes_before_the_caches(tmp_path, monkeypatch):
    source = UrlFile(url="http://127.0.0.1:9/net.pth", sha256=DIGEST[:8])
    torch_hub_folder().mkdir(parents=True)
    (torch_hub_folder() / "net.pth").write_bytes(CONTENT)
    (tmp_path / "net.pth").write_bytes(CONTENT)
    for setting in (tmp_path, tmp_path / "net.pth"):
        monkeypatch.setenv("GENMEM_WEIGHTS", str(setting))
        result = obtain_weights(source, backbone="net")
        assert (result.path, result.origin) == (tmp_path / "net.pth", "$GENMEM_WEIGHTS")


def test_an_environment_file_for_another_backbone_is_left_alone(tmp_path, monkeypatch):
    other = tmp_path / "other.pth"
    other.write_bytes(CONTENT)
    monkeypatch.setenv("GENMEM_WEIGHTS", str(other))
    assert features.weights_status(features.find_backbone("efficientnet-lite0")).ready
    assert not features.weights_status(features.find_backbone("inception")).ready


def test_a_cached_file_that_is_not_the_published_one_is_refused():
    torch_hub_folder().mkdir(parents=True)
    (torch_hub_folder() / "net.pth").write_bytes(CONTENT + b"!")
    source = UrlFile(url="http://127.0.0.1:9/net.pth", sha256=DIGEST[:8])
    with pytest.raises(WeightsError, match=r"not the published file.*expected"):
        obtain_weights(source, backbone="net")


def test_the_file_another_library_keeps_under_its_own_name_is_found():
    torch_hub_folder().mkdir(parents=True)
    (torch_hub_folder() / "pt_net.pth").write_bytes(CONTENT)
    source = UrlFile(
        url="http://127.0.0.1:9/net.pth", sha256=DIGEST[:8], also_named=("pt_net.pth",)
    )
    assert obtain_weights(source, backbone="net").path.name == "pt_net.pth"


def test_a_hub_file_is_checked_against_the_name_of_its_blob(tmp_path):
    source = HubFile(repository="timm/net")
    blob = tmp_path / "blobs" / DIGEST
    blob.parent.mkdir()
    blob.write_bytes(CONTENT)
    link = tmp_path / "model.safetensors"
    link.symlink_to(blob)
    assert blob_sha256(link) == DIGEST
    assert blob_sha256(tmp_path / "by-hand.safetensors") is None
    assert source.filename == "net.safetensors"


def test_a_given_file_is_used_as_it_is(tmp_path):
    path = tmp_path / "mine.pth"
    path.write_bytes(CONTENT)
    source = UrlFile(url="http://127.0.0.1:9/net.pth", sha256="00000000")
    result = obtain_weights(source, backbone="net", path=path)
    assert (result.sha256, result.origin) == (DIGEST, "--weights")


def test_a_given_file_that_is_missing_is_named(tmp_path):
    source = UrlFile(url="http://127.0.0.1:9/net.pth", sha256="00000000")
    with pytest.raises(WeightsError, match="nothing-here"):
        obtain_weights(source, backbone="net", path=tmp_path / "nothing-here.pth")


def test_a_package_that_is_not_installed_says_how_to_install_it():
    source = PackageFile(distribution="no-such-package", path="a/b.pth", sha256=DIGEST)
    with pytest.raises(WeightsError, match="pip install no-such-package"):
        obtain_weights(source, backbone="net")


def test_weights_for_a_backbone_without_any_are_refused(tmp_path):
    with pytest.raises(UsageError, match="leave --weights out"):
        features.load_backbone("pixels", weights=tmp_path / "x.pth")
