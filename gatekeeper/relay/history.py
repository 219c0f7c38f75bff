"""The log → history: copied page by page, and trimmed behind what is in SQL for good.

How far a shard's log has been copied stands in SQL and moves in the transaction that stores the
entries. So SQL always holds a beginning of the log without gaps, whoever was killed when, and a
database restored from a backup says by itself where to go on. Several relays may run: a page is
stored by the one that finds the position where it read it.

A consumer group would hold that position in Redis instead. It acknowledges entries before or after
they are in SQL and never with them, costs the gate's server a write for each page, hands one
shard's entries to several relays, who store them out of order, and knows nothing of a restored
database.
"""

from __future__ import annotations

import threading
from typing import Final

import structlog
from redis import RedisError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from gatekeeper.history.call import HUNG_UP_BELOW_S
from gatekeeper.history.call_writer import UnreadableEntry
from gatekeeper.history.lag import note_position
from gatekeeper.history.migrations import migrate
from gatekeeper.history.store import LOG_START, Position, read_positions, record
from gatekeeper.history.tail import Page, Tail
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.relay.directory import list_missing_accounts
from gatekeeper.relay.link import history_link, redis_link

#: Few transactions, and still short ones and little memory.
PAGE_LIMIT: Final = 1000
BACK_OFF_MAX_S: Final = 30.0
_DOUBLINGS_MAX: Final = 10

log = structlog.get_logger(__name__)


class HistoryCopy:
    """Copies the ledger's log into history until it is told to stop, in a thread of its own.

    A call shorter than `hung_up_below_s` was hung up at once; a change counts for calls that end
    from then on. With `trim_behind_s` a log keeps what was written within so many seconds before
    its last copied entry and loses what is older; None trims nothing. A log that keeps a day makes
    up for what a backup of the database lacks that is less than a day old.

    The tables are migrated, and the directory completed, before they are first used, and again
    after an outage: it may have been spent on putting another database there. While a newer
    version's tables are there, nothing is copied.

    `look_interval_s` is the longest that a new entry waits, and the first pause after a failure.
    """

    def __init__(
        self,
        ledger: Ledger,
        engine: Engine,
        *,
        hung_up_below_s: int = HUNG_UP_BELOW_S,
        trim_behind_s: float | None = None,
        look_interval_s: float = 0.5,
    ) -> None:
        self._ledger = ledger
        self._engine = engine
        self._hung_up_below_s = hung_up_below_s
        self._trim_behind_s = trim_behind_s
        self._look_interval_s = look_interval_s
        self._ledger_link = redis_link("ledger's log", ledger.probe)
        self._sql_link = history_link(self._probe_sql)
        self._is_migrated = False
        self._is_listed = False
        shards = range(ledger.keys.shards)
        self._tails = [Tail(ledger.client, ledger.keys.log(shard)) for shard in shards]
        self._noted: dict[int, Position] = {}
        self._unreadable: set[str] = set()

    def run(self, stop: threading.Event) -> None:
        """Copy until `stop` is set, whatever happens to Redis or SQL."""
        failures = 0
        while not stop.is_set():
            try:
                is_behind = self._pass(stop)
            except (RedisError, SQLAlchemyError):  # its link has logged it
                failures += 1
                self._start_over()
                stop.wait(self._back_off_s(failures))
                continue
            failures = 0
            if not is_behind:
                stop.wait(self._look_interval_s)

    def copy_all(self) -> None:
        """Copy all that there is now. Raises redis.RedisError, sqlalchemy.exc.SQLAlchemyError."""
        while self._pass(threading.Event()):
            pass

    def _pass(self, stop: threading.Event) -> bool:
        """Copy a page of each shard; tells whether one had more."""
        self._sql_link.check()
        self._ledger_link.check()
        with self._sql_link:
            self._migrate()
        self._list_accounts(stop)
        with self._sql_link:
            positions = read_positions(self._engine)
        is_behind = False
        for shard in range(len(self._tails)):
            if stop.is_set():
                return False
            is_behind |= self._copy_page(shard, positions.get(shard, LOG_START))
        return is_behind

    def _copy_page(self, shard: int, position: Position) -> bool:
        """Copy a shard's next page; tells whether there is more."""
        try:
            return self._try_page(shard, position, PAGE_LIMIT)
        except UnreadableEntry as error:
            self._log_unreadable(shard, error)
            return False

    def _try_page(self, shard: int, position: Position, limit: int) -> bool:
        tail = self._tails[shard]
        with self._ledger_link:
            page = tail.read(position, limit)
        try:
            is_stored = not page.entries or self._store(shard, position, page)
        except UnreadableEntry as error:
            ids = [entry.id for entry in page.entries]
            if readable := ids.index(error.entry_id):
                return self._try_page(shard, position, readable)
            raise
        if not is_stored:  # another relay was faster
            return False
        tail.taken(page)
        self._tidy(shard, page.reached)
        return not page.is_last

    def _store(self, shard: int, position: Position, page: Page) -> bool:
        with self._sql_link:
            return record(
                self._engine,
                shard,
                page.entries,
                before=position,
                after=page.reached,
                hung_up_below_s=self._hung_up_below_s,
            )

    def _tidy(self, shard: int, position: Position) -> None:
        """Note at the log how far it has been copied, and trim it, if that has changed."""
        if self._noted.get(shard) == position:
            return
        with self._ledger_link:
            note_position(self._ledger.client, self._ledger.keys.log(shard), position)
            if self._trim_behind_s is not None:
                self._tails[shard].trim(position, self._trim_behind_s)
        self._noted[shard] = position

    def _probe_sql(self) -> None:
        """Write a position as it is: a database that is full or read-only refuses it."""
        self._migrate()
        position = read_positions(self._engine).get(0, LOG_START)
        record(self._engine, 0, [], before=position, after=position)

    def _migrate(self) -> None:
        if not self._is_migrated:
            migrate(self._engine)
            self._is_migrated = True

    def _list_accounts(self, stop: threading.Event) -> None:
        """Make sure, once, that the directory has all accounts."""
        if not self._is_listed:
            with self._sql_link, self._ledger_link:
                list_missing_accounts(self._ledger, self._engine, stop)
            self._is_listed = not stop.is_set()

    def _start_over(self) -> None:
        """Rely on nothing that was true before a failure."""
        self._is_migrated = self._is_listed = False
        self._noted.clear()
        for tail in self._tails:
            tail.read_again()

    def _log_unreadable(self, shard: int, error: UnreadableEntry) -> None:
        """Say once that a shard waits for a relay that understands its next entry."""
        if error.entry_id not in self._unreadable:
            self._unreadable.add(error.entry_id)
            log.error("history_entry_unreadable", shard=shard, error=str(error))

    def _back_off_s(self, failures: int) -> float:
        doubled_s: float = self._look_interval_s * 2.0 ** min(failures, _DOUBLINGS_MAX)
        return min(doubled_s, BACK_OFF_MAX_S)
