"""User accounts and API tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.db import models

from genmem.arena.core import clock


class UserManager(BaseUserManager["User"]):
    """Creates accounts that sign in with their e-mail address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create an account; without a password nobody can sign in until one is set."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create an organizer of the whole site."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        """Return the account with this address, ignoring case."""
        return self.get(email__iexact=username)


class User(AbstractUser):
    """An account: an e-mail address to sign in with, and a display name.

    `is_staff` marks an organizer of the site, who may create and set up all competitions.
    """

    username = None  # pyright: ignore[reportAssignmentType]
    first_name = None  # pyright: ignore[reportAssignmentType]
    last_name = None  # pyright: ignore[reportAssignmentType]
    email = models.EmailField(unique=True, error_messages={"unique": "This address is taken."})
    display_name = models.CharField("name", max_length=60)

    if TYPE_CHECKING:  # reverse relations of models in apps above
        memberships: Any
        roles: Any

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["display_name"]
    objects: ClassVar[UserManager] = UserManager()  # pyright: ignore[reportIncompatibleVariableOverride]

    def __str__(self) -> str:
        return self.display_name or self.email

    def get_full_name(self) -> str:
        """Return the display name."""
        return str(self)

    def get_short_name(self) -> str:
        """Return the display name."""
        return str(self)


class ApiToken(models.Model):
    """A token with which a program acts for a user; only its hash is stored."""

    user = models.ForeignKey(User, models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=60)
    sha256 = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"
