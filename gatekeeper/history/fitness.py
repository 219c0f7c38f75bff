"""Whether history can be kept in a database, found out without leaving a trace in it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, update

from gatekeeper.history.engine import check_sqlite_file, writing
from gatekeeper.history.migrations import Tables, examine_tables
from gatekeeper.history.tables import positions


def examine_database(engine: Engine) -> Tables:
    """Tell in what shape the tables are; if they are current, they take writes.

    Raises DatabaseUnfit; any other sqlalchemy.exc.SQLAlchemyError when the database cannot be
    reached, or refuses writes.
    """
    if engine.dialect.name == "sqlite" and not (file := Path(str(engine.url.database))).exists():
        check_sqlite_file(file)  # connecting would make the file
        return Tables.MISSING
    tables = examine_tables(engine)
    if tables is Tables.CURRENT:
        _try_write(engine)
    return tables


def _try_write(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(update(positions).values(entries=positions.c.entries))
        connection.rollback()
