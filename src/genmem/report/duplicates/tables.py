"""`delete.txt`, and the pairs and clusters as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from genmem.deduplication import DuplicateSearch
from genmem.report.audit.tables import text_column, write_csv
from genmem.report.common.templates import encode


def deletable(ids: Sequence[str]) -> list[str]:
    """Ids that can stand on a line of their own: a line break in one would name other files."""
    return [name for name in ids if name.splitlines() == [name]]


def write_tables(result: DuplicateSearch, folder: Path) -> None:
    """Write delete.txt, clusters.csv and pairs.csv.

    delete.txt has the ids of the images to delete, one a line: paths in the folder or archive.
    clusters.csv has a row per image of a cluster: its number, `image`, `set`, `action` ("keep" or
    "delete"), `width`, `height` and `bytes`. pairs.csv has a row per match.

    Args:
        result: of `genmem.duplicates`.
        folder: gets the files.
    """
    text = "".join(f"{name}\n" for name in deletable(result.deleted))
    (folder / "delete.txt").write_bytes(encode(text))
    rows = [
        (number, row, row in cluster.deleted)
        for number, cluster in enumerate(result.clusters, 1)
        for row in cluster.rows
    ]
    files = [result.images[row] for _, row, _ in rows]
    clusters = {
        "cluster": pa.array([number for number, _, _ in rows], pa.int64()),
        "image": text_column([file.id for file in files]),
        "set": text_column([file.role for file in files]),
        "action": text_column(["delete" if is_deleted else "keep" for _, _, is_deleted in rows]),
        **{
            name: pa.array([getattr(file, name) for file in files], pa.int64())
            for name in ("width", "height", "bytes")
        },
    }
    write_csv(pa.table(clusters), folder / "clusters.csv")
    write_csv(pairs_table(result), folder / "pairs.csv")


def pairs_table(result: DuplicateSearch) -> pa.Table:
    """The matches, a row each: the columns of pairs.csv."""
    matches = result.matches
    pairs = {
        "first": text_column([result.images[match.first].id for match in matches]),
        "second": text_column([result.images[match.second].id for match in matches]),
        "second_set": text_column([result.images[match.second].role for match in matches]),
        "kind": text_column([match.kind for match in matches]),
        "agreement": pa.array([match.agreement for match in matches], pa.float64()),
        "evidence": pa.array([match.evidence for match in matches], pa.float64()),
        "share_of_first": pa.array([match.share[0] for match in matches], pa.float64()),
        "share_of_second": pa.array([match.share[1] for match in matches], pa.float64()),
    }
    return pa.table(pairs)
