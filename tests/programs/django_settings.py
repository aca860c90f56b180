"""Settings of the Django project: the database of `DATABASE_URL` by `ENGINE`, in the variant that `VARIANT` names."""

import os
from urllib.parse import parse_qsl, unquote, urlsplit

ENGINE = os.environ.get("ENGINE", "django.db.backends.postgresql")
if ENGINE == "neonps.django":
    import neonps.django  # noqa: F401

from django.db.backends.postgresql.psycopg_any import IsolationLevel

_VARIANTS = {
    "plain": {},
    "server_side_binding": {"OPTIONS": {"server_side_binding": True}},
    "pool": {"OPTIONS": {"pool": True}},
    "server_side_binding_pool": {"OPTIONS": {"pool": {"min_size": 1, "max_size": 4}, "server_side_binding": True}},
    "persistent": {
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"isolation_level": IsolationLevel.SERIALIZABLE, "assume_role": "postgres"},
    },
    "naive_times": {"ATOMIC_REQUESTS": True, "DISABLE_SERVER_SIDE_CURSORS": True},
}

VARIANT = os.environ.get("VARIANT", "plain")
_url = urlsplit(os.environ["DATABASE_URL"])
_variant = _VARIANTS[VARIANT]

DATABASES = {
    "default": {
        "ENGINE": ENGINE,
        "NAME": _url.path[1:],
        "USER": unquote(_url.username),
        "PASSWORD": unquote(_url.password),
        "HOST": _url.hostname,
        "PORT": _url.port,
        **_variant,
        "OPTIONS": {**dict(parse_qsl(_url.query)), **_variant.get("OPTIONS", {})},
    }
}
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "shop",
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
MIDDLEWARE = []
ROOT_URLCONF = "shop.urls"
SECRET_KEY = "of no value"
SILENCED_SYSTEM_CHECKS = ["admin.E403", "admin.E408", "admin.E409", "admin.E410"]
USE_TZ = VARIANT != "naive_times"
TIME_ZONE = "Europe/Berlin"
