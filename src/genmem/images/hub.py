"""Data sets on the Hugging Face hub: `hf:DATASET[:split]`, `hf:DATASET:split+split`."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
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
from genmem.images.shards import ShardedSource, local_file, open_shards

PREFIX = "hf:"

HUB_TIMEOUT_SECONDS = 5.0
"""How long the hub may take to answer before it counts as unreachable."""

_REVISIONS = ("main", "refs/convert/parquet")
_SHARD = re.compile(r"-(\d+)-of-(\d+)(?=-|\.|$)")
_NUMBER = re.compile(r"\d+")


def open_hub(source: str) -> ShardedSource:
    """Open `hf:DATASET[:split]`: the data set's parquet files, from the hub or its cache.

    huggingface_hub downloads and caches the files; it obeys `HF_HOME`, `HF_HUB_OFFLINE`, `HF_TOKEN`
    and `HF_ENDPOINT`. A data set without parquet files is read from the branch
    `refs/convert/parquet`, which the hub creates for most data sets.

    Args:
        source: `hf:`, the data set's name (`uoft-cs/cifar10`), and one of its splits if it has
            several (`:train`), with its folder if several have a split of that name
            (`:plain_text/train`); `:train+test` is one split after the other.

    Raises:
        InputError: the data set or split does not exist or has no images, or the hub is unreachable
            and its cache does not hold the files.
    """
    dataset, _, split = source.removeprefix(PREFIX).partition(":")
    try:
        validate_repo_id(dataset)
    except HFValidationError as error:
        raise InputError(f"{source}: expected hf:OWNER/NAME or hf:OWNER/NAME:split.") from error
    with silence_hub_client():
        return _open(source, dataset, split)


def _open(source: str, dataset: str, split: str) -> ShardedSource:
    failure = find_hub_error()
    for revision in _REVISIONS:
        names = []
        if not failure:
            try:
                names = HfApi().list_repo_files(dataset, repo_type="dataset", revision=revision)
            except RevisionNotFoundError:
                continue
            except Exception as error:  # as in find_hub_error
                failure = error
        if failure:
            names = _list_cached(dataset, revision)
        names = [name for name in names if name.endswith(".parquet")]
        if names:
            splits = split.split("+")
            chosen = [choose_split(names, part, source=source) for part in splits]
            wanted = [name for part in chosen for name in part]
            folder = _fetch(dataset, revision, wanted, source=source, offline=failure is not None)
            return _open_splits(folder, dict(zip(splits, chosen, strict=True)), source)
    if failure:
        raise _unreachable(source, failure) from failure
    raise InputError(
        f"{source}: has no parquet files, on its main branch or on {_REVISIONS[1]}. Download its "
        "images and give the folder."
    )


def _open_splits(folder: Path, splits: Mapping[str, Sequence[str]], source: str) -> ShardedSource:
    """The rows of each split in turn, numbered within it; of several, its name stands before."""
    with ExitStack() as stack:
        opened = []
        for names in splits.values():
            files = [local_file(str(folder / name)) for name in names]
            shards = open_shards(files, name=source, where=source, numbered=True)
            opened.append(stack.enter_context(shards))
        stack.pop_all()
    if len(opened) == 1:
        return opened[0]
    return ShardedSource(opened, names=list(splits), name=source, where=source)


def find_hub_error() -> Exception | None:
    """Send the hub one request; return the error if it is unreachable, else None.

    The hub's own client repeats its requests for half a minute before it gives up.
    """
    if constants.HF_HUB_CACHE.startswith("~"):  # the hub's client would make a folder named ~
        return OSError("there is no home directory to keep a download in: set $HF_HOME")
    try:
        get_session().head(constants.ENDPOINT, timeout=HUB_TIMEOUT_SECONDS)
    except Exception as error:  # the hub's, the HTTP client's and the system's own kinds
        return error
    return None


@contextmanager
def silence_hub_client() -> Iterator[None]:
    """Keep huggingface_hub from writing to the terminal; errors are raised."""
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
    """The split of a parquet file, with its folder, by the hub's conventions.

    `data/train-00000-of-00002.parquet` → `data/train`; `default/train/0000.parquet` →
    `default/train`; `train.parquet` → `train`.
    """
    path = PurePosixPath(name)
    split = _SHARD.split(path.stem)[0]
    return str(path.parent if _NUMBER.fullmatch(split) else path.with_name(split))


def choose_split(names: Iterable[str], split: str, *, source: str) -> list[str]:
    """Choose the files of one split.

    Args:
        names: the data set's parquet files.
        split: the split's name, or the end of its path; "" if there is only one.
        source: the source as the user gave it, for messages.

    Returns:
        The split's files, in order.

    Raises:
        InputError: there is no such split or more than one, or files of it are missing.
    """
    splits: Mapping[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        splits[split_of(name)].append(name)
    matches = [path for path in splits if f"/{path}".endswith(f"/{split}" if split else "")]
    if len(matches) != 1:
        problem = (
            f"has several splits{f' named {split}' if split else ''}"
            if matches
            else f"has no split {split}"
        )
        dataset = ":".join(source.split(":")[:2])
        choices = ", ".join(sorted(splits))
        raise InputError(f"{source}: {problem}. Choose one, as {dataset}:SPLIT, of {choices}.")
    chosen = splits[matches[0]]
    shard = _SHARD.search(chosen[0])
    if shard and int(shard[2]) != len(chosen):
        raise InputError(
            f"{source}: expected {int(shard[2])} files of this split, found {len(chosen)}. Go "
            "online and try again to download the others."
        )
    return chosen


def _list_cached(dataset: str, revision: str) -> list[str]:
    """Paths of the data set's files in the cache of huggingface_hub."""
    try:
        folder = _snapshot(dataset, revision, [], offline=True)
    except OSError:
        return []
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*")]


def _fetch(dataset: str, revision: str, names: list[str], *, source: str, offline: bool) -> Path:
    """Download the files that the cache lacks; return the folder of the cache that holds them."""
    try:
        return _snapshot(dataset, revision, [escape(name) for name in names], offline=offline)
    except Exception as error:  # as in find_hub_error
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
            f"{source}: the hub has no such data set, or it needs a login. Check the name, or "
            "set HF_TOKEN."
        )
    reason = (str(error).splitlines() or [""])[0]
    return InputError(
        f"{source}: the hub is unreachable, and the files are not in its cache ($HF_HOME) "
        f"({type(error).__name__}: {reason}). Go online once, or give a folder of the images."
    )
