"""`competition.json`, and the datasheet that explains an export."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import PurePosixPath
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.template.loader import render_to_string

from genmem.arena.competitions.models import Split
from genmem.arena.core import clock
from genmem.arena.core.formatting import moment
from genmem.arena.export.results_csv import Results
from genmem.arena.export.schema import Scope
from genmem.arena.export.tables import TABLES
from genmem.arena.ratings.assignment import SUBMISSION
from genmem.arena.ratings.models import Item, Rater, Round

_COMPETITION_FIELDS = (
    "slug", "title", "rules", "opens_at", "closes_at", "merge_until", "image_count", "image_width",
    "image_height", "image_formats", "daily_limit", "final_count", "maximum_upload_bytes",
    "private_open", "accepts_images", "accepts_code", "wall_seconds", "memory_bytes", "created_at",
)  # fmt: skip
_ROUND_FIELDS = (
    "title", "audience", "ratings_wanted", "pages", "quality_grid", "diversity_grid", "controls",
    "opened_at", "closed_at",
)  # fmt: skip


def competition_json(scope: Scope) -> str:
    """The competition's settings, every version of its splits, and its rating rounds."""
    competition = scope.competition
    splits = Split.objects.filter(competition=competition, kind__in=scope.kinds)
    document: dict[str, Any] = {name: getattr(competition, name) for name in _COMPETITION_FIELDS}
    document["splits"] = [_split(split) for split in splits.order_by("kind", "version")]
    if scope.private:
        rounds = Round.objects.filter(competition=competition).order_by("pk")
        document["rating_rounds"] = [_round(rating_round) for rating_round in rounds]
    document["export"] = {
        "made_at": clock.now(),
        "genmem": version("genmem"),
        "private_split": scope.private,
        "names": scope.names,
    }
    return json.dumps(document, cls=DjangoJSONEncoder, indent=2, ensure_ascii=False) + "\n"


def datasheet(scope: Scope, rows: Mapping[str, int], results: Results) -> str:
    """What the files hold, how the data were collected, and what is left out, as Markdown.

    Args:
        scope: of the export.
        rows: number of rows of each table that is included.
        results: what `results.csv` holds.
    """
    competition = scope.competition
    rounds = Round.objects.filter(competition=competition)
    context = {
        "scope": scope,
        "competition": competition,
        "title": " ".join(competition.title.split()),
        "made_at": moment(clock.now()),
        "opens_at": moment(competition.opens_at),
        "closes_at": moment(competition.closes_at),
        "version": version("genmem"),
        "tables": [
            (table, rows[table.name], table.columns_in(scope))
            for table in TABLES
            if table.name in rows
        ],
        "left_out": [table.name for table in TABLES if table.name not in rows],
        "results": results,
        "unreliable": Rater.objects.filter(round__in=rounds, unreliable=True).count(),
    }
    return render_to_string("export/DATASHEET.md", context)


def _split(split: Split) -> dict[str, Any]:
    """A split. Of the paths of its sets only the last part, since the rest is the server's."""
    return {
        "kind": split.kind,
        "version": split.version,
        "backbone": split.backbone,
        "weights": _last_part(split.weights),
        "train": _last_part(split.train),
        "reference": _last_part(split.reference) or _last_part(split.train),
        "tau": split.tau,
        "epsilon": split.epsilon,
    }


def _round(rating_round: Round) -> dict[str, Any]:
    items = Item.objects.filter(round=rating_round, kind=SUBMISSION).order_by("pk")
    return {
        "round": rating_round.pk,
        **{name: getattr(rating_round, name) for name in _ROUND_FIELDS},
        "submissions": [str(pk) for pk in items.values_list("submission_id", flat=True)],
    }


def _last_part(path: str) -> str:
    return path if path.startswith("hf:") else PurePosixPath(path).name
