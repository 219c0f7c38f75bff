"""Brings the database's tables to this version's shape, with Alembic."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from gatekeeper.history.engine import DatabaseUnfit, reading, writing

#: Any number that nothing else in the database locks.
_LOCK: Final = 4_701_201_503


class Tables(StrEnum):
    """The tables as an older, this, or no version has left them."""

    MISSING = "missing"
    OUTDATED = "outdated"
    CURRENT = "current"


def migrate(engine: Engine) -> None:
    """Create or change the tables, once, however many processes start at the same time.

    Raises DatabaseUnfit when a newer version has changed them; any other
    sqlalchemy.exc.SQLAlchemyError. Then nothing was changed.
    """
    with writing(engine) as connection:
        _wait_for_others(connection)
        if _tables(connection) is not Tables.CURRENT:
            command.upgrade(_config(connection), "head")


def examine_tables(engine: Engine) -> Tables:
    """Tell in what shape the tables are, changing nothing. Raises as `migrate` does."""
    with reading(engine) as connection:
        return _tables(connection)


def _tables(connection: Connection) -> Tables:
    found = set(MigrationContext.configure(connection).get_current_heads())
    scripts = ScriptDirectory.from_config(_config(connection))
    if not found:
        return Tables.MISSING
    if not found <= {script.revision for script in scripts.walk_revisions()}:
        raise DatabaseUnfit("its tables are those of a newer version of Gatekeeper")
    return Tables.CURRENT if found == set(scripts.get_heads()) else Tables.OUTDATED


def _wait_for_others(connection: Connection) -> None:
    """Let one process migrate at a time, and take its time; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
