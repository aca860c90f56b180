"""Databases for tests."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.backends.postgresql import creation


class DatabaseCreation(creation.DatabaseCreation):
    """Creates them, unless that would leave one that cannot be filled."""

    def _create_test_db(self, *args: Any, **kwargs: Any) -> str:
        if self.connection.transport == "http":
            raise ImproperlyConfigured(
                "neonps.django: tests need transactions, which cannot be open over HTTP. Run them with "
                '"OPTIONS": {"transport": "websocket"}'
            )
        name: str = super()._create_test_db(*args, **kwargs)
        return name
