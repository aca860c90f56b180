"""Django's PostgreSQL modules, loaded so that their `import psycopg` gives neonps, psycopg being installed or not."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

from ..as_psycopg import is_installed
from ..beside_psycopg import NeonpsLoader

#: The packages of Django that import psycopg.
_PACKAGES = ("django.db.backends.postgresql", "django.contrib.postgres", "django.contrib.gis.db.backends.postgis")

#: The backends that are Django's own, on psycopg. There is one copy of their modules in a process.
_ENGINES = ("django.db.backends.postgresql", "django.contrib.gis.db.backends.postgis")


def install() -> None:
    """Have Django's PostgreSQL modules that nobody has imported yet use neonps. Another call does nothing."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def check_drivers() -> None:
    """See that there is one driver for Django's PostgreSQL modules, and that it is neonps.

    Raises:
        ImproperlyConfigured: they have been imported with psycopg, or a database is to be used with psycopg.
    """
    from django.core.exceptions import ImproperlyConfigured

    import neonps

    module = sys.modules.get("django.db.backends.postgresql.psycopg_any")
    if module is not None and getattr(module, "sql", None) is not neonps.sql:
        raise ImproperlyConfigured(
            "neonps.django: Django's PostgreSQL modules have been imported before, with psycopg. Put "
            '"import neonps.django" on top of the settings, before anything imports django.contrib.postgres or '
            "django.db.backends.postgresql"
        )
    check_engines()


def check_engines() -> None:
    """See that no database is to be used with psycopg.

    Raises:
        ImproperlyConfigured: one is.
    """
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    if is_installed() or not settings.configured:  # psycopg is neonps everywhere; or settings that are being imported
        return
    for alias, database in settings.DATABASES.items():
        if database.get("ENGINE") in _ENGINES:
            raise ImproperlyConfigured(
                f"neonps.django: DATABASES[{alias!r}] has ENGINE {database['ENGINE']!r}. Django has its PostgreSQL "
                "modules once in a process, for one driver, and neonps.django has been imported. Give that database "
                '"ENGINE": "neonps.django" too (with "OPTIONS": {"transport": "tcp"} it is an ordinary connection), '
                "or do not import neonps.django"
            )


class _Finder:
    """Finds the modules of `_PACKAGES` (an `importlib.abc.MetaPathFinder`)."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not f"{fullname}.".startswith(tuple(f"{package}." for package in _PACKAGES)):
            return None
        if fullname in (f"{engine}.base" for engine in _ENGINES):
            check_engines()
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None and spec.loader is not None and not is_installed():
            spec.loader = NeonpsLoader(spec.loader)
        return spec
