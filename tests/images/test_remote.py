"""URLs, against servers of this machine: http, and S3 as moto has it."""

import functools
import http.server
import subprocess
import sys
import threading
from typing import ClassVar

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer

from genmem.errors import InputError, UsageError
from genmem.images import hash_images, open_images, remote, shards
from genmem.images.remote import reason_of


def ids_of(source):
    return [source.id(position) for position in range(len(source))]


def contents_of(source):
    return [source.content(position) for position in range(len(source))]


@pytest.fixture
def images(encoded):
    rng = np.random.default_rng(0)
    return [encoded(pixels) for pixels in rng.integers(0, 256, (12, 4, 4, 3), np.uint8)]


@pytest.fixture
def folder(images, build_tar):
    """A folder with three tars, two parquet files and a zip."""
    for number in range(3):
        rows = images[4 * number : 4 * number + 4]
        files = {f"{row}.png": image for row, image in enumerate(rows)}
        captions = {f"{row}.txt": f"{number} {row}".encode() for row in range(4)}
        root = build_tar(files | captions, f"{number:03d}.tar").parent
    (root / "tables").mkdir()
    for number in range(2):
        table = pa.table({"image": images[6 * number : 6 * number + 6], "label": [number] * 6})
        pq.write_table(table, root / "tables" / f"{number}.parquet", row_group_size=2)
    return root


class Server(http.server.SimpleHTTPRequestHandler):
    """A folder on a web server; single ranges are served, as all but the simplest servers do."""

    requests: ClassVar[list[tuple[str, str | None]]] = []

    def log_message(self, format, *args):
        pass

    def do_GET(self):
        Server.requests.append((self.path, self.headers.get("Range")))
        path, first_last = self.translate_path(self.path), self.headers.get("Range")
        if first_last is None or not path.endswith(".parquet"):
            super().do_GET()
            return
        first, _, last = first_last.removeprefix("bytes=").partition("-")
        with open(path, "rb") as file:  # noqa: PTH123
            content = file.read()
        part = content[int(first) : int(last) + 1]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)


@pytest.fixture
def web(folder):
    Server.requests.clear()
    handler = functools.partial(Server, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def storage():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def bucket(storage, folder, monkeypatch):
    """A bucket with the folder's files; the environment says where it is."""
    settings = {"ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "word", "DEFAULT_REGION": "us-east-1"}
    for name, value in {**settings, "ENDPOINT_URL": storage}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    client = boto3.client("s3", endpoint_url=storage)
    client.create_bucket(Bucket="pictures")
    for path in folder.rglob("*"):
        if path.is_file():
            client.upload_file(str(path), "pictures", path.relative_to(folder).as_posix())
    client.close()
    return "s3://pictures"


@pytest.fixture(params=["web", "bucket"])
def root(request):
    return request.getfixturevalue(request.param)


def test_shards_of_a_url_are_those_of_the_folder(root, folder, images):
    for pattern in ("{000..002}.tar", "*.tar", "{000,001}.tar"):
        with open_images(f"{root}/{pattern}") as far, open_images(folder / pattern) as near:
            assert ids_of(far) == ids_of(near)
            assert contents_of(far) == contents_of(near) == images[: len(far)]
            assert hash_images(far).hexdigest == hash_images(near).hexdigest
            assert far.caption(5) == "1 1"


def test_one_file_of_a_url_has_plain_ids(root, images):
    with open_images(f"{root}/001.tar") as source:
        assert (source.name, ids_of(source)[0]) == ("001.tar", "0.png")
        assert contents_of(source) == images[4:8]


def test_tables_are_read_by_ranges(root, images):
    for url in (f"{root}/tables/{{0..1}}.parquet", f"{root}/tables/"):
        with open_images(url) as source:
            assert contents_of(source) == images
            assert ids_of(source)[6] == "1/000000"
            assert source.class_name(7) == "1"


def test_a_folder_of_unlike_files_is_refused(root):
    with pytest.raises(InputError, match=r"found 3 tar files .*, such as"):
        open_images(f"{root}/")


def test_every_shard_is_fetched_once_where_the_copies_have_room(web, images):
    with open_images(f"{web}/{{000..002}}.tar") as source:
        hash_images(source)
        contents_of(source)
    tars = [path for path, _ in Server.requests if path.endswith(".tar")]
    assert sorted(tars) == ["/000.tar", "/001.tar", "/002.tar"]


def test_every_shard_is_fetched_twice_where_they_have_none(web, images, monkeypatch):
    monkeypatch.setattr(shards, "FilePool", functools.partial(shards.FilePool, max_bytes=0))
    with open_images(f"{web}/{{000..002}}.tar") as source:
        hash_images(source)
        assert contents_of(source) == images
    tars = [path for path, _ in Server.requests if path.endswith(".tar")]
    assert sorted(tars) == sorted(["/000.tar", "/001.tar", "/002.tar"] * 2)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.tar", r"none\.tar: there is no such file"),
        ("{000..003}.tar", r"003\.tar: there is no such file"),
        ("none-*.tar", r"none-\*\.tar: no file matches this pattern"),
        ("none.parquet", r"none\.parquet: there is no such file"),
        ("x.npy", r"x\.npy: expected a tar, zip or parquet file"),
    ],
)
def test_what_is_not_there_is_one_line(root, name, message):
    with pytest.raises(InputError, match=message) as caught:
        open_images(f"{root}/{name}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.tar", "a.parquet", "{0..1}.zip", "*.tar", "folder/"])
def test_a_server_out_of_reach_is_one_line_without_secrets(name):
    with pytest.raises(InputError, match=r"cannot be read: .*Check the URL, the") as caught:
        open_images(f"http://user:word@127.0.0.1:9/{name}?signature=secret")
    message = str(caught.value)
    assert message.startswith("http://127.0.0.1:9/")
    assert not {"\n", "word", "secret"} & {
        part for part in ("\n", "word", "secret") if part in message
    }


def test_a_password_and_a_signature_are_in_no_message():
    error = ValueError("404, url='https://user:word@host/a.tar?signature=secret'\nmore")
    assert reason_of(error) == "404, url='https://host/a.tar' more"


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(UsageError, match=r"Install genmem\[remote\]"):
        remote.connect("https://127.0.0.1/a.tar")


def test_a_kind_of_url_that_nothing_reads_is_named():
    with pytest.raises(InputError, match=r"nonsense://x/a\.tar: cannot be read: .*nonsense"):
        open_images("nonsense://x/a.tar")


def test_a_program_that_reads_a_url_ends_without_a_warning(web):
    code = (
        "import sys; from genmem.images import open_images\n"
        "with open_images(sys.argv[1]) as source: print(len(source), source.id(4))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, f"{web}/{{000..001}}.tar"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "8 001/0.png\n", "")
