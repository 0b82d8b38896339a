"""`write_dossier`: the folder of an audit as a document, in HTML or PDF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from genmem.auditing.review import read_marks, review_flags
from genmem.formatting import capitalize, count, printable
from genmem.io.atomic import atomic_write
from genmem.report.audit.stored_pairs import StoredPair
from genmem.report.common.templates import encode, template
from genmem.report.dossier.answers import answers, review_sentence
from genmem.report.dossier.evidence import NEAREST, SHOWN, Evidence, evidence_of
from genmem.report.dossier.method import limit_sentences, method_sentences, power_sentence
from genmem.report.dossier.pdf import to_pdf
from genmem.report.dossier.stored_audit import StoredAudit, read_audit
from genmem.report.dossier.tables import (
    duplicates_table,
    numbers_table,
    power_table,
    run_table,
    sets_table,
    spaces_table,
)

PAGE, DOCUMENT = "report.html", "report.pdf"


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Pairs under one heading.

    Attributes:
        heading: of the pairs.
        lead: which they are.
        pairs: with their pictures.
    """

    heading: str
    lead: str
    pairs: list[Evidence]


def write_dossier(
    folder: str | Path, *, pdf: bool = False, marks: str | Path | None = None
) -> Path:
    """Write an audit as a document for readers who are no statisticians.

    It is rendered from the audit's folder alone; the images are not needed. The same folder and
    marks give the same bytes.

    Args:
        folder: the output directory of `genmem audit` or `write_audit`.
        pdf: write `report.pdf` instead of `report.html`.
        marks: a JSON file of reviewers' marks, exported by the audit's page.

    Returns:
        The file, in `folder`.

    Raises:
        UsageError: the folder holds no audit, the marks belong to another one, WeasyPrint is
            missing, or the file cannot be written.
        InputError: a file is damaged or missing.
    """
    audit = read_audit(folder)
    digest = str(audit.numbers["digest"])
    page = render(audit, read_marks(marks, digest=digest) if marks is not None else None)
    content = to_pdf(page) if pdf else encode(page)
    path = audit.folder / (DOCUMENT if pdf else PAGE)
    with atomic_write(path) as file:
        file.write(content)
    return path


def render(audit: StoredAudit, marks: Mapping[int, str] | None = None) -> str:
    """The document as HTML, with style and pictures in it and without scripts.

    Args:
        audit: the folder.
        marks: a mark by row of the generated image; None where nobody reviewed.
    """
    flagged = [pair.row for pair in audit.pairs if pair.flagged]
    review = None if marks is None else review_flags(marks, flagged)
    banner, inputs = audit.banner, audit.numbers["inputs"]
    return template("dossier.html").render(
        title=f"{_name(inputs, 'generated')} against {_name(inputs, 'train')}",
        digest=str(audit.numbers["digest"]),
        banner=banner,
        answers=answers(audit, review),
        sets=sets_table(audit),
        run=run_table(audit),
        method=method_sentences(audit),
        spaces=spaces_table(audit),
        galleries=_galleries(audit, marks or {}),
        power=power_sentence(audit),
        power_table=power_table(audit),
        power_assumption=printable(str((audit.numbers.get("power") or {}).get("assumption", ""))),
        numbers=numbers_table(audit),
        duplicates=duplicates_table(audit),
        notes=[capitalize(printable(str(note))) for note in audit.notes],
        limits=limit_sentences(audit),
        review=review_sentence(review) if review else "",
    )


def _name(inputs: Mapping[str, Mapping[str, str]], role: str) -> str:
    return printable(str(inputs[role]["source"])) or role


def _galleries(audit: StoredAudit, marks: Mapping[int, str]) -> list[Gallery]:
    """The flagged pairs, then the nearest others."""
    flagged = [pair for pair in audit.pairs if pair.flagged]
    others = [pair for pair in audit.pairs if not pair.flagged]
    galleries = []
    if flagged:
        shown = flagged[:SHOWN]
        lead = f"All {audit.flagged:,}, the most suspicious first." if len(shown) > 1 else ""
        if audit.flagged > len(shown):
            lead = (
                f"The {len(shown):,} most suspicious of {audit.flagged:,}. The other "
                f"{audit.flagged - len(shown):,} are left out here; images.csv in the audit's "
                "folder holds all of them (column flagged)."
            )
        heading = "Flagged pairs" if audit.verdict.comparable else "Close pairs"
        lead = f"{lead} {audit.why_incomparable}".strip()
        galleries.append(_gallery(heading, lead, audit, shown, marks))
    if others:
        shown = others[:NEAREST]
        lead = (
            f"{count(len(shown), 'image')} closest to a training image among those that are not "
            "flagged. They show how similar honest images can be, or are copies that "
            "the test was too weak to flag: judge for yourself."
        )
        galleries.append(_gallery("The nearest unflagged pairs", lead, audit, shown, marks))
    return galleries


def _gallery(
    heading: str,
    lead: str,
    audit: StoredAudit,
    pairs: Sequence[StoredPair],
    marks: Mapping[int, str],
) -> Gallery:
    return Gallery(heading=heading, lead=lead, pairs=evidence_of(audit, pairs, marks))
