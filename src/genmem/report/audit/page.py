"""The audit's page: one HTML file that shows the pictures beside it and asks for nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from genmem.auditing.results import Audit, CopiedImage, Duplicates, Space, copied
from genmem.formatting import capitalize, count, number, plain, printable
from genmem.io.result_folder import ResultKind, atomic_result_folder, check_result_folder
from genmem.report.audit.images import COPIED, FOLDER, PAIRS, Album, page_rows, write_pictures
from genmem.report.audit.page_data import page_data
from genmem.report.audit.tables import write_copied, write_duplicates, write_images
from genmem.report.audit.text import (
    class_table,
    details,
    duplicates_sentence,
    headline,
    null_sentences,
    space_table,
)
from genmem.report.common.provenance import Provenance, provenance
from genmem.report.common.templates import template
from genmem.report.score.histogram import Histogram, enlarged_left_end, histogram
from genmem.results import Score

PAGE, NUMBERS = "audit.html", "audit.json"

AUDIT = ResultKind(name="audit", numbers=NUMBERS, page=PAGE, folders=(FOLDER,))


def write_audit(audit: Audit, folder: str | Path) -> None:
    """Write tables, numbers, pictures and the page into `folder`.

    `images.parquet` and `.csv` hold one row a generated image, `copied.parquet` and `.csv` one row
    a copied training image, `duplicates.csv` one row a pair of near-duplicates, `audit.json`
    everything else; `audit.html` shows them, with the images in `pictures`. It asks for nothing
    over the network. Ids stand in Parquet as they are; in CSV, where a spreadsheet would take one
    for a formula, with an apostrophe before it.

    An earlier audit stays as it was until the new one is complete (`written_folder`).

    Args:
        audit: what `genmem.audit` found.
        folder: made where it is missing. An earlier audit in it is replaced, its `pictures` as a
            whole; other files beside it stay.

    Raises:
        UsageError: the folder holds something else than an audit, or cannot be written.
    """
    with atomic_result_folder(folder, AUDIT) as new:
        found, rows = copied(audit), page_rows(audit)
        write_images(audit, new)
        write_copied(audit, found, new)
        write_duplicates(audit.duplicates, new)
        numbers = json.dumps(audit.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        (new / NUMBERS).write_bytes(numbers.encode("utf-8", "backslashreplace"))
        album = write_pictures(audit, rows, found, new / FOLDER)
        page = render(audit, rows, found, album)
        (new / PAGE).write_bytes(page.encode("utf-8", "backslashreplace"))


def check_audit_folder(folder: str | Path) -> None:
    """Make sure that an audit can be written into `folder`, before hours of work end in an error.

    Raises:
        UsageError: it is a file, cannot be written, or holds files but no earlier audit.
    """
    check_result_folder(folder, AUDIT)


STYLES = ("style.css", "audit.css")
SCRIPTS = ("audit.js", "audit_pair.js")


@dataclass(frozen=True, kw_only=True)
class Card:
    """A copied training image, or a pair of duplicates, with the paths of its pictures."""

    pictures: tuple[tuple[str, str], ...]
    names: tuple[str, ...]
    title: str
    aside: str
    line: str


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """How close generated and honest images come in one space."""

    name: str
    statistic: str
    honest: str
    whole: Histogram
    left_end: Histogram | None


def render(
    audit: Audit, rows: NDArray[np.int64], found: Sequence[CopiedImage], album: Album
) -> str:
    """The page as text.

    Args:
        audit: what was found.
        rows: `page_rows(audit)`.
        found: `copied(audit)`.
        album: the pictures beside the page.
    """
    style = _part(STYLES)
    script = _part(SCRIPTS)
    table, pairs = page_data(audit, rows, album)
    return template("audit.html").render(
        policy=_policy(style, script),
        style=style,
        script=script,
        data=Markup(table),
        pairs=Markup(pairs),
        title=_title(audit),
        subtitle=_subtitle(audit),
        verdict=headline(audit),
        details=details(audit, found),
        notes=[capitalize(printable(note)) for note in audit.notes],
        shown=len(rows),
        total=len(audit.p_values),
        pictures=bool(album.generated or album.train),
        spaces=[printable(space.name) for space in audit.spaces],
        categories=audit.categories is not None,
        copied=[_copied_card(audit, one, album) for one in found[:COPIED]],
        copied_total=len(found),
        classes=class_table(audit),
        duplicates=[_duplicates(one, album) for one in audit.duplicates],
        duplicates_total=sum(len(one.first) for one in audit.duplicates),
        null=null_sentences(audit),
        drawn=[drawing for space in audit.spaces if (drawing := _drawn(space))],
        space_table=space_table(audit),
        provenance=_provenance(audit),
    )


def _part(names: tuple[str, ...]) -> Markup:
    """Files of the templates' folder as one text, which a hash can name."""
    return Markup("\n" + "\n".join(template(name).render() for name in names) + "\n")


