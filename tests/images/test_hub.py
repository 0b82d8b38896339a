"""`hf:` against a small hub of our own on this machine, spoken to by the real huggingface_hub."""

import hashlib
import http.server
import json
import logging
import os
import subprocess
import sys
import threading
from urllib.parse import unquote, urlparse

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genmem.errors import InputError
from genmem.images.hub import choose_split, silence_hub_client, split_of

READ = """
import sys
from genmem.errors import InputError
from genmem.images import open_images
try:
    with open_images(sys.argv[1]) as source:
        size = sum(len(source.content(position)) for position in range(len(source)))
        print(source.name, len(source), source.id(0), size)
except InputError as error:
    print("InputError", error)
"""


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train.parquet", "train"),
        ("data/train-00000-of-00002.parquet", "data/train"),
        ("data/train-00000-of-00002-9f8e.parquet", "data/train"),
        ("plain_text/test-00000-of-00001.parquet", "plain_text/test"),
        ("default/train/0000.parquet", "default/train"),
        ("data/train-small.parquet", "data/train-small"),
    ],
)
def test_a_split_is_told_by_the_hubs_conventions(name, split):
    assert split_of(name) == split


def test_the_only_split_needs_no_name():
    names = ["data/train-00001-of-00002.parquet", "data/train-00000-of-00002.parquet"]
    for wanted in ("", "train", "data/train"):
        assert choose_split(names, wanted, source="hf:x/y") == sorted(names)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("", "has several splits. Choose one, as hf:x/y:SPLIT, of a/test, a/train, b/train"),
        ("train", "has several splits named train. Choose one"),
        ("valid", "has no split valid. Choose one"),
        ("rain", "has no split rain"),
    ],
)
def test_a_split_that_is_not_one_lists_them(wanted, message):
    names = ["a/train.parquet", "a/test.parquet", "b/train.parquet"]
    with pytest.raises(InputError, match=message):
        choose_split(names, wanted, source=f"hf:x/y:{wanted}" if wanted else "hf:x/y")


def test_missing_files_of_a_split_are_noticed():
    with pytest.raises(InputError, match="expected 3 files of this split, found 1"):
        choose_split(["train-00000-of-00003.parquet"], "train", source="hf:x/y:train")


FILES = {}


class Hub(http.server.BaseHTTPRequestHandler):
    """As much of the hub's protocol as huggingface_hub needs to list and fetch a data set."""

    commit = "c" * 40

    def log_message(self, format, *args):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = unquote(urlparse(self.path).path)
        prefix = "/api/datasets/someone/pictures"
        if path.startswith(f"{prefix}/revision/refs/convert"):
            self.answer(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        elif path.startswith(f"{prefix}/tree/"):
            self.answer_json([self.entry(name) for name in FILES])
        elif path.startswith(prefix):
            siblings = [{"rfilename": name} for name in FILES]
            self.answer_json({"id": "someone/pictures", "sha": self.commit, "siblings": siblings})
        elif path.startswith("/datasets/someone/pictures/resolve/"):
            content = FILES[path.split("/", 6)[6]]
            etag = hashlib.sha1(content).hexdigest()
            self.answer(200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": self.commit})
        else:
            self.answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def entry(self, name):
        content = FILES[name]
        oid = hashlib.sha1(content).hexdigest()
        return {"type": "file", "path": name, "size": len(content), "oid": oid}

    def answer_json(self, value):
        self.answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def answer(self, status, content, headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


@pytest.fixture
def hub(tmp_path, encoded):
    """Run READ with a source, as a process of its own: huggingface_hub reads its settings once."""
    images = [encoded(np.full((4, 4, 3), i, np.uint8)) for i in range(6)]
    for split, part in (
        ("train-00000-of-00002", images[:2]),
        ("train-00001-of-00002", images[2:5]),
    ):
        pq.write_table(pa.table({"image": part}), tmp_path / f"{split}.parquet")
        FILES[f"data/{split}.parquet"] = (tmp_path / f"{split}.parquet").read_bytes()
    pq.write_table(pa.table({"image": images[5:]}), tmp_path / "test.parquet")
    FILES["data/test-00000-of-00001.parquet"] = (tmp_path / "test.parquet").read_bytes()
    FILES["README.md"] = b"# Pictures"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings = {
        "HF_HOME": str(tmp_path / "hub"),
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "127.0.0.1",
    }

    def read(source, **more):
        environment = os.environ | settings | more
        done = subprocess.run(
            [sys.executable, "-c", READ, source],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.strip()

    read.size = sum(map(len, images[:5]))
    yield read
    server.shutdown()
    server.server_close()


def test_a_data_set_is_fetched_once_and_read_offline_after(hub):
    expected = f"hf:someone/pictures:train 5 000000 {hub.size}"
    assert hub("hf:someone/pictures:train") == expected
    assert hub("hf:someone/pictures:train", HF_HUB_OFFLINE="1") == expected


def test_several_splits_are_read_one_after_the_other(hub):
    count, first = hub("hf:someone/pictures:test+train").split()[1:3]
    assert (count, first) == ("6", "test/000000")
    assert "has no split valid. Choose one, as hf:someone/pictures:SPLIT" in hub(
        "hf:someone/pictures:train+valid"
    )


def test_offline_and_not_cached_is_one_clear_line(hub):
    message = hub("hf:someone/pictures:train", HF_HUB_OFFLINE="1")
    assert message.startswith(
        "InputError hf:someone/pictures:train: the hub is unreachable, and the files are not"
    )
    assert "\n" not in message


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "http://nowhere.invalid"])
def test_a_hub_out_of_reach_is_one_clear_line_and_nothing_else(hub, endpoint):
    expected = hub("hf:someone/pictures:train")
    assert hub("hf:someone/pictures:train", HF_ENDPOINT=endpoint) == expected
    message = hub("hf:someone/pictures:test", HF_ENDPOINT=endpoint, HF_HOME="/nowhere")
    assert "the hub is unreachable, and the files are not in its cache" in message
    assert "\n" not in message


def test_the_hubs_own_logging_and_bars_are_as_before_afterwards():
    from huggingface_hub.utils import are_progress_bars_disabled

    logger = logging.getLogger("huggingface_hub")
    before = logger.level, are_progress_bars_disabled()
    with silence_hub_client():
        assert not logger.isEnabledFor(logging.ERROR)
        assert are_progress_bars_disabled()
    assert (logger.level, are_progress_bars_disabled()) == before


def test_a_data_set_that_is_not_there_says_so(hub):
    message = hub("hf:someone/else")
    assert message.startswith("InputError hf:someone/else: the hub has no such data set")


def test_a_missing_split_lists_the_splits(hub):
    message = hub("hf:someone/pictures")
    assert "Choose one, as hf:someone/pictures:SPLIT, of data/test, data/train" in message


@pytest.mark.parametrize("source", ["hf:", "hf:a/b/c", "hf:../x", "hf:a b"])
def test_a_malformed_name_is_refused(source):
    from genmem.images import open_images

    with pytest.raises(InputError, match="expected hf:OWNER/NAME"):
        open_images(source)
