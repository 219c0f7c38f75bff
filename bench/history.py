"""The log into SQL, beside the bare database's own inserts of the rows that this comes to.

Ours reads the log from the ledger's server, keeps calls and meters up to date and moves the log's
position, page by page. The bare database has all rows before the clock starts, and only inserts
them, with the driver's `executemany` and in as many transactions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, Table, select

from bench.busy_log import BusyDay
from bench.databases import Database, History, Rows
from bench.figures import Comparison
from bench.rounds import InvalidRound, Progress
from gatekeeper.history.engine import reading
from gatekeeper.history.rows import entry_row
from gatekeeper.history.tables import calls, entries, meter_readings
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.relay.history import PAGE_LIMIT, HistoryCopy
from gatekeeper.sandbox.valkey import EmbeddedValkey

Tables = Mapping[Table, Rows]

_RATIO_WANTED: Final = 0.3
_UNIT: Final = "entries/s"
#: As the rows were written, or nearly.
_ORDERS: Final = {
    entries: (entries.c.id_ms, entries.c.id_seq),
    calls: (calls.c.started_at_ms, calls.c.call_sid),
    meter_readings: tuple(meter_readings.c[name] for name in ("quarter", "account_id", "number")),
}


def measure_history(
    directory: Path,
    databases: Sequence[Database],
    progress: Progress,
    *,
    rounds: int,
    log_entries: int,
) -> list[Comparison]:
    """Copy a log of so many entries from a server of its own. Raises InvalidRound."""
    progress(f"writing a log of {log_entries:,} entries")
    with _busy_ledger(directory, log_entries) as ledger:
        contests = [_Contest(database, ledger) for database in databases]
        for number in range(1, rounds + 1):
            for contest in contests:
                contest.run()
            rates = ", ".join(f"{each.database.name} {each.ours[-1]:.0f}/s" for each in contests)
            progress(f"the log into SQL, round {number}: {rates}")
    return [figure for contest in contests for figure in contest.figures()]


@contextmanager
def _busy_ledger(directory: Path, log_entries: int) -> Iterator[Ledger]:
    with (
        EmbeddedValkey(directory) as server,
        connect(server.url, timeout_s=10, max_connections=2) as client,
    ):
        day = BusyDay(client)
        day.write(log_entries)
        yield day.ledger


class _Contest:
    """The ways to the same rows of one database, measured in turn. Rates are entries a second."""

    def __init__(self, database: Database, ledger: Ledger) -> None:
        self.database = database
        self.ours: list[float] = []
        self._all_inserted: list[float] = []
        self._entries_inserted: list[float] = []
        self._ledger = ledger
        self._tables = self._copied()

    def run(self) -> None:
        """Measure a round. Raises InvalidRound when rows are not what they should be."""
        entries_alone = {entries: self._tables[entries]}
        self.ours.append(self._rate(self._copy, self._tables))
        self._all_inserted.append(self._rate(_inserting(self._tables), self._tables))
        self._entries_inserted.append(self._rate(_inserting(entries_alone), entries_alone))

    def figures(self) -> list[Comparison]:
        """Compare, and judge the ratio to inserting the same rows, and the rate."""
        name, rate_wanted = f"the log into {self.database.name}", self.database.rate_wanted
        all_rows, alone = self._all_inserted, self._entries_inserted
        return [
            Comparison(
                name, "its rows, bare", _UNIT, self.ours, all_rows, ratio_wanted=_RATIO_WANTED
            ),
            Comparison(name, "its entries, bare", _UNIT, self.ours, alone, ours_wanted=rate_wanted),
        ]

    def _copied(self) -> Tables:
        """Copy the log once, to warm up, and read the rows that this comes to."""
        with self.database.empty_history() as history:
            self._copy(history)
            tables = {table: _read(history.engine, table) for table in _ORDERS}
        log = [entry_row(entry) for entry in self._ledger.log.shard_entries(0)]
        if tables[entries] != [tuple(row[each.name] for each in entries.columns) for row in log]:
            raise InvalidRound(f"{self.database.name} does not hold the log's entries")
        return tables

    def _copy(self, history: History) -> None:
        HistoryCopy(self._ledger, history.engine).copy_all()

    def _rate(self, write: Callable[[History], None], expected: Tables) -> float:
        with self.database.empty_history() as history:
            started_s = time.perf_counter()
            write(history)
            elapsed_s = time.perf_counter() - started_s
            if any(_read(history.engine, table) != rows for table, rows in expected.items()):
                raise InvalidRound(f"{self.database.name} holds other rows than the log comes to")
        return len(expected[entries]) / elapsed_s


def _inserting(tables: Tables) -> Callable[[History], None]:
    """Cut rows into as many transactions as the log has pages."""
    pages = -(-len(tables[entries]) // PAGE_LIMIT)

    def page_of(rows: Rows, page: int) -> Rows:
        return rows[len(rows) * page // pages : len(rows) * (page + 1) // pages]

    cut = [{table: page_of(rows, page) for table, rows in tables.items()} for page in range(pages)]

    def insert(history: History) -> None:
        for page in cut:
            for table, rows in page.items():
                history.insert(table, rows)
            history.commit()

    return insert


def _read(engine: Engine, table: Table) -> Rows:
    with reading(engine) as connection:
        found = connection.execute(select(table).order_by(*_ORDERS[table]))
        return [tuple(row) for row in found]
