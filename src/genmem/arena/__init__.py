"""The competition server: hosts a competition in which copying does not pay.

A Django project whose settings come from one file, `DIR/arena.toml`:

    load(DIR)                                        # then Django's models can be used
    genmem.arena.wsgi:application               # what a web server serves ($GENMEM_ARENA=DIR)

    site/           addresses, base page, one style sheet, words for times and sizes
    people/         accounts, teams, roles, who may see what
    competitions/   competitions and their splits (public, private), from the browser or YAML
    submissions/    receiving and checking uploads, and what became of them
    boards/         ranks (pure), immutable score versions, final selections
    scoring/        workers, durable steps, runs of code, scoring anew when a split changes
    sandbox/        foreign code, isolated (no Django)
    desk/           review queue, thresholds, labels, decisions, rebuttals; the append-only log
    ratings/        quality and diversity, rated blind
    release/        a competition as files
    api/            the programming interface and its tokens' guard
    demo.py         an arena to look around in

It computes no score of its own: those come from `genmem.scoring` and below.
"""

from __future__ import annotations

import os
from pathlib import Path


def load(folder: str | os.PathLike[str]) -> None:
    """Make this process speak for the arena in `folder`: Django's settings, then its models.

    Raises:
        UsageError: the folder holds no arena, its settings are wrong, or the extra is missing.
    """
    from genmem.arena.core.configuration import read_configuration

    read_configuration(Path(folder))
    os.environ["GENMEM_ARENA"] = str(Path(folder).resolve())
    os.environ["DJANGO_SETTINGS_MODULE"] = "genmem.arena.settings"
    import django

    django.setup()
