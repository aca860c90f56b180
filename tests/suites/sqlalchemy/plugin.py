"""pytest's plugin for the compliance suite: SQLAlchemy's, and what it has for Postgres.

It is no conftest.py: with that, `pytest` of the repository would load it too.
"""

from typing import Any

import pytest

pytest.register_assert_rewrite("sqlalchemy.testing.assertions")

import sqlalchemy.dialects.postgresql.provision  # noqa: E402, F401
from sqlalchemy.testing import provision  # noqa: E402
from sqlalchemy.testing.plugin.pytestplugin import *  # noqa: E402, F403


@provision.post_configure_engine.for_db("postgresql")
def _without_extensions(*arguments: Any) -> None:
    """Do not create `citext`, as SQLAlchemy would: the embedded server has no extensions, and the suite needs none."""
