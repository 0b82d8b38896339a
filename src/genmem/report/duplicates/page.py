"""The folder of `genmem duplicates`: a page with pictures, tables and the list to delete."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from genmem.deduplication import Cluster, DuplicateSearch, Match
from genmem.formatting import capitalize, count, join_words, printable, share
from genmem.io.result_folder import ResultKind, atomic_result_folder
from genmem.report.common.provenance import Provenance, describe_source, pairs, times
from genmem.report.common.templates import template, write_results
from genmem.report.duplicates.tables import deletable, write_tables

FOLDER = "pictures"

DUPLICATES = ResultKind(
    name="duplicates", numbers="duplicates.json", page="duplicates.html", folders=(FOLDER,)
)

CLUSTERS = 300
"""Clusters on the page, in the order of the set; the tables list all."""

PARTS = 100
"""Pairs on the page of which one image holds a part of the other."""

MEMBERS = 12
"""Images of a cluster with pictures."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """An image on the page.

    Attributes:
        name: its id.
        picture: path of its picture; None if there is none.
        line: its size and what is to be done.
        kept: whether it is kept.
    """

    name: str
    picture: str | None
    line: str
    kept: bool


def write_duplicates(result: DuplicateSearch, folder: str | Path) -> None:
    """Write tables, delete.txt, numbers, pictures and the page into `folder`.

    An earlier result in it stays unchanged until the new one is complete.

    Args:
        result: of `genmem.duplicates`, still open.
        folder: created if missing.

    Raises:
        UsageError: the folder holds something other than a search for duplicates, or cannot be
            written.
    """
    with atomic_result_folder(folder, DUPLICATES) as new:
        write_tables(result, new)
        pictures = _write_pictures(result, new)
        write_results(new, DUPLICATES, result.to_dict(), render(result, pictures))


def summary(result: DuplicateSearch) -> str:
    """What was found, in one sentence."""
    images = count(result.train, "image")
    if not result.clusters:
        return f"None of the {images} repeats another image."
    deleted = len(result.deleted)
    which = "is a repeat" if deleted == 1 else "are repeats"
    return (
        f"{count(len(result.clusters), 'cluster')} of repeated pictures; {deleted:,} of {images} "
        f"{which} and can be deleted (delete.txt)."
    )


def render(result: DuplicateSearch, pictures: dict[int, str]) -> str:
    """The page as text.

    Args:
        result: of `genmem.duplicates`.
        pictures: path of the picture by row.
    """
    parts = [match for match in result.matches if match.kind == "part"]
    unlisted = len(result.deleted) - len(deletable(result.deleted))
    notes = [*result.notes]
    if unlisted:
        notes.append(
            f"delete.txt leaves out {count(unlisted, 'image')} whose name has a line break; "
            "clusters.csv has them."
        )
    sources = [describe_source(*item) for item in result.inputs.items()]
    return template("duplicates.html").render(
        title=" against ".join(source.source for source in sources),
        subtitle=_method(result),
        level="doubt" if result.clusters else "clear",
        word="Repeated pictures" if result.clusters else "No repeated pictures",
        sentences=[summary(result), _kinds(result)],
        notes=[capitalize(printable(note)) for note in notes],
        clusters=[
            [_member(result, cluster, row, pictures) for row in _shown(cluster)]
            for cluster in result.clusters[:CLUSTERS]
        ],
        clusters_total=len(result.clusters),
        parts=[_part(result, match, pictures) for match in parts[:PARTS]],
        parts_total=len(parts),
        against="test" in result.inputs,
        provenance=Provenance(
            sources=tuple(sources),
            lists=(("Run", pairs(result.provenance)), ("Time", times(result.seconds))),
        ),
    )


def _method(result: DuplicateSearch) -> str:
    regions = ", or they share a region" if result.local else ""
    spaces = join_words([printable(space) for space in result.spaces])
    return (
        f"{count(result.compared, 'pair')} compared, which {spaces} proposed: a pair counts where "
        f"edges and texture agree{regions}"
    )


def _kinds(result: DuplicateSearch) -> str:
    """How many pairs there are of each kind."""
    kinds = [match.kind for match in result.matches]
    return (
        f"{count(kinds.count('identical'), 'pair')} of identical files, "
        f"{count(kinds.count('same'), 'pair')} of the same picture, and "
        f"{count(kinds.count('part'), 'pair')} of which one holds a part of the other."
    )


def _shown(cluster: Cluster) -> list[int]:
    """The members with pictures, those kept first."""
    return [*cluster.kept, *cluster.deleted][:MEMBERS]


def _member(
    result: DuplicateSearch, cluster: Cluster, row: int, pictures: dict[int, str]
) -> Member:
    file, kept = result.images[row], row in cluster.kept
    other = " (in the other set)" if file.role == "against" else ""
    return Member(
        name=printable(file.id),
        picture=pictures.get(row),
        line=" · ".join(
            [
                f"{'keep' if kept else 'delete'}{other}",
                *([] if file.width is None else [f"{file.width} × {file.height}"]),
                *([] if file.bytes is None else [_size(file.bytes)]),
            ]
        ),
        kept=kept,
    )


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{max(1, round(size / 1e3)):,} kB"


def _part(result: DuplicateSearch, match: Match, pictures: dict[int, str]) -> list[Member]:
    rows = zip((match.first, match.second), match.share, strict=True)
    return [
        Member(
            name=printable(result.images[row].id),
            picture=pictures.get(row),
            line=f"{share(of_it)} of this image is shared",
            kept=True,
        )
        for row, of_it in rows
    ]


def _write_pictures(result: DuplicateSearch, folder: Path) -> dict[int, str]:
    """Write the pictures of the page; returns their paths by row."""
    if result.pictures is None:
        return {}
    parts = [match for match in result.matches if match.kind == "part"]
    rows = {row for cluster in result.clusters[:CLUSTERS] for row in _shown(cluster)}
    rows.update(row for match in parts[:PARTS] for row in (match.first, match.second))
    return dict(_write(result, sorted(rows), folder))


def _write(result: DuplicateSearch, rows: Iterable[int], folder: Path) -> Iterable[tuple[int, str]]:
    assert result.pictures is not None
    for row in rows:
        is_train = row < result.train
        content = (
            result.pictures.train(row) if is_train else result.pictures.test(row - result.train)
        )
        if content is None:
            continue
        suffix = ".png" if content.startswith(b"\x89PNG") else ".jpg"
        path = Path(FOLDER) / ("train" if is_train else "against") / f"{row:06d}{suffix}"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
        yield row, path.as_posix()
