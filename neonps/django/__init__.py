"""A database backend for Django: `ENGINE = "neonps.django"`.

Importing this package has Django's own PostgreSQL modules (`django.db.backends.postgresql`, `django.contrib.postgres`)
use neonps where they say psycopg. Nothing else changes: `import psycopg` in the rest of the program is what it was.
Import it on top of the settings, so that it comes before `django.contrib.postgres`.
"""

from __future__ import annotations

from .loading import install

install()
