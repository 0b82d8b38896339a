"""The tables of a dossier: sets, run, spaces and near-duplicates."""

from __future__ import annotations

from genmem.formatting import (
    count,
    duration,
    number,
    percent,
    plain,
    printable,
    share,
    share_range,
)
from genmem.report.common.tables import Table
from genmem.report.dossier.stored_audit import StoredAudit

_ROLES = {
    "generated": "Generated images, which were checked",
    "train": "Training images, which must not be copied",
    "test": "Held-out images, which show what is chance",
}
_BETWEEN = {
    "train and train": "Within the training images",
    "test and train": "Held-out and training images",
}


def sets_table(audit: StoredAudit) -> Table:
    """The sets: what each is for, its name, size and fingerprint."""
    inputs = audit.numbers["inputs"]
    return Table(
        caption="The sets of images",
        columns=("Set", "Name", "Images", "Unreadable", "Fingerprint of the contents"),
        rows=tuple(
            (
                _ROLES.get(str(role), str(role)),
                printable(str(summary["source"])),
                f"{summary['count']:,}" if summary["count"] is not None else "unknown",
                f"{len(summary['skipped']):,}" if summary["skipped"] else "none",
                str(summary["digest"]),
            )
            for role, summary in inputs.items()
        ),
    )


def run_table(audit: StoredAudit) -> Table:
    """Which program ran, how it was called, when and where."""
    provenance = audit.numbers["provenance"]
    versions = dict(provenance.get("versions") or {})
    rows = (
        ("Program", f"genmem {versions.pop('genmem', None) or provenance.get('genmem', '')}"),
        ("Command", printable(str(provenance.get("command") or "called from Python"))),
        ("Date (UTC)", _date(str(provenance.get("date", "unknown")))),
        ("Random seed", str(provenance.get("seed", "unknown"))),
        ("Duration", duration(float(audit.numbers["seconds"].get("total", 0.0)))),
        ("Machine", f"{provenance.get('platform', 'unknown')}, {provenance.get('cpus', '?')} CPUs"),
        ("Python", str(provenance.get("python", "unknown"))),
        ("Libraries", plain(versions) or "unknown"),
        ("Fingerprint of the audit", str(audit.numbers["digest"])),
    )
    return Table(caption="The run", columns=("", ""), rows=rows)


def _date(text: str) -> str:
    """`2026-12-01T03:26:08+00:00` without its marks."""
    return text.replace("T", " ").removesuffix("+00:00").removesuffix("Z")


def spaces_table(audit: StoredAudit) -> Table:
    """How images were compared, in each space."""
    return Table(
        caption="How closeness was measured",
        columns=("Space", "Statistic", "Honest images", "Weights of the network (SHA-256)"),
        rows=tuple(
            (
                printable(name),
                printable(str(space["statistic"])),
                count(
                    int(space["null"]["count"]),
                    "held-out image" if space["null"]["source"] == "test" else "training image",
                ),
                str(space["backbone"].get("weights_sha256") or "no network"),
            )
            for name, space in audit.numbers["spaces"].items()
        ),
    )


def power_table(audit: StoredAudit) -> Table | None:
    """What share of planted copies would have been flagged, by disguise; None without `power`."""
    power = audit.numbers.get("power")
    if not power:
        return None
    return Table(
        caption="Disguised copies of training images, planted as a test",
        columns=("Kind", "Disguise", "Planted", "Flagged", "Share flagged, 95 % interval"),
        rows=tuple(
            (
                printable(str(row["kind"])),
                printable(str(row["disguise"])),
                f"{row['planted']:,}",
                f"{row['flagged']:,}",
                f"{share(row['share'])} "
                f"({share_range(row['interval']['low'], row['interval']['high'])})",
            )
            for row in power["disguises"]
        ),
    )


def duplicates_table(audit: StoredAudit) -> Table | None:
    """Near-duplicates among the sets, which distort what counts as close; None without any."""
    rows = tuple(
        (
            _BETWEEN.get(str(kind["between"]), str(kind["between"])),
            f"{kind['pairs']:,}",
            f"{kind['exact']:,}",
            f"{kind['same_picture'] - kind['exact']:,}" if "same_picture" in kind else "unknown",
            f"{kind['examined']:,} of {kind['of']:,}",
            f"{kind['dropped']:,}" if kind["dropped"] else "none",
        )
        for kind in audit.numbers["duplicates"]
    )
    if not rows:
        return None
    return Table(
        caption="Duplicates and similar images among the sets",
        columns=(
            "Between",
            "Similar pairs",
            "Identical files",
            "Nearly the same",
            "Images examined",
            "Left out",
        ),
        rows=rows,
    )


def numbers_table(audit: StoredAudit) -> Table:
    """The numbers that the finding rests on."""
    numbers = audit.numbers
    fewest = numbers.get("min_copies_flagged")
    flagged, copied = "Flagged images", "Training images that they repeat"
    missing = "" if audit.verdict.comparable else "not available without a yardstick"
    if missing:
        flagged = "Images close to a training image, which alone accuses nobody"
        copied = "Training images that they are close to"
    return Table(
        caption="The numbers behind the finding",
        columns=("", ""),
        rows=(
            (flagged, f"{audit.flagged:,} of {audit.images:,}"),
            (copied, f"{numbers['copied_training_images']:,}"),
            ("False-discovery rate of the flags", missing or percent(float(numbers["level"]))),
            ("Smallest possible p", missing or number(float(numbers["min_p_value"]))),
            (
                "Copies needed before any is flagged",
                missing or ("none suffices" if fewest is None else f"{fewest:,}"),
            ),
        ),
    )
