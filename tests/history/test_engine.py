"""Database URLs, what SQLite is set to, and errors that give nothing away."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from gatekeeper.history.engine import (
    describe_sql_error,
    open_history,
    parse_database_url,
    reading,
    writing,
)
from tests.history.postgres import PostgreSQL

SECRET = "correct-horse"


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///history.sqlite",
        "sqlite:////var/lib/gatekeeper/history.sqlite",
        "postgresql://user:password@db.example.com:5432/gatekeeper",
        "postgresql://user@db.example.com/gatekeeper?sslmode=require",
        "postgresql+psycopg://user@db.example.com/gatekeeper",
        "postgres://user:password@db.example.com/gatekeeper",
    ],
)
def test_urls_that_are_understood(url: str) -> None:
    drivers = {"sqlite", "postgresql+psycopg"}
    assert parse_database_url(url).drivername in drivers


@pytest.mark.parametrize(
    "url",
    [
        "",
        SECRET,
        "sqlite://",
        "sqlite:///:memory:",
        f"sqlite://{SECRET}/history.sqlite",
        f"sqlite:///history.sqlite?{SECRET}=1",
        f"postgresql://user:{SECRET}@db.example.com",
        f"postgresql://user:{SECRET}@db.example.com:port/gatekeeper",
        f"postgresql+psycopg2://user:{SECRET}@db.example.com/gatekeeper",
        f"mysql://user:{SECRET}@db.example.com/gatekeeper",
    ],
)
def test_urls_that_are_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ValueError, match=r"file|postgresql://") as refusal:
        parse_database_url(url)
    assert SECRET not in str(refusal.value)


def test_sqlite_is_set_up_for_several_processes(tmp_path: Path) -> None:
    with reading(open_history(f"sqlite:///{tmp_path / 'h.sqlite'}")) as connection:
        found = {
            pragma: connection.execute(text(f"PRAGMA {pragma}")).scalar_one()
            for pragma in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "foreign_keys": 1,
        "busy_timeout": 10_000,
    }


def test_writers_that_read_first_take_turns(database_url: str) -> None:
    """SQLite refuses a write after a read if another wrote in between."""
    engine = open_history(database_url)
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE t (n INTEGER)"))
        connection.execute(text("INSERT INTO t VALUES (0)"))

    def count_up(_: int) -> None:
        with writing(engine) as connection:
            connection.execute(text("SELECT n FROM t")).scalar_one()
            connection.execute(text("UPDATE t SET n = n + 1"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count_up, range(60)))
    with reading(engine) as reader:
        assert reader.execute(text("SELECT n FROM t")).scalar_one() == 60
    engine.dispose()


def test_a_reader_sees_one_instant(database_url: str) -> None:
    engine = open_history(database_url)
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE t (n INTEGER)"))
    with reading(engine) as reader:
        assert reader.execute(text("SELECT count(*) FROM t")).scalar_one() == 0
        with writing(engine) as connection:
            connection.execute(text("INSERT INTO t VALUES (1)"))
        assert reader.execute(text("SELECT count(*) FROM t")).scalar_one() == 0
    engine.dispose()


def test_a_server_that_is_not_there(postgres: PostgreSQL) -> None:
    url = f"postgresql://user:{SECRET}@127.0.0.1:1/gatekeeper"
    with pytest.raises(SQLAlchemyError) as lost, reading(open_history(url)):
        pass
    described = describe_sql_error(lost.value)
    assert "refused" in described
    assert SECRET not in described + str(lost.value)


def test_a_statement_that_fails_does_not_tell_its_values(database_url: str) -> None:
    engine = open_history(database_url)
    with pytest.raises(SQLAlchemyError) as failed, reading(engine) as connection:
        connection.execute(text("SELECT * FROM missing WHERE a = :a"), {"a": SECRET})
    assert SECRET not in str(failed.value) + describe_sql_error(failed.value)
    assert "\n" not in describe_sql_error(failed.value)
    engine.dispose()
