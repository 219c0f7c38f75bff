"""Engines for history's database: SQLite as a file, or PostgreSQL through psycopg 3."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

#: The first SQLite that knows RETURNING.
_SQLITE_MIN: Final = (3, 35)
_BUSY_TIMEOUT_MS: Final = 10_000
_STATEMENT_TIMEOUT_MS: Final = 30_000
_CONNECT_TIMEOUT_S: Final = 5
_POOL_TIMEOUT_S: Final = 5.0
_KEEPALIVES: Final = {
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
_SHAPES: Final = "must be sqlite:///<file> or postgresql://<user>:<password>@<host>/<database>"


class DatabaseUnfit(SQLAlchemyError):
    """History cannot be kept there; the message says why, and holds nothing of the URL."""


def parse_database_url(text: str) -> URL:
    """Read the URL of a database. Raises ValueError, whose message holds nothing of the URL."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError(_SHAPES) from None
    match url.drivername:
        case "sqlite":
            return _sqlite_url(url)
        case "postgres" | "postgresql" | "postgresql+psycopg":
            if not url.database:
                raise ValueError(f"names no database; {_SHAPES}")
            return url.set(drivername="postgresql+psycopg")
    raise ValueError(_SHAPES)


def _sqlite_url(url: URL) -> URL:
    if not url.database or url.database == ":memory:":
        raise ValueError("must name a file: what SQLite keeps in memory is lost with the process")
    if url.host or url.query:
        raise ValueError(f"has more than a file in it; {_SHAPES}")
    return url


def open_history(database_url: str, *, pool_size: int = 5) -> Engine:
    """Make an engine, which connects when first used. Raises ValueError as `parse_database_url`.

    Errors of the engine never hold the values of a statement.
    """
    url = parse_database_url(database_url)
    if url.drivername == "sqlite":
        return _open_sqlite(url, pool_size)
    return _open_postgresql(url, pool_size)


def _open_sqlite(url: URL, pool_size: int) -> Engine:
    if sqlite3.sqlite_version_info < _SQLITE_MIN:
        least = ".".join(map(str, _SQLITE_MIN))
        raise ValueError(f"needs SQLite {least}; this Python has {sqlite3.sqlite_version}")
    engine = create_engine(
        url, pool_size=pool_size, pool_timeout=_POOL_TIMEOUT_S, hide_parameters=True
    )
    event.listen(engine, "do_connect", _check_folder)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _check_folder(
    _dialect: Dialect,
    _entry: ConnectionPoolEntry,
    arguments: Sequence[Any],
    _options: dict[str, Any],
) -> None:
    check_sqlite_file(Path(arguments[0]))


def check_sqlite_file(file: Path) -> None:
    """Raise DatabaseUnfit for what SQLite itself only calls "unable to open database file"."""
    if not file.parent.is_dir():
        raise DatabaseUnfit("the folder of its file does not exist")
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise DatabaseUnfit("the folder of its file cannot be written by this process")


def _set_up_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # The driver's own transactions begin before the first change and not before the first read.
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout = {_BUSY_TIMEOUT_MS}",
        "journal_mode = WAL",
        "synchronous = FULL",  # what was committed is trimmed from the log
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later is refused when another wrote in between.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _open_postgresql(url: URL, pool_size: int) -> Engine:
    engine = create_engine(
        url,
        pool_size=pool_size,
        pool_timeout=_POOL_TIMEOUT_S,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": _CONNECT_TIMEOUT_S,
            "application_name": "gatekeeper",
            # A pooler in between may give each transaction another session.
            "prepare_threshold": None,
            **_KEEPALIVES,
        },
    )
    event.listen(engine, "begin", _begin_postgresql)
    return engine


def _begin_postgresql(connection: Connection) -> None:
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {_STATEMENT_TIMEOUT_MS}")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Give a connection whose statements all see the database as it was at the first."""
    options = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    with engine.connect().execution_options(**options) as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Give a connection in a transaction that writes, committed at the end."""
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection


def describe_sql_error(error: SQLAlchemyError) -> str:
    """Say in one line for a log what a database said, without statements and credentials."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return f"{type(error.orig).__name__}: {words_of_database(error) or 'no message'}"
    return words_of_database(error) or type(error).__name__


def words_of_database(error: SQLAlchemyError) -> str:
    """Return the first line of what a database said, as above; "" when it said nothing."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return next(iter(str(error.orig).strip().splitlines()), "")
    return str(error) if isinstance(error, DatabaseUnfit) else ""
