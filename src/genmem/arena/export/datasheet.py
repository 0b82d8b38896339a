"""What is said about a release: `competition.json` and the datasheet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import PurePosixPath
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from genmem.arena.competitions.models import Competition, Split
from genmem.arena.core import clock
from genmem.arena.core.formatting import moment
from genmem.arena.export.results_csv import FILE, Results
from genmem.arena.export.schema import Scope, Table
from genmem.arena.export.tables import kinds
from genmem.arena.ratings.assignment import ENTRY
from genmem.arena.ratings.models import Item, Rater, Round
from genmem.formatting import count

_FACTS = (
    "slug", "title", "rules", "opens_at", "closes_at", "merge_until", "image_count", "image_width",
    "image_height", "image_formats", "daily_limit", "final_count", "maximum_upload_bytes",
    "private_open", "accepts_images", "accepts_code", "wall_seconds", "memory_bytes", "created_at",
)  # fmt: skip


def competition_json(scope: Scope) -> str:
    """The competition's settings, every version of its splits, and its rating rounds."""
    competition = scope.competition
    splits = Split.objects.filter(competition=competition, kind__in=kinds(scope))
    found: dict[str, Any] = {name: getattr(competition, name) for name in _FACTS}
    found["splits"] = [_split(one) for one in splits.order_by("kind", "version")]
    if scope.private:
        rounds = Round.objects.filter(competition=competition).order_by("pk")
        found["rating_rounds"] = [_round(one) for one in rounds]
    found["release"] = {
        "made_at": clock.now(),
        "genmem": version("genmem"),
        "private_split": scope.private,
        "names": scope.names,
    }
    return json.dumps(found, cls=DjangoJSONEncoder, indent=2, ensure_ascii=False) + "\n"


def datasheet(
    scope: Scope, tables: Mapping[Table, int], results: Results, left_out: list[Table]
) -> str:
    """What the files hold, how it was collected, and what is not in them; Markdown."""
    competition = scope.competition
    parts = [
        f"# {_line(competition.title)}: datasheet",
        f"Made {moment(clock.now())} with genmem {version('genmem')}. `SHA256SUMS` lists the "
        "files; check them with `sha256sum -c SHA256SUMS`.",
        "## What this is",
        _what(competition),
        "## How it was collected",
        _how(scope),
        "## Files",
        "`competition.json`: settings, dates, every version of "
        + ("both splits" if scope.private else "the public split")
        + " (backbone, training and reference set by name, τ, ε)"
        + (" and the rating rounds." if scope.private else "."),
        *(_table(table, rows, scope) for table, rows in tables.items()),
        _results(results, scope),
        "## What is left out",
        _left_out(scope, left_out),
        "## Caveats",
        _caveats(scope),
        "## Licence",
        "To be stated by the organiser of the competition. Without a statement here, no licence "
        "is given.",
    ]
    return "\n\n".join(parts) + "\n"


def _what(competition: Competition) -> str:
    formats = " or ".join(one.upper() for one in competition.image_formats)
    return (
        "A competition in generative modelling in which copying training images does not pay. "
        f"Teams sent in {count(competition.image_count, 'image')} of "
        f"{competition.image_width} × {competition.image_height} pixels ({formats}) made by a "
        "generator"
        + (", or code that makes them" if competition.accepts_code else "")
        + f". It opened {moment(competition.opens_at)} and closed "
        f"{moment(competition.closes_at)}; {count(competition.daily_limit, 'submission')} a day "
        f"and team counted, {competition.final_count} could be chosen as final."
    )


def _how(scope: Scope) -> str:
    text = (
        "Every submission was received and scored by the competition's server; times are the "
        "server's clock, in UTC. Scores are MiFID: the Fréchet distance between the submitted and "
        "the reference images, divided by the memorization distance where that is below τ. A "
        "score is never changed: a new τ or another reference set makes a new version beside the "
        "old one."
    )
    if scope.private:
        text += (
            " Labels were given by reviewers who saw the images, their nearest training images and "
            "the scores. Ratings were given by people who saw grids of images and nothing about "
            "them; see `ratings`."
        )
    return text


