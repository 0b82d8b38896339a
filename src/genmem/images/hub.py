"""Data sets on the Hugging Face hub: `hf:DATASET[:split]`."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from glob import escape
from pathlib import Path, PurePosixPath

from huggingface_hub import HfApi, constants, get_session, snapshot_download
from huggingface_hub.errors import (
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import (
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
    validate_repo_id,
)

from genmem.errors import InputError
from genmem.images.parquet import ParquetSource

PREFIX = "hf:"

PROBE_SECONDS = 5.0
"""How long the hub may take to answer before it counts as out of reach."""

_REVISIONS = ("main", "refs/convert/parquet")
_SHARD = re.compile(r"-(\d+)-of-(\d+)(?=-|\.|$)")
_NUMBER = re.compile(r"\d+")


def open_hub(source: str) -> ParquetSource:
    """Open `hf:DATASET[:split]`: the data set's parquet files, from the hub or its cache.

    Files are downloaded and cached by huggingface_hub, which obeys `HF_HOME`, `HF_HUB_OFFLINE`,
    `HF_TOKEN` and `HF_ENDPOINT`. A data set without parquet files of its own is read from the
    branch `refs/convert/parquet`, which the hub makes of most others.

    Args:
        source: `hf:` and the data set's name (`uoft-cs/cifar10`), and where it has several splits
            one of them (`:train`), with the folder before it where several hold a split of that
            name (`:plain_text/train`).

    Raises:
        InputError: no such data set or split, nothing to read, or offline and not in the cache.
    """
    dataset, _, wanted = source.removeprefix(PREFIX).partition(":")
    try:
        validate_repo_id(dataset)
    except HFValidationError as error:
        raise InputError(f"{source}: expected hf:OWNER/NAME or hf:OWNER/NAME:split") from error
    with quiet():
        return _open(source, dataset, wanted)


def _open(source: str, dataset: str, wanted: str) -> ParquetSource:
    failure = probe()
    for revision in _REVISIONS:
        names = []
        if not failure:
            try:
                names = HfApi().list_repo_files(dataset, repo_type="dataset", revision=revision)
            except RevisionNotFoundError:
                continue
            except Exception as error:  # as in probe
                failure = error
        if failure:
            names = _list_cached(dataset, revision)
        names = [name for name in names if name.endswith(".parquet")]
        if names:
            chosen = choose_split(names, wanted, source=source)
            folder = _fetch(dataset, revision, chosen, source=source, offline=failure is not None)
            return ParquetSource([folder / name for name in chosen], name=source, where=source)
    if failure:
        raise _unreachable(source, failure) from failure
    raise InputError(
        f"{source}: has no parquet files, on its main branch or on {_REVISIONS[1]}. Download its "
        "images and give the folder"
    )


def probe() -> Exception | None:
    """Ask the hub for anything, once; why it cannot be reached, or None.

    Its own client asks again and again for half a minute before it gives up.
    """
    try:
        get_session().head(constants.ENDPOINT, timeout=PROBE_SECONDS)
    except Exception as error:  # the hub's, the HTTP client's and the system's own kinds
        return error
    return None


@contextmanager
def quiet() -> Iterator[None]:
    """Keep huggingface_hub from writing on the terminal: errors are told by what is raised."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    silence_bars = constants.HF_HUB_DISABLE_PROGRESS_BARS is None
    silence_bars = silence_bars and not are_progress_bars_disabled()
    logger.setLevel(logging.CRITICAL)
    if silence_bars:
        disable_progress_bars()
    try:
        yield
    finally:
        logger.setLevel(level)
        if silence_bars:
            enable_progress_bars()


def split_of(name: str) -> str:
    """The split a parquet file belongs to, with the folder it is in, by the hub's conventions.

    `data/train-00000-of-00002.parquet` → `data/train`; `default/train/0000.parquet` →
    `default/train`; `train.parquet` → `train`.
    """
    path = PurePosixPath(name)
    split = _SHARD.split(path.stem)[0]
    return str(path.parent if _NUMBER.fullmatch(split) else path.with_name(split))


def choose_split(names: Iterable[str], wanted: str, *, source: str) -> list[str]:
    """The files among `names` of the split `wanted` ("" where there is only one), in order.

    Raises:
        InputError: no such split, several of the name, or files of it are missing.
    """
    splits: Mapping[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        splits[split_of(name)].append(name)
    matches = [split for split in splits if f"/{split}".endswith(f"/{wanted}" if wanted else "")]
    if len(matches) != 1:
        found = ", ".join(sorted(splits))
        problem = (
            f"has several splits{f' called {wanted}' if wanted else ''}"
            if matches
            else (f"has no split {wanted}")
        )
        dataset = source.removesuffix(f":{wanted}")
        raise InputError(f"{source}: {problem}. Choose one, as {dataset}:SPLIT, of {found}")
    chosen = splits[matches[0]]
    shard = _SHARD.search(chosen[0])
    if shard and int(shard[2]) != len(chosen):
        raise InputError(
            f"{source}: expected {int(shard[2])} files of this split, found {len(chosen)}. Go "
            "online and try again, so that the others are fetched"
        )
    return chosen


def _list_cached(dataset: str, revision: str) -> list[str]:
    """Paths of the files of the data set that huggingface_hub has in its cache."""
    try:
        folder = _snapshot(dataset, revision, [], offline=True)
    except OSError:
        return []
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*")]


def _fetch(dataset: str, revision: str, names: list[str], *, source: str, offline: bool) -> Path:
    """The folder of the cache that holds the files `names`, downloaded where they were not."""
    try:
        return _snapshot(dataset, revision, [escape(name) for name in names], offline=offline)
    except Exception as error:  # as in probe
        raise _unreachable(source, error) from error


def _snapshot(dataset: str, revision: str, patterns: list[str], *, offline: bool) -> Path:
    return Path(
        snapshot_download(
            dataset,
            repo_type="dataset",
            revision=revision,
            allow_patterns=patterns,
            local_files_only=offline,
        )
    )


def _unreachable(source: str, error: Exception) -> InputError:
    if isinstance(error, RepositoryNotFoundError):
        return InputError(
            f"{source}: the hub has no such data set, or shows it only after a login. Check the "
            "name, or set HF_TOKEN"
        )
    reason = (str(error).splitlines() or [""])[0]
    return InputError(
        f"{source}: the hub cannot be reached, and the files are not in its cache ($HF_HOME) "
        f"({type(error).__name__}: {reason}). Go online once, or give a folder of the images"
    )
