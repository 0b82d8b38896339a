"""The audit as a folder: tables, numbers, pictures, and one HTML page that shows them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from genmem.auditing.results import Audit, CopiedImage, copied_images
from genmem.auditing.space_results import Duplicates, SpaceResult
from genmem.formatting import capitalize, join_words, number, printable
from genmem.io.result_folder import ResultKind, atomic_result_folder
from genmem.report.audit.images import COPIED, FOLDER, PAIRS, Album, page_rows, write_pictures
from genmem.report.audit.page_data import page_data
from genmem.report.audit.power import power_sentences, power_table
from genmem.report.audit.stored_pairs import StoredPair, stored_pairs, write_pairs
from genmem.report.audit.tables import write_copied, write_duplicates, write_images
from genmem.report.audit.text import (
    class_table,
    details,
    duplicates_sentence,
    is_comparable,
    judged,
    notes,
    null_sentences,
    space_table,
    verdict,
    why_incomparable,
)
from genmem.report.common.histogram import Histogram, enlarged_left_end, histogram
from genmem.report.common.next_steps import next_steps
from genmem.report.common.provenance import (
    Provenance,
    compared,
    describe_sets,
    describe_source,
    pairs,
    times,
)
from genmem.report.common.templates import template, write_results
from genmem.report.common.verdict import which_are_copies

AUDIT = ResultKind(
    name="audit",
    numbers="audit.json",
    page="audit.html",
    folders=(FOLDER,),
    derived=("report.html", "report.pdf"),
)


def write_audit(audit: Audit, folder: str | Path) -> None:
    """Write tables, numbers, pictures and the page into `folder`.

    `images.parquet` and `.csv` hold one row per generated image, `copied.parquet` and `.csv` one
    row per copied training image, `duplicates.csv` one row per pair of near-duplicates,
    `pairs.json` the pairs of a dossier (`write_dossier`), and `audit.json` everything else.
    `audit.html` shows them, with the images in `pictures`; it makes no network request. Ids are
    unchanged in Parquet; in CSV, an id that a spreadsheet would take for a formula gets an
    apostrophe before it.

    An earlier audit stays unchanged until the new one is complete (`atomic_result_folder`).

    Args:
        audit: the result of `genmem.audit`.
        folder: created if missing. An earlier audit in it is replaced, including all of its
            `pictures`; other files stay.

    Raises:
        UsageError: the folder holds something other than an audit, or cannot be written.
    """
    with atomic_result_folder(folder, AUDIT) as new:
        copied, rows = copied_images(audit), page_rows(audit)
        write_images(audit, new)
        write_copied(audit, copied, new)
        write_duplicates(audit.duplicates, new)
        album = write_pictures(audit, rows, copied, new / FOLDER)
        write_pairs(stored_pairs(audit, rows, album), new)
        write_results(new, AUDIT, audit.to_dict(), render(audit, rows, copied, album))


PRINTED = 100
"""Pairs in the print view, the most suspicious first."""

STYLES = ("style.css", "audit.css")
SCRIPTS = ("audit.js", "audit_pair.js", "audit_marks.js")


@dataclass(frozen=True, kw_only=True)
class Card:
    """A copied training image, or a pair of duplicates.

    Attributes:
        pictures: path and description of each picture.
        names: ids of the images.
        title: first line.
        aside: text beside the title.
        line: second line.
    """

    pictures: tuple[tuple[str, str], ...]
    names: tuple[str, ...]
    title: str
    aside: str
    line: str


@dataclass(frozen=True, kw_only=True)
class PrintedPair:
    """A pair of the print view, which holds no table.

    Attributes:
        row: of the generated image, as in its marks.
        generated, train: names of the two images.
        generated_picture, train_picture: paths; None if there is no picture.
        line: distance, and p and q where they count.
    """

    row: int
    generated: str
    train: str
    generated_picture: str | None
    train_picture: str | None
    line: str


@dataclass(frozen=True, kw_only=True)
class SpaceHistogram:
    """How close generated and honest images come in one space."""

    name: str
    statistic: str
    honest: str
    whole: Histogram
    left_end: Histogram | None


def render(
    audit: Audit, rows: NDArray[np.int64], copied_images: Sequence[CopiedImage], album: Album
) -> str:
    """The page as text.

    Args:
        audit: the result of `genmem.audit`.
        rows: `page_rows(audit)`.
        copied_images: `copied_images(audit)`.
        album: the picture files beside the page.
    """
    style = _concatenate(STYLES)
    script = _concatenate(SCRIPTS)
    table, details_of_pairs = page_data(audit, rows, album)
    spaces = [printable(space.name) for space in audit.spaces]
    return template("audit.html").render(
        policy=_policy(style, script),
        style=style,
        script=script,
        data=Markup(table),
        pairs=Markup(details_of_pairs),
        title=compared(audit.inputs),
        subtitle=f"{describe_sets(audit.inputs)}, compared in {join_words(spaces)}",
        verdict=verdict(audit),
        comparable=is_comparable(audit),
        incomparable=why_incomparable(audit),
        which_are_copies=which_are_copies(judged(audit)),
        details=details(audit, copied_images),
        notes=[capitalize(printable(note)) for note in notes(audit)],
        steps=next_steps(
            judged(audit).label, pairs="below", missing="the finding and the notes name it"
        ),
        shown=len(rows),
        total=len(audit.p_values),
        pictures=bool(album.generated or album.train),
        printed=_printed(audit, rows, album),
        spaces=spaces,
        categories=audit.classes is not None,
        copied=[_copied_card(audit, image, album) for image in copied_images[:COPIED]]
        if is_comparable(audit)
        else [],
        copied_total=len(copied_images),
        classes=class_table(audit),
        duplicates=[_duplicates_section(kind, album) for kind in audit.duplicates],
        duplicates_total=sum(len(kind.first) for kind in audit.duplicates),
        null=null_sentences(audit),
        histograms=[drawn for space in audit.spaces if (drawn := _histogram(space))],
        space_table=space_table(audit),
        power=audit.power and power_table(audit.power),
        power_sentences=power_sentences(audit.power, judged(audit)) if audit.power else (),
        provenance=_provenance(audit),
    )


def _concatenate(names: tuple[str, ...]) -> Markup:
    """Template files as one text, whose hash the policy can name."""
    return Markup("\n" + "\n".join(template(name).render() for name in names) + "\n")


def _policy(style: str, script: str) -> str:
    """The Content-Security-Policy: this style, this script, pictures beside the page, no more."""
    style_hash, script_hash = (
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in (style, script)
    )
    return (
        f"default-src 'none'; img-src 'self' file: data:; style-src {style_hash}; "
        f"script-src {script_hash}; base-uri 'none'; form-action 'none'"
    )


def _printed(audit: Audit, rows: NDArray[np.int64], album: Album) -> dict[str, object]:
    """The section of the print view: the flagged pairs, or the nearest ones without any."""
    flagged = int(audit.flagged.sum())
    pairs = [pair for pair in stored_pairs(audit, rows, album) if pair.flagged or not flagged]
    heading = "Flagged pairs" if flagged else "The nearest pairs, not flagged"
    lead = (
        f"The {PRINTED:,} most suspicious of {flagged:,}; images.csv holds all."
        if flagged > PRINTED
        else ""
    )
    if not is_comparable(audit):
        heading = "Close pairs" if flagged else "The nearest pairs"
        lead = (
            f"The {PRINTED:,} closest of {flagged:,}; images.csv holds all. "
            if flagged > PRINTED
            else ""
        )
        lead += why_incomparable(audit)
    return {
        "heading": heading,
        "lead": lead,
        "pairs": [_printed_pair(audit, pair) for pair in pairs[:PRINTED]],
    }


def _printed_pair(audit: Audit, pair: StoredPair) -> PrintedPair:
    phrase = audit.nearest(pair.row)[2].phrase
    where = [phrase, f"in {printable(pair.space)}", f"distance {number(pair.distance)}"]
    rates = []
    if is_comparable(audit):
        rates = [f"p {number(pair.p_value)}", f"q {number(pair.q_value)}"]
    return PrintedPair(
        row=pair.row,
        generated=printable(pair.generated),
        train=printable(pair.train),
        generated_picture=pair.generated_picture,
        train_picture=pair.train_picture,
        line=" · ".join(filter(None, [*where, *rates])),
    )


def _copied_card(audit: Audit, image: CopiedImage, album: Album) -> Card:
    name = printable(audit.train_ids[image.train])
    category = None if audit.classes is None else audit.classes[image.train]
    path = album.path("train", image.train)
    return Card(
        pictures=((path, f"Training image {name}"),) if path else (),
        names=(name,),
        title="copied once" if len(image.generated) == 1 else f"{len(image.generated):,} copies",
        aside=printable(category or ""),
        line=f"closest at {number(image.distance)}",
    )


def _duplicates_section(duplicates: Duplicates, album: Album) -> dict[str, object]:
    held_out = duplicates.between.startswith("test")
    return {
        "title": "Held-out and training images" if held_out else "Within the training images",
        "sentence": duplicates_sentence(duplicates),
        "cards": [
            _duplicates_card(duplicates, index, album, first_role="test" if held_out else "train")
            for index in range(min(len(duplicates.first), PAIRS))
        ],
    }


def _likeness(duplicates: Duplicates, index: int) -> str:
    if duplicates.exact[index]:
        return "identical to the byte"
    return "nearly the same" if duplicates.same[index] else "similar"


def _duplicates_card(duplicates: Duplicates, index: int, album: Album, *, first_role: str) -> Card:
    names = (printable(duplicates.first_ids[index]), printable(duplicates.second_ids[index]))
    paths = (
        album.path(first_role, int(duplicates.first[index])),
        album.path("train", int(duplicates.second[index])),
    )
    return Card(
        pictures=tuple((path, name) for path, name in zip(paths, names, strict=True) if path),
        names=names,
        title=_likeness(duplicates, index),
        aside="",
        line=f"distance {number(float(duplicates.distances[index]))}",
    )


def _histogram(space: SpaceResult) -> SpaceHistogram | None:
    sets = {"generated": space.statistic, "test": space.null.statistic}
    whole = histogram(sets)
    if whole is None:
        return None
    honest = "held-out images" if space.null.source == "test" else "training images, left out"
    return SpaceHistogram(
        name=printable(space.name),
        statistic=capitalize(printable(space.statistic_name)),
        honest=honest,
        whole=whole,
        left_end=enlarged_left_end(sets),
    )


def _provenance(audit: Audit) -> Provenance:
    """Inputs, the backbone of each space, the run and its stages."""
    return Provenance(
        sources=tuple(describe_source(*item) for item in audit.inputs.items()),
        lists=(
            *((f"Space {printable(space.name)}", pairs(space.backbone)) for space in audit.spaces),
            ("Run", pairs(audit.provenance)),
            ("Time", times(audit.seconds)),
        ),
    )
