"""Databases and Redis servers that stop, stall, fill up or refuse: history waits and catches up."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, event, text
from structlog.testing import capture_logs

from gatekeeper.history.engine import open_history, writing
from gatekeeper.history.lag import read_lag
from gatekeeper.history.migrations import migrate
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.relay.history import HistoryCopy
from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.conftest import wait_until
from tests.history.copies import copying, log_of, make_calls, open_accounts, stored
from tests.history.postgres import PostgreSQL

Logs = list[MutableMapping[str, Any]]
OUTAGE = ["history_lost", "history_recovered"]


def events(logs: Logs) -> list[str]:
    return [line["event"] for line in logs]


def copy_of(ledger: Ledger, engine: Engine) -> HistoryCopy:
    return HistoryCopy(ledger, engine, look_interval_s=0.02)


def arrived(ledger: Ledger, engine: Engine) -> bool:
    return read_lag(ledger).entries == 0 and stored(ledger, engine) == log_of(ledger)


@pytest.fixture
def own_postgres() -> Iterator[PostgreSQL]:
    with PostgreSQL() as server:
        yield server


@pytest.fixture
def migrated(own_postgres: PostgreSQL) -> Iterator[Engine]:
    engine = open_history(own_postgres.create_database())
    migrate(engine)
    yield engine
    engine.dispose()


def test_postgresql_is_killed_and_starts_again(
    running_ledger: Ledger, own_postgres: PostgreSQL, migrated: Engine
) -> None:
    accounts = open_accounts(running_ledger, 3)
    with capture_logs() as logs, copying(copy_of(running_ledger, migrated)):
        make_calls(running_ledger, accounts, range(10))
        wait_until(lambda: arrived(running_ledger, migrated))
        own_postgres.kill()
        make_calls(running_ledger, accounts, range(10, 20))
        wait_until(lambda: events(logs) == ["history_lost"])
        assert read_lag(running_ledger).entries == 20
        own_postgres.start()
        wait_until(lambda: events(logs) == OUTAGE)
        wait_until(lambda: arrived(running_ledger, migrated))
    assert events(logs) == OUTAGE


def test_postgresql_only_answers_what_reads(
    running_ledger: Ledger, own_postgres: PostgreSQL, migrated: Engine
) -> None:
    def set_read_only(value: str) -> None:
        name = migrated.url.database
        with psycopg.connect(own_postgres.admin_url, autocommit=True) as admin:
            admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {value}")
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )

    set_read_only("on")
    make_calls(running_ledger, open_accounts(running_ledger, 3), range(10))
    with capture_logs() as logs, copying(copy_of(running_ledger, migrated)):
        wait_until(lambda: events(logs) == ["history_lost"])
        set_read_only("off")
        wait_until(lambda: arrived(running_ledger, migrated))
    assert events(logs) == OUTAGE
    assert "read-only" in logs[0]["error"]


def test_postgresql_is_slow(running_ledger: Ledger, migrated: Engine) -> None:
    """Another session holds a lock: nobody waits but history."""
    accounts = open_accounts(running_ledger, 3)
    with copying(copy_of(running_ledger, migrated)):
        with writing(migrated) as connection:
            connection.execute(text("LOCK TABLE positions IN ACCESS EXCLUSIVE MODE"))
            make_calls(running_ledger, accounts, range(10))
            assert read_lag(running_ledger).entries > 0
        wait_until(lambda: arrived(running_ledger, migrated))


def test_sqlite_has_no_room_left(running_ledger: Ledger, tmp_path: Path) -> None:
    engine = open_history(f"sqlite:///{tmp_path / 'history.sqlite'}")
    migrate(engine)
    make_calls(running_ledger, open_accounts(running_ledger, 3), range(200))
    room = {"pages": 30}
    event.listen(
        engine,
        "begin",
        lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count = {room['pages']}"),
    )
    with capture_logs() as logs, copying(copy_of(running_ledger, engine)):
        wait_until(lambda: events(logs) == ["history_lost"])
        room["pages"] = 10**6
        wait_until(lambda: arrived(running_ledger, engine))
    assert events(logs) == OUTAGE
    assert "full" in logs[0]["error"]
    engine.dispose()


def test_sqlites_folder_is_not_there_yet(running_ledger: Ledger, tmp_path: Path) -> None:
    engine = open_history(f"sqlite:///{tmp_path / 'later' / 'history.sqlite'}")
    make_calls(running_ledger, open_accounts(running_ledger, 3), range(10))
    with capture_logs() as logs, copying(copy_of(running_ledger, engine)):
        wait_until(lambda: events(logs) == ["history_lost"])
        (tmp_path / "later").mkdir()
        wait_until(lambda: events(logs) == OUTAGE)
        wait_until(lambda: arrived(running_ledger, engine))
    assert events(logs) == OUTAGE
    assert logs[0]["error"] == "the folder of its file does not exist"
    engine.dispose()


def test_the_tables_are_made_once_the_database_is_there(
    running_ledger: Ledger, own_postgres: PostgreSQL
) -> None:
    engine = open_history(own_postgres.create_database())
    own_postgres.kill()
    make_calls(running_ledger, open_accounts(running_ledger, 3), range(10))
    with capture_logs() as logs, copying(copy_of(running_ledger, engine)):
        wait_until(lambda: events(logs) == ["history_lost"])
        own_postgres.start()
        wait_until(lambda: events(logs) == OUTAGE)
        wait_until(lambda: arrived(running_ledger, engine))
    engine.dispose()


def test_an_empty_database_takes_the_place_of_a_lost_one(
    running_ledger: Ledger, own_postgres: PostgreSQL, migrated: Engine
) -> None:
    """What the log still holds is copied again, into tables that are made anew."""
    make_calls(running_ledger, open_accounts(running_ledger, 3), range(10))
    name = migrated.url.database
    with capture_logs() as logs, copying(copy_of(running_ledger, migrated)):
        wait_until(lambda: arrived(running_ledger, migrated))
        with psycopg.connect(own_postgres.admin_url, autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
            wait_until(lambda: events(logs) == ["history_lost"])
            admin.execute(f"CREATE DATABASE {name}")
        wait_until(lambda: events(logs) == OUTAGE)
        wait_until(lambda: arrived(running_ledger, migrated))


def test_nothing_is_copied_into_the_tables_of_a_newer_version(
    running_ledger: Ledger, engine: Engine
) -> None:
    def set_version(version: str) -> str:
        """Say that the tables are another version's; returns what they said."""
        with writing(engine) as connection:
            said = str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar())
            connection.execute(text(f"UPDATE alembic_version SET version_num = '{version}'"))
        return said

    current = set_version("9999")
    make_calls(running_ledger, open_accounts(running_ledger, 3), range(10))
    with capture_logs() as logs, copying(copy_of(running_ledger, engine)):
        wait_until(lambda: events(logs) == ["history_lost"])
        assert stored(running_ledger, engine) == []
        set_version(current)
        wait_until(lambda: arrived(running_ledger, engine))
    assert events(logs) == OUTAGE
    assert logs[0]["error"] == "its tables are those of a newer version of Gatekeeper"


