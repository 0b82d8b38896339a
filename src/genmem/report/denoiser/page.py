"""The evaluation of a diffusion model as a folder: one self-contained HTML page and its JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genmem.formatting import count, number, percent, printable, share
from genmem.io.result_folder import ResultKind, atomic_result_folder, check_result_folder
from genmem.report.common.images import PictureGroup, picture, pictures, png_of
from genmem.report.common.provenance import Provenance, Source, pairs, times
from genmem.report.common.tables import Table
from genmem.report.common.templates import template, write_results
from genmem.report.denoiser.figures import LOOKS, NORMAL_95, curve_drawing
from genmem.results import Json

PAGE, NUMBERS = "denoiser.html", "denoiser.json"
DENOISER = ResultKind(name="denoiser", numbers=NUMBERS, page=PAGE, folders=())

GALLERY_SIZE = 12
"""Samples in each of the two galleries."""

MAX_COPIED_ROWS = 20
"""Most copied training images that the page lists; the JSON has all."""

REPLAY_RATIO = 0.9
"""Ratio from which a model counts as behaving like the optimal denoiser: 1 − ε, ε = 0.1."""


@dataclass(frozen=True, kw_only=True)
class SampleWithNeighbors:
    """A sample and its two nearest training images.

    Attributes:
        number: the number of the sample.
        sample, nearest, second: uint8 [C, H, W], 1 or 3 channels.
        nearest_id, second_id: ids of the training images.
        d1, d2: their distances, Euclidean in 8-bit pixel values.
        memorized: whether d1/d2 < 1/3.
    """

    number: int
    sample: NDArray[np.uint8]
    nearest: NDArray[np.uint8]
    second: NDArray[np.uint8]
    nearest_id: str
    second_id: str
    d1: float
    d2: float
    memorized: bool


def check_denoiser_folder(folder: str | Path) -> None:
    """Check before the work that the results can be written into `folder`.

    Raises:
        UsageError: it is a file, cannot be written, or holds other files than earlier results.
    """
    check_result_folder(folder, DENOISER)


def write_denoiser(
    document: Mapping[str, Json],
    folder: str | Path,
    *,
    closest: Sequence[SampleWithNeighbors],
    drawn: Sequence[SampleWithNeighbors],
) -> None:
    """Write `denoiser.html` and `denoiser.json` into `folder`.

    The page loads nothing over the network and runs no script. Earlier results stay in place until
    the new ones are complete (`atomic_result_folder`).

    Args:
        document: `DenoiserEvaluation.to_dict()` with "model" (its name and facts) and "provenance".
        folder: created if it is missing; other files in it stay.
        closest: the samples closest to copies, the closest first.
        drawn: samples in the order in which they were drawn.

    Raises:
        UsageError: the folder holds something else, or cannot be written.
    """
    page = render(document, closest=closest, drawn=drawn)
    with atomic_result_folder(folder, DENOISER) as new:
        write_results(new, DENOISER, document, page)


def render(
    document: Mapping[str, Json],
    *,
    closest: Sequence[SampleWithNeighbors],
    drawn: Sequence[SampleWithNeighbors],
) -> str:
    """The page as text."""
    curves = document["distance_to_optimal_denoiser"]
    copied = document["copied"]
    return template("denoiser.html").render(
        title=printable(document["model"]["name"]),
        subtitle=_subtitle(document),
        verdict={key: text.replace(" %", "\u00a0%") for key, text in verdict(document).items()},
        rows=_rows(document),
        drawing=curve_drawing(curves),
        curve_table=_curve_table(curves),
        closest=[_picture_group(sample) for sample in closest],
        drawn=[_picture_group(sample) for sample in drawn],
        copied=_copied_table(copied[:MAX_COPIED_ROWS], document["sampling"]["samples"]),
        more=max(0, len(copied) - MAX_COPIED_ROWS),
        notes=[printable(note) for note in document["notes"]],
        provenance=_provenance(document),
    )


def verdict(document: Mapping[str, Json]) -> dict[str, str]:
    """Level, word and sentence, from the ratio and, if there is one, that of test images."""
    ratio, test = document["memorization_ratio"], document["test_memorization_ratio"]
    memorized, samples = ratio["parts"]["memorized"], count(ratio["n"]["generated"], "sample")
    chance = test["interval"]["high"] if test else 0.0
    copies = f"{memorized:,} of {samples} ({share(ratio['value'])}) copy a training image"
    if ratio["value"] >= REPLAY_RATIO:
        level, word = "copying", "Replays its training images"
        sentence = (
            f"{copies}: the model behaves like the optimal denoiser, which can do nothing else."
        )
    elif ratio["interval"]["low"] > chance:
        level, word = "copying", "Copies"
        beside = f"; of test images {share(test['value'])} would count as copies" if test else ""
        sentence = f"{copies}{beside}."
    elif memorized:
        level, word = "doubt", "Hardly any copies"
        against = f", no more than test images would ({share(test['value'])})" if test else ""
        sentence = f"{copies}{against}."
    else:
        level, word = "clear", "No copies found"
        bound, confidence = share(ratio["interval"]["high"]), ratio["interval"]["level"]
        sentence = (
            f"None of {samples} copies a training image; the share is at most {bound}, at "
            f"{percent(confidence)} confidence."
        )
    return {"level": level, "word": word, "sentence": sentence}


def _subtitle(document: Mapping[str, Json]) -> str:
    facts = document["model"]["facts"]
    train = document["inputs"]["train"]
    kind = f"{facts['kind']}, " if "kind" in facts else ""
    return (
        f"{kind}{count(document['sampling']['samples'], 'sample')} against "
        f"{count(train['count'], 'training image')}"
    )


def _rows(document: Mapping[str, Json]) -> list[dict[str, str]]:
    ratio, test = document["memorization_ratio"], document["test_memorization_ratio"]
    rows = [
        {
            "title": "Memorization ratio",
            "value": share(ratio["value"]),
            "interval": _between(ratio),
            "says": "Share of samples at least three times nearer to one training image than to "
            "the next: d₁/d₂ < 1/3, in pixels.",
        }
    ]
    if test:
        rows.append(
            {
                "title": "Memorization ratio of test images",
                "value": share(test["value"]),
                "interval": _between(test),
                "says": "Test images copy nothing: their ratio comes from near-duplicates and "
                "chance.",
            }
        )
    rows += [
        {
            "title": "Training images copied",
            "value": f"{document['copied_training_images']:,}",
            "interval": f"of {document['inputs']['train']['count']:,}",
            "says": "Different training images that at least one sample copies.",
        },
        {
            "title": "Median d₁/d₂",
            "value": number(ratio["parts"]["median_ratio"]),
            "interval": "",
            "says": "0 is a copy to the last bit, 1 a sample as near to two training images.",
        },
    ]
    return rows


def _between(result: Json) -> str:
    low, high = result["interval"]["low"], result["interval"]["high"]
    return f"{share(low)} to {share(high)}"


def _curve_table(curves: Mapping[str, Json]) -> Table:
    """The curve as a table: σ, then each set's distance and its 95 % margin."""
    return Table(
        caption="Mean squared distance per pixel value, with its 95 % margin",
        columns=("σ", *(heading for role in curves for heading in (LOOKS[role][0], "±"))),
        rows=tuple(
            (number(sigma), *(cell for curve in curves.values() for cell in _level(curve, level)))
            for level, sigma in enumerate(next(iter(curves.values()))["sigma"])
        ),
    )


