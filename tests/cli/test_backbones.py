"""`genmem backbones fetch` and `check`."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from genmem.cli.app import run
from genmem.features import find_backbone, registry
from genmem.features.weights import UrlFile

CONTENT = b"weights" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, format, *args):
        del format, args


@pytest.fixture(autouse=True)
def _empty_caches(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("GENMEM_WEIGHTS", raising=False)


def weights_at(monkeypatch, url, sha256):
    """Let `sscd` come from another address."""
    source = UrlFile(url=url, sha256=sha256)
    backbone = find_backbone("sscd")
    changed = type(backbone)(**{**vars(backbone), "weights": source})
    monkeypatch.setitem(registry.BACKBONES, "sscd", changed)


@pytest.fixture
def address():
    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}/net.pt"
        http.shutdown()
        thread.join()


def test_fetch_downloads_once_and_prints_the_place_and_the_hash(
    address, monkeypatch, tmp_path, capsys
):
    weights_at(monkeypatch, address, DIGEST)
    for origin in ("download", "torch hub cache"):
        assert run(["backbones", "fetch", "sscd"]) == 0
        place = tmp_path / "torch" / "hub" / "checkpoints" / "net.pt"
        assert capsys.readouterr().out == f"{place} ({origin})\nSHA-256 {DIGEST}\n"
    assert place.read_bytes() == CONTENT


@pytest.mark.parametrize("command", ["fetch", "check"])
@pytest.mark.parametrize("problem", ["offline", "another file"])
def test_without_the_published_file_there_is_one_line_and_exit_code_3(
    command, problem, address, monkeypatch, tmp_path, capsys
):
    url = "http://127.0.0.1:9/net.pt" if problem == "offline" else address
    weights_at(monkeypatch, url, "0" * 64)
    assert run(["backbones", command, "sscd"]) == 3
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("genmem: sscd needs the file net.pt (http://127.0.0.1:")
    assert ("discarded" in line) == (problem == "another file")
    assert "$GENMEM_WEIGHTS" in line
    assert not list(tmp_path.rglob("net.pt*"))


def test_fetch_of_a_backbone_without_weights_says_so(capsys):
    assert run(["backbones", "fetch", "pixels"]) == 0
    assert capsys.readouterr().out == "pixels needs no weights.\n"


def test_check_prints_expected_and_seen_numbers(capsys):
    assert run(["backbones", "check", "pixels@64"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["check", "expected", "seen", "agree"]
    assert lines[-1] == "pixels@64 gives what is expected of it."
    assert any("0.958 ± 0.02" in line and line.rstrip().endswith("yes") for line in lines)


def test_check_fails_where_numbers_differ(monkeypatch, capsys):
    monkeypatch.setattr("genmem.features.backbone_check.RECORDED", {"pixels": (0.5,) * 5})
    assert run(["backbones", "check", "pixels"]) == 3
    output = capsys.readouterr()
    assert "NO" in output.out
    assert "5 of 10 checks differ: cosine, JPEG 50;" in output.err


def test_an_unknown_name_is_refused(capsys):
    assert run(["backbones", "check", "scsd"]) == 2
    assert "did you mean sscd" in capsys.readouterr().err
