"""Tests of Django's that fail, and why: they test psycopg, or fail with psycopg on the same server as well."""

from __future__ import annotations

#: The name of a test, with which of `DRIVERS` it fails, and why.
EXPECTED: dict[str, tuple[tuple[str, ...], str]] = {
    "backends.postgresql.tests.Tests.test_connect_pool": (
        ("Django's modules",),
        "The test itself imports psycopg_pool, which needs a psycopg, and there is none here. It passes where neonps "
        "is psycopg for the process.",
    ),
    "postgres_tests.test_apps.PostgresConfigTests.test_register_serializer_for_migrations": (
        ("Django's modules",),
        "The test wants migrations to import ranges from psycopg.types.range. Here it is neonps.types.range. It passes "
        "where neonps is psycopg for the process.",
    ),
}
