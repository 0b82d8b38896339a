"""Find a backbone's weights: a given file, $GENMEM_WEIGHTS, the usual caches, a download.

The places, in this order:
1. the file given as `--weights` (used unchecked: its hash goes into the provenance);
2. `$GENMEM_WEIGHTS`: a folder that holds the file under its published name, or that file itself;
3. where the publisher's own tools keep it: an installed package, the torch hub cache, the
   Hugging Face cache;
4. a download into that same cache.

Files from 2 to 4 are checked against the publisher's SHA-256 as far as one is published:
- in full: files of installed packages, and files that the Hugging Face hub stores under their hash;
- its first eight digits: files at plain addresses, whose names end in them (NASNet, ResNet, VGG and
  others); this finds a damaged download, and is no proof against a forger;
- not at all: a file for which no hash is published (`sscd-large`), and one that somebody put into
  the Hugging Face cache by hand.
Weights are never random.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.request
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

from genmem.errors import UsageError, WeightsError
from genmem.images import Progress
from genmem.io.atomic import atomic_write
from genmem.io.paths import expand_home, to_path

TIMEOUT_SECONDS = 20.0
"""How long a server may be silent."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A weights file on this machine.

    Attributes:
        path: the file.
        sha256: its hash, 64 hex digits.
        origin: where it was found, as text that names no folder of this machine.
    """

    path: Path
    sha256: str
    origin: str


class Candidate(NamedTuple):
    """A file that may be the published one: its place, where it was found, what hash it must have.

    `expected_sha256` may be the first digits only; it is None if nothing is published.
    """

    path: Path
    origin: str
    expected_sha256: str | None


class WeightsSource(Protocol):
    """Where the published weights of one backbone come from."""

    @property
    def filename(self) -> str:
        """The file's name in $GENMEM_WEIGHTS."""
        ...

    @property
    def url(self) -> str:
        """Where a person can get it."""
        ...

    @property
    def place(self) -> str:
        """Where a person can put it, other than $GENMEM_WEIGHTS."""
        ...

    def find(self) -> Candidate | None:
        """The file, if it is on this machine; its hash is not checked."""
        ...

    def download(self, progress: Progress | None) -> Candidate:
        """Download the file to its usual place; WeightsError if that fails."""
        ...


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def in_weights_folder(*filenames: str) -> Path | None:
    """The file in the folder $GENMEM_WEIGHTS, or $GENMEM_WEIGHTS itself if it has such a name."""
    setting = os.environ.get("GENMEM_WEIGHTS")
    if not setting:
        return None
    folder = expand_home(setting)
    paths = ((name, path) for name in filenames for path in (folder / name, folder))
    return next((path for name, path in paths if path.name == name and path.is_file()), None)


@dataclass(frozen=True, kw_only=True)
class PackageFile:
    """A file inside an installed Python package; nothing is downloaded at run time."""

    distribution: str
    path: str
    sha256: str

    @property
    def filename(self) -> str:
        """The file's own name."""
        return self.path.rpartition("/")[2]

    @property
    def url(self) -> str:
        """The package."""
        return f"the Python package {self.distribution}"

    @property
    def place(self) -> str:
        """The command that installs it."""
        return f"in place by `pip install {self.distribution}`"

    def find(self) -> Candidate | None:
        """The file in $GENMEM_WEIGHTS, else in the installed package."""
        if path := in_weights_folder(self.filename):
            return Candidate(path, "$GENMEM_WEIGHTS", self.sha256)
        try:
            path = Path(str(metadata.distribution(self.distribution).locate_file(self.path)))
        except metadata.PackageNotFoundError:
            return None
        origin = f"package {self.distribution}"
        return Candidate(path, origin, self.sha256) if path.is_file() else None

    def download(self, progress: Progress | None) -> Candidate:
        """Fails: genmem installs no packages."""
        del progress
        raise WeightsError(f"the package {self.distribution} is not installed")


