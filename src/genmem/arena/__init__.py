"""The competition server: hosts a competition in which copying does not pay.

A Django project whose settings come from one file, `DIR/arena.toml`:

    load(DIR)                        # then Django's models can be used
    genmem.arena.wsgi:application    # the WSGI application ($GENMEM_ARENA=DIR)

Apps, bottom to top. An app never imports an app above it; `lint-imports` checks this.

    core/           configuration, clock, base page, formatting of times and sizes, error pages
    accounts/       users and API tokens
    auditlog/       the append-only log of changes
    competitions/   competitions and their splits (public, private), from the browser or YAML
    teams/          teams, invitations, merges, roles; who may see and do what
    submissions/    uploads, checks of submitted zips, storage
    leaderboards/   ranks, immutable score versions, final submissions, disqualification
    sandbox/        runs of foreign code, isolated (no Django)
    scoring/        workers, durable steps, runs of code, rescoring when a split changes
    moderation/     review queue, thresholds, labels, decisions, rebuttals
    ratings/        quality and diversity, rated blind
    export/         a competition's data as files
    pages/          pages that draw on several apps
    api/            the REST API

    settings.py     Django's settings, from arena.toml
    urls.py         all URLs
    serving.py      create and migrate the database, serve pages
    wsgi.py         the WSGI application
    client.py       client of the REST API and of resumable uploads

It computes no score of its own: those come from `genmem.scoring` and below.
"""

from __future__ import annotations

import os
from pathlib import Path


def load(folder: str | os.PathLike[str]) -> None:
    """Set Django up for the arena in `folder`, in this process.

    Raises:
        UsageError: the folder is empty text or holds no arena, its settings are wrong, or the
            extra is missing.
    """
    from genmem.arena.core.configuration import read_configuration
    from genmem.io.paths import refuse_empty

    refuse_empty(folder, name="folder")
    read_configuration(Path(folder))
    os.environ["GENMEM_ARENA"] = str(Path(folder).resolve())
    os.environ["DJANGO_SETTINGS_MODULE"] = "genmem.arena.settings"
    import django

    django.setup()
