"""History on both databases: a SQLite file, and a PostgreSQL server that the tests start."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from gatekeeper.history.engine import open_history
from gatekeeper.history.migrations import migrate
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.history.postgres import PostgreSQL


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgreSQL]:
    with PostgreSQL() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'history.sqlite'}"
        return
    server: PostgreSQL = request.getfixturevalue("postgres")
    url = server.create_database()
    yield url
    server.drop_database(url)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A database with history's tables, all empty."""
    engine = open_history(database_url)
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def running_ledger(valkey: EmbeddedValkey) -> Iterator[Ledger]:
    """An empty ledger in real time."""
    with contextlib.closing(connect(valkey.url, timeout_s=10, max_connections=16)) as client:
        client.flushall()
        yield Ledger(client, shards=4)
