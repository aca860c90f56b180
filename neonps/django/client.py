"""`manage.py dbshell`."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from django.db.backends.postgresql import client


class DatabaseClient(client.DatabaseClient):
    """Runs psql, which knows TCP only and none of neonps's keywords."""

    def runshell(self, parameters: Iterable[str]) -> None:
        transport = self.connection.transport
        if transport != "tcp":
            settings = self.connection.settings_dict
            where = f"{settings['HOST'] or 'localhost'}, port {settings['PORT'] or 5432}"
            print(f"psql cannot use transport={transport}: it connects over TCP to {where}", file=sys.stderr)
        super().runshell(parameters)
