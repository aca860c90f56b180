"""The servers that tests run on: each is started once, when the first test asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from neonps.embedded import EmbeddedPostgres

if TYPE_CHECKING:
    from neonps.gateway import Gateway


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A temporary Postgres on 127.0.0.1 that asks for SCRAM-SHA-256."""
    with EmbeddedPostgres(options={"max_prepared_transactions": "10"}) as server:
        yield server


@pytest.fixture(scope="session")
def dsn(postgres: EmbeddedPostgres) -> str:
    """The URL of `postgres` over TCP, as libpq takes it."""
    return postgres.url


@pytest.fixture(scope="session")
def gateway(postgres: EmbeddedPostgres) -> Iterator[Gateway]:
    """The gateway in front of `postgres`, in a thread; its `url` is `http://127.0.0.1:PORT`."""
    from neonps.local import serve  # tests of codecs shall not need it

    with serve(postgres.url) as server:
        yield server.gateway
