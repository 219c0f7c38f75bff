"""Audits accounts: reads the ledger, then history, and holds them against each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from gatekeeper.audit.by_account import ByAccount
from gatekeeper.audit.difference import Difference
from gatekeeper.audit.directory import DirectoryAudit, last_told
from gatekeeper.audit.kept_calls import KeptCallsAudit
from gatekeeper.audit.ledger_reading import LedgerReading, LogReading, OnRead, read_ledger
from gatekeeper.audit.spool import open_spool
from gatekeeper.audit.stored_calls import StoredCallsAudit
from gatekeeper.audit.streams import Streams
from gatekeeper.audit.two_stores import Pair, Place, StoresAudit, side_by_side
from gatekeeper.domain.account_audit import AccountAudit, entry_position
from gatekeeper.domain.clawback_audit import ClawbackReading
from gatekeeper.domain.topoff import Topoff, TopoffState
from gatekeeper.history.replay import Replay, replaying
from gatekeeper.history.store import LOG_START, Position, read_positions
from gatekeeper.ledger.errors import UnknownTopoff
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import read_topoff


def _count_nothing(_: int) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found, and how many accounts and entries it looked at.

    An entry that is both in the log and in SQL counts once.
    """

    differences: list[Difference]
    accounts: int
    entries: int


def audit(
    ledger: Ledger,
    history: Engine | None = None,
    *,
    account_id: str | None = None,
    on_read: OnRead = _count_nothing,
) -> Audit:
    """Audit every account, or one; without `history`, whose log nobody has copied or trimmed yet.

    `on_read` is told of entries read, so many in all as `entries_to_read` says. Raises
    UnknownAccount; redis.RedisError; sqlalchemy.exc.SQLAlchemyError; OSError when the disk has no
    room for what the ledger holds.
    """
    with open_spool() as spool:
        reading = read_ledger(ledger, spool, account_id, on_read)
        replayed: AbstractContextManager[Replay | None] = (
            nullcontext() if history is None else replaying(history)
        )
        with replayed as replay:
            stored = on_read if account_id is None else _count_nothing
            streams = Streams(spool, replay, account_id, stored)
            run = _Run(ledger, reading, streams, is_whole=account_id is None)
            return Audit(run.differences(), len(reading.accounts), run.entries)


def audit_ledger(
    ledger: Ledger, history: Engine | None = None, *, on_read: OnRead = _count_nothing
) -> list[Difference]:
    """Audit every account, for its differences alone. Raises as `audit`."""
    return audit(ledger, history, on_read=on_read).differences


def audit_account(
    ledger: Ledger,
    account_id: str,
    history: Engine | None = None,
    *,
    on_read: OnRead = _count_nothing,
) -> list[Difference]:
    """Audit one account, for its differences alone. Raises as `audit`."""
    return audit(ledger, history, account_id=account_id, on_read=on_read).differences


def entries_to_read(ledger: Ledger, history: Engine, account_id: str | None) -> int:
    """Tell how many entries an audit will read, or nearly; of one account, those in the log.

    Raises redis.RedisError, sqlalchemy.exc.SQLAlchemyError.
    """
    shards = range(ledger.keys.shards) if account_id is None else [ledger.keys.shard_of(account_id)]
    in_log = sum(ledger.log.length(shard) for shard in shards)
    in_sql = sum(position.entries for position in read_positions(history).values())
    return in_log + (in_sql if account_id is None else 0)