def torch_hub_folder() -> Path | None:
    """Where torch hub keeps checkpoints: $TORCH_HOME, else $XDG_CACHE_HOME/torch, else ~/.cache.

    None if that is in the home directory and this process has none.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = expand_home(os.environ.get("TORCH_HOME") or f"{cache}/torch")
    return None if home.parts[:1] == ("~",) else home / "hub" / "checkpoints"


@dataclass(frozen=True, kw_only=True)
class UrlFile:
    """A file at a plain address, kept in the torch hub cache.

    Attributes:
        url: the file's address.
        sha256: the published hash, or as many of its first digits as are published; None: none is.
        also_named: other names under which other libraries keep the same bytes.
    """

    url: str
    sha256: str | None
    also_named: tuple[str, ...] = ()

    @property
    def filename(self) -> str:
        """The last part of the address."""
        return self.url.rpartition("/")[2]

    @property
    def place(self) -> str:
        """The torch hub cache."""
        return f"in {torch_hub_folder() or '$TORCH_HOME/hub/checkpoints'}"

    def find(self) -> Candidate | None:
        """The file in $GENMEM_WEIGHTS, else in the torch hub cache, under any of its names."""
        names = (self.filename, *self.also_named)
        if path := in_weights_folder(*names):
            return Candidate(path, "$GENMEM_WEIGHTS", self.sha256)
        folder = torch_hub_folder()
        paths = (folder / name for name in names) if folder else ()
        path = next((path for path in paths if path.is_file()), None)
        return Candidate(path, "torch hub cache", self.sha256) if path else None

    def download(self, progress: Progress | None) -> Candidate:
        """Download into the torch hub cache; a file with another hash is discarded."""
        folder = torch_hub_folder()
        if folder is None:
            raise WeightsError("there is no home directory to keep a download in: set $TORCH_HOME")
        target = folder / self.filename
        try:
            with urllib.request.urlopen(self.url, timeout=TIMEOUT_SECONDS) as response:
                target.parent.mkdir(parents=True, exist_ok=True)
                with atomic_write(target) as file:
                    digest = _copy(response, file, f"downloading {self.filename}", progress)
                    if not digest.startswith(self.sha256 or ""):
                        raise WeightsError(
                            f"the download has SHA-256 {digest}, expected {self.sha256}…, and was "
                            "discarded"
                        )
        except (OSError, http.client.HTTPException, UsageError) as error:
            raise WeightsError(f"the download failed ({_reason(error)})") from error
        return Candidate(target, "download", self.sha256)


def _copy(
    response: http.client.HTTPResponse, file: IO[bytes], stage: str, progress: Progress | None
) -> str:
    """Stream a response into a file; return the SHA-256 of what came."""
    hasher = hashlib.sha256()
    length = response.headers.get("Content-Length")
    total = int(length) if length else None
    done = 0
    while block := response.read(1 << 20):
        file.write(block)
        hasher.update(block)
        done += len(block)
        if progress is not None:
            progress(stage, done, total)
    if total is not None and done != total:
        raise OSError(f"the connection ended after {done} of {total} bytes")
    return hasher.hexdigest()


def _reason(error: Exception) -> str:
    """An exception in a few words on one line."""
    message = str(getattr(error, "reason", "") or error).strip()
    return message.splitlines()[0][:200] if message else type(error).__name__


@dataclass(frozen=True, kw_only=True)
class HubFile:
    """A file of a Hugging Face repository, kept in the Hugging Face cache.

    The hub stores large files under their SHA-256, and the cache names its blobs by it: cached and
    downloaded files are checked against that name.
    """

    repository: str
    name: str = "model.safetensors"

    @property
    def filename(self) -> str:
        """The repository's name with the file's suffix: the files themselves are all `model`."""
        return self.repository.rpartition("/")[2] + Path(self.name).suffix

    @property
    def url(self) -> str:
        """The file's address."""
        return f"https://huggingface.co/{self.repository}/resolve/main/{self.name}"

    @property
    def place(self) -> str:
        """The command that fills the Hugging Face cache."""
        return f"in place by `hf download {self.repository} {self.name}`"

    def find(self) -> Candidate | None:
        """The file in $GENMEM_WEIGHTS, else in the Hugging Face cache."""
        if path := in_weights_folder(self.filename):
            return Candidate(path, "$GENMEM_WEIGHTS", blob_sha256(path))
        from huggingface_hub import try_to_load_from_cache

        name = try_to_load_from_cache(self.repository, self.name)
        if not isinstance(name, str):
            return None
        return Candidate(Path(name), "Hugging Face cache", blob_sha256(Path(name)))

    def download(self, progress: Progress | None) -> Candidate:
        """Download into the Hugging Face cache with the hub's own client."""
        from huggingface_hub import hf_hub_download
        from huggingface_hub.utils import tqdm

        from genmem.images.hub import find_hub_error, silence_hub_client

        failure = find_hub_error()
        if failure is not None:
            raise WeightsError(f"the download failed ({_reason(failure)})") from failure
        stage = f"downloading {self.filename}"

        class Reporter(tqdm):
            """Calls `progress` instead of drawing a bar."""

            def __init__(self, *arguments: Any, **options: Any) -> None:
                super().__init__(*arguments, **{**options, "disable": True})
                self.size = options.get("total")
                self.done = options.get("initial") or 0

            def update(self, n: float | None = 1) -> None:
                self.done += n or 0
                if progress is not None:
                    progress(stage, int(self.done), int(self.size) if self.size else None)

        try:
            with silence_hub_client():
                name = hf_hub_download(
                    self.repository, self.name, etag_timeout=TIMEOUT_SECONDS, tqdm_class=Reporter
                )
            return Candidate(Path(name), "download", blob_sha256(Path(name)))
        # The errors of the hub's HTTP library share no base with its own, and that library changes.
        except Exception as error:
            raise WeightsError(f"the download failed ({_reason(error)})") from error