@pytest.mark.parametrize("how", ["kill", "pause"])
def test_redis_is_lost_and_comes_back(tmp_path: Path, how: str) -> None:
    engine = open_history(f"sqlite:///{tmp_path / 'history.sqlite'}")
    migrate(engine)
    with (
        EmbeddedValkey(tmp_path / "valkey") as server,
        closing(connect(server.url, timeout_s=0.3, max_connections=4)) as client,
        closing(connect(server.url, timeout_s=5, max_connections=4)) as own_client,
    ):
        ledger = Ledger(own_client, shards=4)
        accounts = open_accounts(ledger, 3)
        with capture_logs() as logs, copying(copy_of(Ledger(client, shards=4), engine)):
            make_calls(ledger, accounts, range(10))
            wait_until(lambda: arrived(ledger, engine))
            getattr(server, how)()
            wait_until(lambda: events(logs) == ["redis_lost"])
            server.start() if how == "kill" else server.resume()
            own_client.connection_pool.disconnect()
            make_calls(ledger, accounts, range(10, 20))
            wait_until(lambda: arrived(ledger, engine))
        assert events(logs) == ["redis_lost", "redis_recovered"]
    engine.dispose()


def test_it_stops_while_the_database_is_lost(
    running_ledger: Ledger, own_postgres: PostgreSQL, migrated: Engine
) -> None:
    own_postgres.kill()
    with capture_logs() as logs, copying(copy_of(running_ledger, migrated)):
        wait_until(lambda: events(logs) == ["history_lost"])
