"""What was read of the ledger, sorted by account on disk.

The log has all accounts' entries mixed, and records are found in no order at all. To look at one
account at a time and keep no other in memory, all of it goes through a temporary SQLite file that
has no name and is gone with the process.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from gatekeeper.domain.line import Line

_CACHE_KIB: Final = 32 * 1024
_TABLES: Final = {
    "lines": Line._fields,
    "calls": ("account_id", "call_sid", "record"),
    "topoffs": ("account_id", "id", "fields", "is_owed"),
    "clawbacks": ("account_id", "payment_intent", "taken", "up_to"),
}


class Spool:
    """Takes rows in any order, and gives them back account by account."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        for table, columns in _TABLES.items():
            database.execute(f"CREATE TABLE {table} ({', '.join(columns)})")

    def add_lines(self, lines: Iterable[Line]) -> None:
        """Take in entries."""
        self._insert("lines", lines)

    def add_calls(self, records: Iterable[tuple[str, str, str]]) -> None:
        """Take in calls' records: account, CallSid, record."""
        self._insert("calls", records)

    def add_topoffs(self, found: Iterable[tuple[str, str, dict[str, str], bool]]) -> None:
        """Take in top-offs' records: account, id, fields, whether the charge is owed."""
        self._insert(
            "topoffs",
            ((account, id_, json.dumps(fields), owed) for account, id_, fields, owed in found),
        )

    def add_clawbacks(self, found: Iterable[tuple[str, str, str, str]]) -> None:
        """Take in claw-backs' records: account, PaymentIntent, taken, the log's end."""
        self._insert("clawbacks", found)

    def lines(self) -> Iterator[Line]:
        """Yield each account's entries in the log's order."""
        return map(Line._make, self._sorted("lines", "account_id, id_ms, id_seq"))

    def calls(self) -> Iterator[tuple[str, str, str]]:
        """Yield each account's records of calls."""
        return self._sorted("calls", "account_id")

    def topoffs(self) -> Iterator[tuple[str, str, dict[str, str], bool]]:
        """Yield each account's records of top-offs."""
        for account_id, topoff_id, fields, is_owed in self._sorted("topoffs", "account_id"):
            yield account_id, topoff_id, json.loads(fields), bool(is_owed)

    def clawbacks(self) -> Iterator[tuple[str, str, str, str]]:
        """Yield each account's records of claw-backs."""
        return self._sorted("clawbacks", "account_id")

    def _insert(self, table: str, rows: Iterable[Sequence[Any]]) -> None:
        values = ", ".join("?" for _ in _TABLES[table])
        self._database.executemany(f"INSERT INTO {table} VALUES ({values})", rows)  # noqa: S608 - the names above

    def _sorted(self, table: str, order: str) -> Iterator[Any]:
        return iter(self._database.execute(f"SELECT * FROM {table} ORDER BY {order}"))  # noqa: S608 - the names above


@contextmanager
def open_spool() -> Iterator[Spool]:
    """Make an empty one. Raises OSError, also in the midst of its use, when the disk is full."""
    database = sqlite3.connect("")
    try:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KIB}"):
            database.execute(f"PRAGMA {pragma}")
        yield Spool(database)
    except sqlite3.OperationalError as error:
        raise OSError(f"the audit's temporary file: {error}") from error
    finally:
        database.close()