class _Run:
    """One audit. The ledger has been read; now everything is looked at account by account.

    `entries` is how many were looked at.
    """

    def __init__(
        self, ledger: Ledger, reading: LedgerReading, streams: Streams, *, is_whole: bool
    ) -> None:
        self._ledger = ledger
        self._reading = reading
        self._streams = streams
        self._is_whole = is_whole
        self.entries = 0
        self._stored: Counter[int] = Counter()
        self._logged_behind: Counter[int] = Counter()

    def differences(self) -> list[Difference]:
        """Name what differs, account by account and then shard by shard."""
        found = list(self._reading.differences)
        known = ByAccount((account_id,) for account_id in sorted(self._reading.accounts))
        for account_id in self._streams.accounts(known):
            is_known = any(list(known.take(account_id)))
            problems = self._account(account_id) if is_known else self._stray(account_id)
            found += (Difference(account_id, what) for what in problems)
        found += (Difference("", what) for what in self._shards())
        return found

    def _account(self, account_id: str) -> Iterator[str]:
        reading = self._reading.accounts[account_id]
        account = AccountAudit(*reading)
        stores = self._stores_audit(account_id)
        calls = StoredCallsAudit()
        records = (row[1:] for row in self._streams.kept_calls.take(account_id))
        kept = KeptCallsAudit(records, entry_position(reading[1]))
        directory = self._directory_audit(account_id)
        for in_sql, in_log in self._entries(account_id):
            stores.add(in_sql, in_log)
            if in_sql is not None:
                calls.add(in_sql)
            line = in_sql or in_log
            assert line is not None  # noqa: S101 - one of each pair is there
            account.add(line)
            kept.add(line)
            # A listing was made of what had been in the log.
            directory.add(in_log or line)
        self._count(account_id, stores)
        topoffs, owed = self._topoffs(account_id, account)
        kept_since_ms = self._reading.kept_since_ms
        yield from account.differences(
            topoffs, self._clawbacks(account_id), owed=owed, kept_since_ms=kept_since_ms
        )
        yield from stores.differences()
        yield from kept.differences()
        yield from directory.differences(calls.last_call())
        yield from calls.differences(
            self._streams.stored_calls.take(account_id), self._streams.readings.take(account_id)
        )

    def _stray(self, account_id: str) -> Iterator[str]:
        """Look at what is of no account that was listed: it may have been opened since."""
        stores = self._stores_audit(account_id)
        first = None
        for in_sql, in_log in self._entries(account_id):
            stores.add(in_sql, in_log)
            first = first or in_sql or in_log
        self._count(account_id, stores)
        row = self._row(account_id)
        has_records = self._streams.skip_records(account_id)
        if account_id in self._reading.lost:
            return
        shard = self._shard(account_id)
        listed_at = self._reading.listed_at[shard]
        if first is not None:
            if (first.id_ms, first.id_seq) <= listed_at:
                yield "has entries, but there is no such account"
        elif has_records:
            yield "has records, but neither entries nor an account"
        elif row is not None and not listed_at < last_told(row) <= self._end(shard):
            yield "is listed in the directory, but there is no such account"

    def _directory_audit(self, account_id: str) -> DirectoryAudit:
        account, up_to = self._reading.accounts[account_id]
        shard = self._shard(account_id)
        copied = self._copied(shard)
        return DirectoryAudit(
            account,
            self._row(account_id),
            up_to=entry_position(up_to),
            copied=copied,
            known_to=max(copied, self._reading.logs[shard].end),
            end=lambda: self._end(shard),
        )

    def _row(self, account_id: str) -> Mapping[str, Any] | None:
        """Take the account's row of the directory, if there is one."""
        return next((row for _, row in list(self._streams.listings.take(account_id))), None)

    def _entries(self, account_id: str) -> Iterator[Pair]:
        stored = self._streams.stored.take(account_id)
        for pair in side_by_side(stored, self._streams.logged.take(account_id)):
            self.entries += 1
            yield pair

    def _stores_audit(self, account_id: str) -> StoresAudit:
        shard = self._shard(account_id)
        log = self._reading.logs[shard]
        return StoresAudit(self._copied(shard), log.begin, log.end)

    def _count(self, account_id: str, stores: StoresAudit) -> None:
        shard = self._shard(account_id)
        self._stored[shard] += stores.stored
        self._logged_behind[shard] += stores.logged_behind

    def _topoffs(
        self, account_id: str, audit: AccountAudit
    ) -> tuple[dict[str, Topoff | None], set[str]]:
        """Read the account's top-offs out of the spool; and which of them have an owed charge."""
        topoffs: dict[str, Topoff | None] = {}
        owed: set[str] = set()
        for _, topoff_id, fields, is_owed in self._streams.topoffs.take(account_id):
            topoffs[topoff_id] = _topoff(topoff_id, fields)
            owed.update({topoff_id} if is_owed else ())
        for topoff_id in audit.credited & topoffs.keys():
            topoff = topoffs[topoff_id]
            # Credited since its record was read, perhaps: that only ever becomes true.
            if topoff is not None and topoff.state is not TopoffState.SUCCEEDED:
                topoffs[topoff_id] = self._read_again(topoff)
        return topoffs, owed

    def _clawbacks(self, account_id: str) -> dict[str, ClawbackReading]:
        """Read what the account's payments lost out of the spool."""
        return {
            payment_intent: ClawbackReading(
                int(taken) if taken.isdecimal() else None, entry_position(up_to)
            )
            for _, payment_intent, taken, up_to in self._streams.clawbacks.take(account_id)
        }

    def _read_again(self, topoff: Topoff) -> Topoff:
        try:
            return self._ledger.topoffs.topoff(topoff.id)
        except UnknownTopoff:
            return topoff

    def _shards(self) -> Iterator[str]:
        for shard, log in self._reading.logs.items():
            position = self._streams.positions.get(shard, LOG_START)
            # Nothing is copied before it is written, so the log goes on at least so far by now.
            end = self._ledger.log.end(shard)
            if entry_position(end) < self._copied(shard):
                yield (
                    f"shard {shard}: SQL goes on to {position.entry_id}, but the log ends at {end}:"
                    " the ledger has lost what came behind"
                )
            elif self._is_whole:
                yield from self._counts(shard, position, log)

    def _counts(self, shard: int, position: Position, log: LogReading) -> Iterator[str]:
        """Hold the number of entries against how many were ever written."""
        copied = self._copied(shard)
        if self._stored[shard] != position.entries:
            yield (
                f"shard {shard}: SQL has {self._stored[shard]} entries, but up to"
                f" {position.entry_id} {position.entries} were written"
            )
        behind = self._logged_behind[shard] + sum(place > copied for place in log.unreadable)
        written = log.written - position.entries
        if copied <= log.end and behind != written:
            yield (
                f"shard {shard}: the log has {behind} entries behind {position.entry_id}, where SQL"
                f" ends, but {written} were written"
            )

    def _end(self, shard: int) -> Place:
        """Read how far a log goes by now."""
        return entry_position(self._ledger.log.end(shard))

    def _copied(self, shard: int) -> Place:
        position = self._streams.positions.get(shard, LOG_START)
        return position.id_ms, position.id_seq

    def _shard(self, account_id: str) -> int:
        return self._ledger.keys.shard_of(account_id)


def _topoff(topoff_id: str, fields: dict[str, str]) -> Topoff | None:
    try:
        return read_topoff(topoff_id, fields)
    except (KeyError, ValueError):
        return None
