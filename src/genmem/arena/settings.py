"""Django's settings, from `arena.toml` in the folder that $GENMEM_ARENA names."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from genmem.arena.core.configuration import Configuration, read_configuration
from genmem.errors import UsageError


def _database(arena: Configuration) -> dict[str, Any]:
    if not arena.database:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": arena.folder / "arena.sqlite3",
            "CONN_MAX_AGE": 600,  # the last one to close writes the log back, which takes time
            "OPTIONS": {
                "timeout": 30,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
            },
        }
    address = urlsplit(arena.database)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(address.path.strip("/")),
        "USER": unquote(address.username or ""),
        "PASSWORD": unquote(address.password or ""),
        "HOST": unquote(address.hostname or ""),
        "PORT": address.port or "",
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": dict(parse_qsl(address.query)),
    }


def _mail(arena: Configuration) -> dict[str, Any]:
    backends = {"file": "filebased", "console": "console"}
    backend = f"django.core.mail.backends.{backends.get(arena.mail, 'smtp')}.EmailBackend"
    settings: dict[str, Any] = {"EMAIL_BACKEND": backend, "DEFAULT_FROM_EMAIL": arena.mail_from}
    if arena.mail == "file":
        return {**settings, "EMAIL_FILE_PATH": arena.folder / "mail"}
    if arena.mail == "console":
        return settings
    address = urlsplit(arena.mail)
    return {
        **settings,
        "EMAIL_HOST": address.hostname,
        "EMAIL_PORT": address.port or (465 if address.scheme == "smtps" else 587),
        "EMAIL_HOST_USER": unquote(address.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(address.password or ""),
        "EMAIL_USE_SSL": address.scheme == "smtps",
        "EMAIL_USE_TLS": address.scheme == "smtp",
        "EMAIL_TIMEOUT": 15,
    }


def _static_hash() -> str:
    """Return a hash of all static files, part of their URLs so that browsers can cache them."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*/static/**/*")):
        if path.is_file():
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


if "GENMEM_ARENA" not in os.environ:
    raise UsageError("$GENMEM_ARENA is not set: set it to the folder of an arena")
ARENA = read_configuration(Path(os.environ["GENMEM_ARENA"]))
_address = urlsplit(ARENA.public_address)
_https = _address.scheme == "https"

SECRET_KEY = ARENA.secret
DEBUG = False
ALLOWED_HOSTS = sorted({_address.hostname or "localhost", "localhost", "127.0.0.1", "[::1]"})
CSRF_TRUSTED_ORIGINS = [ARENA.public_address]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _https else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "genmem.arena.core.errors.csrf_failure"

DATABASES = {"default": _database(ARENA)}
globals().update(_mail(ARENA))
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "counts",
        "OPTIONS": {"MAX_ENTRIES": 20_000},  # beyond it, rate-limit counters would be evicted
    },
    "galleries": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "galleries",
        "OPTIONS": {"MAX_ENTRIES": 16},  # up to 10 MB each
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"

INSTALLED_APPS = [
    "genmem.arena.core",
    "genmem.arena.accounts",
    "genmem.arena.auditlog",
    "genmem.arena.teams",
    "genmem.arena.competitions",
    "genmem.arena.submissions",
    "genmem.arena.scoring",
    "genmem.arena.leaderboards",
    "genmem.arena.moderation",
    "genmem.arena.ratings",
    "genmem.arena.export",
    "genmem.arena.pages",
    "genmem.arena.api",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
]
MIDDLEWARE = [
    "genmem.arena.core.middleware.security_headers",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
ROOT_URLCONF = "genmem.arena.urls"
WSGI_APPLICATION = "genmem.arena.wsgi.application"
FORM_RENDERER = "genmem.arena.core.forms.Renderer"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "genmem.arena.core.context.arena",
            ],
        },
    }
]

LANGUAGE_CODE = "en-gb"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = f"/static/{_static_hash()}/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_MAX_AGE = 31_536_000

FILE_UPLOAD_TEMP_DIR = ARENA.storage_folder / "incoming"
try:
    FILE_UPLOAD_TEMP_DIR.mkdir(parents=True, exist_ok=True)
except OSError as error:
    raise UsageError(
        f"the storage folder {ARENA.storage_folder} cannot be created: {error.strerror}"
    ) from error
# Only the form of submissions takes files, by a handler of its own; no other reads or stores any.
FILE_UPLOAD_HANDLERS = ["genmem.arena.submissions.upload_handler.RefusedUpload"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 2**21
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000

AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_LOGOUT_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "genmem.arena.accounts.adapter.Accounts"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_SIGNUP_FORM_CLASS = "genmem.arena.accounts.forms.SignupNameForm"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_USER_DISPLAY = str
ACCOUNT_UNIQUE_EMAIL = True
ACCOUNT_EMAIL_VERIFICATION = ARENA.verification
ACCOUNT_EMAIL_SUBJECT_PREFIX = f"[{ARENA.name}] "
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_RATE_LIMITS = {"invite": "40/d/user,2/d/key"}  # mails; allauth adds its own
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if _https else 0

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"terminal": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["terminal"], "level": "WARNING"},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "django.security": {"level": "ERROR"},
        "genmem.arena.scoring": {"level": "INFO"},
    },
}