def _policy(style: str, script: str) -> str:
    """The Content-Security-Policy: this style, this script, pictures beside the page, no more."""
    named = [
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in (style, script)
    ]
    return (
        f"default-src 'none'; img-src 'self' file: data:; style-src {named[0]}; "
        f"script-src {named[1]}; base-uri 'none'; form-action 'none'"
    )


def _title(audit: Audit) -> str:
    generated, train = (printable(audit.inputs[role].source) for role in ("generated", "train"))
    return f"{generated} against {train}"


def _subtitle(audit: Audit) -> str:
    held_out = audit.inputs.get("test")
    sets = [
        count(len(audit.generated_ids), "generated image"),
        count(len(audit.train_ids), "training image"),
        *([count(held_out.count, "held-out image")] if held_out else []),
    ]
    spaces = " and ".join(printable(space.name) for space in audit.spaces)
    return f"{', '.join(sets[:-1])} and {sets[-1]}, compared in {spaces}"


def _copied_card(audit: Audit, one: CopiedImage, album: Album) -> Card:
    name = printable(audit.train_ids[one.train])
    category = None if audit.categories is None else audit.categories[one.train]
    path = album.path("train", one.train)
    return Card(
        pictures=((path, f"Training image {name}"),) if path else (),
        names=(name,),
        title="copied once" if len(one.generated) == 1 else f"{len(one.generated):,} copies",
        aside=printable(category or ""),
        line=f"closest at {number(one.distance)}",
    )


def _duplicates(one: Duplicates, album: Album) -> dict[str, object]:
    held_out = one.between.startswith("test")
    cards = []
    for place in range(min(len(one.first), PAIRS)):
        names = (printable(one.first_ids[place]), printable(one.second_ids[place]))
        paths = (
            album.path("test" if held_out else "train", int(one.first[place])),
            album.path("train", int(one.second[place])),
        )
        cards.append(
            Card(
                pictures=tuple(
                    (path, name) for path, name in zip(paths, names, strict=True) if path
                ),
                names=names,
                title="the same to the byte" if one.exact[place] else "nearly the same",
                aside="",
                line=f"distance {number(float(one.distances[place]))}",
            )
        )
    title = "Held-out and training images" if held_out else "Within the training images"
    return {"title": title, "sentence": duplicates_sentence(one), "cards": cards}


def _drawn(space: Space) -> Drawn | None:
    sets = {"generated": space.statistic, "test": space.null.statistic}
    whole = histogram(sets)
    if whole is None:
        return None
    honest = "held-out images" if space.null.source == "test" else "training images, left out"
    return Drawn(
        name=printable(space.name),
        statistic=capitalize(printable(space.statistic_name)),
        honest=honest,
        whole=whole,
        left_end=enlarged_left_end(sets),
    )


def _provenance(audit: Audit) -> Provenance:
    """Inputs, each space's backbone, the run and its stages."""
    run = Score(
        metrics={},
        inputs=audit.inputs,
        backbone={},
        provenance=audit.provenance,
        seconds=audit.seconds,
        nearest={},
    )
    listed = provenance(run)
    spaces = tuple(
        (
            f"Space {printable(space.name)}",
            tuple(
                (printable(key.replace("_", " ")), plain(value))
                for key, value in space.backbone.items()
            ),
        )
        for space in audit.spaces
    )
    return Provenance(sources=listed.sources, lists=(*spaces, *listed.lists))
