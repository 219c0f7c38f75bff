"""The databases that history is measured on: SQLite as a file, and a PostgreSQL server.

Both are as durable as in production: what is committed is on the disk.
"""

from __future__ import annotations

import itertools
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlalchemy import Engine, Table

from gatekeeper.history.engine import open_history
from gatekeeper.history.migrations import migrate
from tests.history.postgres import PostgreSQL

Rows = Sequence[tuple[Any, ...]]

#: The server's defaults: a commit waits for the disk.
_DURABLE: Final = ("fsync=on", "full_page_writes=on", "synchronous_commit=on")


@dataclass(frozen=True, slots=True)
class History:
    """History's tables in a database of their own: as the relay and pages reach it, and bare."""

    engine: Engine
    bare: Any  # a driver's own connection: they have the same methods, and no common type
    _placeholder: str

    def insert(self, table: Table, rows: Rows) -> None:
        """Insert rows as the driver does it best, in the transaction that `commit` ends."""
        columns = ", ".join(f'"{column.name}"' for column in table.columns)
        values = ", ".join(self._placeholder for _ in table.columns)
        statement = f"INSERT INTO {table.name} ({columns}) VALUES ({values})"
        self.bare.cursor().executemany(statement, rows)

    def commit(self) -> None:
        """End the transaction."""
        self.bare.commit()

    def tidy(self) -> None:
        """Do at once what PostgreSQL's autovacuum does in its own time."""
        if isinstance(self.bare, psycopg.Connection):
            self.bare.autocommit = True
            self.bare.execute("VACUUM ANALYZE")
            self.bare.autocommit = False


@dataclass(frozen=True, slots=True)
class Database:
    """One of the databases. `rate_wanted`: entries of the log that it should take a second."""

    name: str
    version: str
    rate_wanted: float
    _create: Callable[[], str]
    _drop: Callable[[str], None]
    _connect: Callable[[str], Any]
    _placeholder: str

    @contextmanager
    def empty_history(self) -> Iterator[History]:
        """Create history's tables, and drop them again at the end."""
        with ExitStack() as stack:
            url = self._create()
            stack.callback(self._drop, url)
            engine = open_history(url)
            stack.callback(engine.dispose)
            migrate(engine)
            bare = stack.enter_context(closing(self._connect(url)))
            yield History(engine, bare, self._placeholder)


@contextmanager
def both_databases(directory: Path) -> Iterator[list[Database]]:
    """Start a PostgreSQL server; SQLite's files are in `directory`. Raises NoPostgreSQL."""
    logging.getLogger("alembic").setLevel(logging.WARNING)  # tables are made again and again
    with PostgreSQL(_DURABLE) as server:
        yield [_sqlite(directory), _postgresql(server)]


def _sqlite(directory: Path) -> Database:
    files = (directory / f"history-{n}.sqlite" for n in itertools.count())

    def drop(url: str) -> None:
        path = _path(url)
        for each in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            each.unlink(missing_ok=True)

    return Database(
        "SQLite",
        sqlite3.sqlite_version,
        5000,
        lambda: f"sqlite:///{next(files)}",
        drop,
        _connect_sqlite,
        "?",
    )


def _path(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def _connect_sqlite(url: str) -> sqlite3.Connection:
    connection = sqlite3.connect(_path(url))
    # The file says that it has a write-ahead log. How durable that is, each connection says.
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _postgresql(server: PostgreSQL) -> Database:
    with psycopg.connect(server.admin_url) as connection:
        version = connection.info.parameter_status("server_version") or ""
    return Database(
        "PostgreSQL",
        version,
        3000,
        server.create_database,
        server.drop_database,
        psycopg.connect,
        "%s",
    )
