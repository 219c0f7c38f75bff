"""The tables are made from code, once, by whichever process comes first."""

from __future__ import annotations

import multiprocessing

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from gatekeeper.history.engine import DatabaseUnfit, open_history, reading, writing
from gatekeeper.history.migrations import migrate
from gatekeeper.history.tables import metadata

PROCESSES = 4


def _migrate(url: str) -> None:
    migrate(open_history(url))


def test_the_revisions_make_the_tables_that_the_code_knows(engine: Engine) -> None:
    with reading(engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_keys_are_those_that_the_code_knows(engine: Engine) -> None:
    """Alembic does not compare primary keys."""
    for table in metadata.sorted_tables:
        key = inspect(engine).get_pk_constraint(table.name)["constrained_columns"]
        assert key == [column.name for column in table.primary_key]


def test_many_processes_that_start_at_once(database_url: str) -> None:
    with multiprocessing.get_context("forkserver").Pool(PROCESSES) as pool:
        pool.map(_migrate, [database_url] * PROCESSES * 2, chunksize=1)
    with reading(open_history(database_url)) as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).all() == [
            ("0005",)
        ]


def test_a_migration_that_fails_changes_nothing(database_url: str) -> None:
    engine = open_history(database_url)
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE positions (in_the_way INTEGER)"))
    with pytest.raises(SQLAlchemyError):
        migrate(engine)
    assert inspect(engine).get_table_names() == ["positions"]
    engine.dispose()


def test_a_database_of_a_newer_version_is_left_alone(engine: Engine) -> None:
    migrate(engine)
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseUnfit, match="newer version"):
        migrate(engine)
    with reading(engine) as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).all() == [
            ("9999",)
        ]