def _table(table: Table, rows: int, scope: Scope) -> str:
    lines = [f"### {table.name}.parquet ({count(rows, 'row')})", table.about]
    fields = ["| field | type | meaning |", "|---|---|---|"]
    fields += [f"| {one.name} | {one.type} | {one.about} |" for one in table.fields_in(scope)]
    return "\n\n".join([*lines, "\n".join(fields)])


def _results(results: Results, scope: Scope) -> str:
    text = (
        f"### {FILE} ({count(results.rows, 'row')})\n\n"
        "The scores in force, one row a scored submission, with the columns of the published table "
        "of the Generative Dog Images competition. 999999 stands for the score of a disqualified "
        "one. "
    )
    if scope.private:
        text += (
            f"The label is the one that two reviewers agree on ({results.honest:,} honest, "
            f"{results.cheating:,} copying); blank is none. "
        )
    if results.left_out:
        text += f"Left out: {count(results.left_out, 'submission')} without a score (N/A). "
    if results.honest and results.cheating:
        return text + f"It is analysed by\n\n    {results.command}"
    why = "there are not both in it" if scope.private else "labels belong to the private split"
    return f"{text}`genmem analyze` needs honest and copying labels, and {why}."


def _left_out(scope: Scope, left_out: list[Table]) -> str:
    lines = [
        "- The images, the submitted files and their features.",
        "- E-mail addresses, passwords, addresses on the network, reviewers' notes.",
    ]
    if scope.names:
        lines.append(
            "- Nothing else: **this release names people and teams and holds what they wrote.** "
            "Do not publish it without their consent."
        )
    else:
        lines.append(
            "- Names. People and teams are called by salted hashes, the same in every file; the "
            "salt stays on the server. People who agreed to be named are."
        )
        lines.append(
            "- What people wrote freely: team names, file names, reasons, rebuttals, messages."
        )
    if left_out:
        names = ", ".join(one.name for one in left_out)
        lines.append(
            "- The private split, since its board is not open: private scores, and what was picked "
            f"by them ({names})."
        )
    return "\n".join(lines)


def _caveats(scope: Scope) -> str:
    lines = [
        "- A pseudonym is no anonymity: times, counts and scores may point to people who are known "
        "from elsewhere, such as from the board's page.",
        "- Scores of different versions of a split do not compare where backbone or sets differ.",
        "- A small memorization distance is a reason to look, not a proof of copying; one above τ "
        "is no proof of the contrary.",
    ]
    if scope.private:
        lines.append(
            "- Reviews and ratings were made where they mattered for the ranks, not on a random "
            "sample: shares of labels are not rates of cheating."
        )
        rounds = Round.objects.filter(competition=scope.competition)
        marked = Rater.objects.filter(round__in=rounds, unreliable=True).count()
        if marked:
            verb = "was" if marked == 1 else "were"
            lines.append(
                f"- {count(marked, 'rater')} {verb} marked as unreliable by the written rule; "
                "their ratings are in the table, and in no mean that was shown."
            )
    return "\n".join(lines)


def _split(split: Split) -> dict[str, Any]:
    """A split, its sets by the last part of their paths: where they lie is nobody's business."""
    return {
        "kind": split.kind,
        "version": split.version,
        "backbone": split.backbone,
        "weights": _last(split.weights),
        "train": _last(split.train),
        "reference": _last(split.reference) or _last(split.train),
        "tau": split.tau,
        "epsilon": split.epsilon,
    }


def _round(found: Round) -> dict[str, Any]:
    names = (
        "title", "audience", "ratings_wanted", "pages", "quality_side", "diversity_side",
        "controls", "opened_at", "closed_at",
    )  # fmt: skip
    items = Item.objects.filter(round=found, kind=ENTRY).order_by("pk")
    return {
        "round": found.pk,
        **{name: getattr(found, name) for name in names},
        "submissions": [str(one) for one in items.values_list("submission_id", flat=True)],
    }


def _last(path: str) -> str:
    return path if path.startswith("hf:") else PurePosixPath(path).name


def _line(text: str) -> str:
    return " ".join(text.split())