def blob_sha256(path: Path) -> str | None:
    """The name of the blob behind a file in the Hugging Face cache, if it is a SHA-256."""
    blob = path.resolve().name
    return blob if len(blob) == 64 and set(blob) <= set("0123456789abcdef") else None


def obtain_weights(
    source: WeightsSource,
    *,
    backbone: str,
    path: str | Path | None = None,
    progress: Progress | None = None,
) -> Weights:
    """Get the weights of a backbone from the first place that has them (see the module).

    Args:
        source: where its published weights come from.
        backbone: its name, for messages.
        path: the user's `--weights`, used unchecked; None: look for the published file.
        progress: told about a download.

    Raises:
        WeightsError: no place has them, the download failed, or the hash is not the published one.
    """
    if path is not None:
        path = expand_home(to_path(path, name="--weights"))
        if not path.is_file():
            raise WeightsError(f"--weights: expected a file, but there is none at {path}.")
        return Weights(path=path, sha256=sha256_of(path), origin="--weights")
    candidate = source.find()
    if candidate is None:
        try:
            candidate = source.download(progress)
        except WeightsError as error:
            raise WeightsError(
                f"{backbone} needs the file {source.filename} ({source.url}), which is not on this "
                f"machine: {error}. Put it {source.place}, or into the folder $GENMEM_WEIGHTS, or "
                "name it with --weights where a command has that option."
            ) from error
    path, origin, expected = candidate
    sha256 = sha256_of(path)
    if expected and not sha256.startswith(expected):
        raise WeightsError(
            f"{path} is not the published file: its SHA-256 is {sha256}, expected {expected}. "
            f"Delete it and download it again from {source.url}, or name it with --weights to use "
            "it anyway."
        )
    return Weights(path=path, sha256=sha256, origin=origin)
