"""What is wrong with a database is told without changing it."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from gatekeeper.history.engine import DatabaseUnfit, open_history, writing
from gatekeeper.history.fitness import examine_database
from gatekeeper.history.migrations import Tables, migrate
from gatekeeper.history.store import LOG_START, Position, read_positions, record
from tests.history.postgres import PostgreSQL


def test_a_database_before_and_after_its_tables_are_made(database_url: str) -> None:
    engine = open_history(database_url)
    assert examine_database(engine) is Tables.MISSING
    assert examine_database(engine) is Tables.MISSING
    migrate(engine)
    assert examine_database(engine) is Tables.CURRENT
    engine.dispose()


def test_a_sqlite_file_is_not_made_by_looking(tmp_path: Path) -> None:
    assert examine_database(open_history(f"sqlite:///{tmp_path / 'h.sqlite'}")) is Tables.MISSING
    assert list(tmp_path.iterdir()) == []


def test_the_write_that_is_tried_leaves_no_trace(engine: Engine) -> None:
    position = Position(7, 1, 3)
    record(engine, 0, [], before=LOG_START, after=position)
    examine_database(engine)
    assert read_positions(engine) == {0: position}
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # QueuePool has it


def test_a_newer_version_has_changed_the_tables(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseUnfit, match="newer version"):
        examine_database(engine)


def test_a_database_that_only_reads(postgres: PostgreSQL) -> None:
    url = postgres.create_database()
    migrate(open_history(url))
    name = url.rpartition("/")[2]
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    engine = open_history(url)
    with pytest.raises(SQLAlchemyError, match="read-only"):
        examine_database(engine)
    engine.dispose()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    engine = open_history(f"sqlite:///{tmp_path / 'none' / 'h.sqlite'}")
    for use in (examine_database, migrate, inspect):
        with pytest.raises(DatabaseUnfit, match="folder of its file does not exist") as refused:
            use(engine)
        assert str(tmp_path) not in str(refused.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    engine = open_history(f"sqlite:///{tmp_path / 'h.sqlite'}")
    for use in (examine_database, migrate):
        with pytest.raises(DatabaseUnfit, match="cannot be written"):
            use(engine)
