"""Names that stand for people and teams in what is published: salted hashes.

The salt is the arena's secret, which is never published: without it nobody can try out addresses.
The same person has the same pseudonym in every file and every export of one competition, and
another one in another competition.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection

from django.conf import settings

from genmem.arena.accounts.models import User
from genmem.arena.competitions.models import Competition
from genmem.arena.teams.models import Team


class Pseudonyms:
    """Who is called what.

    Args:
        competition: whose data are published.
        names: whether everybody and every team is called by name.
        agreed: e-mail addresses, in small letters, of people who agreed to be named.
    """

    def __init__(
        self, competition: Competition, *, names: bool = False, agreed: Collection[str] = ()
    ) -> None:
        self._competition, self.names, self._agreed = competition, names, frozenset(agreed)

    def person(self, user: User, *, agreed: bool = False) -> str:
        """The name of who agreed to it, here or in the list; else a pseudonym."""
        if self.names or agreed or user.email.lower() in self._agreed:
            return user.display_name or self._pseudonym("person", user.pk)
        return self._pseudonym("person", user.pk)

    def team(self, team: Team) -> str:
        """The pseudonym of a team; its name is a column of its own where names are wanted."""
        return self._pseudonym("team", team.pk)

    def _pseudonym(self, kind: str, number: int) -> str:
        text = f"release {self._competition.pk} {kind} {number}"
        key = settings.SECRET_KEY.encode()
        return f"{kind}-{hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:12]}"