def _level(curve: Json, level: int) -> tuple[str, str]:
    error = curve["standard_error"][level]
    margin = "none" if error is None else number(NORMAL_95 * error)
    return number(curve["distance"][level]), margin


def _picture_group(sample: SampleWithNeighbors) -> PictureGroup:
    names = printable(sample.nearest_id), printable(sample.second_id)
    return PictureGroup(
        heading=f"d₁/d₂ {number(sample.d1 / sample.d2)}",
        aside="memorized" if sample.memorized else "not memorized",
        emphasized=sample.memorized,
        pictures=pictures(
            picture(
                png_of(sample.sample), f"Sample {sample.number}", *("sample", f"{sample.number:,}")
            ),
            picture(
                png_of(sample.nearest),
                f"Its nearest training image {names[0]}",
                *("nearest", f"d₁ {number(sample.d1)}"),
            ),
            picture(
                png_of(sample.second),
                f"The second nearest training image {names[1]}",
                *("second", f"d₂ {number(sample.d2)}"),
            ),
        ),
        names=names,
        connector="then",
    )


def _copied_table(copied: Sequence[Json], samples: int) -> Table | None:
    """The most copied training images; None if there are none."""
    if not copied:
        return None
    return Table(
        caption="The most copied training images",
        columns=("Training image", "Copies", "Share of samples", "Closest sample", "d₁", "d₂"),
        rows=tuple(
            (
                printable(image["train"]),
                f"{image['copies']:,}",
                share(image["copies"] / samples),
                f"{image['closest']['sample']:,}",
                number(image["closest"]["d1"]),
                number(image["closest"]["d2"]),
            )
            for image in copied
        ),
    )


def _provenance(document: Mapping[str, Json]) -> Provenance:
    sources = tuple(
        Source(
            role="training" if role == "train" else role,
            source=printable(summary["source"]),
            count=f"{summary['count']:,} {summary['kind']}",
            digest=summary["digest"],
            skipped="see the notes" if document["notes"] else "none",
        )
        for role, summary in document["inputs"].items()
    )
    return Provenance(
        sources=sources,
        lists=(
            ("Model", pairs(document["model"]["facts"])),
            ("Sampling", pairs(document["sampling"])),
            ("Run", pairs(document["provenance"])),
            ("Time", times(document["seconds"])),
        ),
    )
