"""Reads all of the ledger that an audit looks at, in the order that `gatekeeper.audit` explains."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, TypeVar

from gatekeeper.audit.difference import Difference
from gatekeeper.audit.spool import Spool
from gatekeeper.audit.two_stores import Place
from gatekeeper.domain.account import Account
from gatekeeper.domain.account_audit import entry_position
from gatekeeper.domain.line import Line
from gatekeeper.ledger import lookback
from gatekeeper.ledger.keys import account_of
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.log import EMPTY_LOG, LogPage, RawEntry
from gatekeeper.ledger.records import read_direction

#: Told how many more entries have been read.
OnRead = Callable[[int], object]

_BATCH: Final = 1000
T = TypeVar("T")


@dataclass(slots=True)
class LogReading:
    """How a shard's log stood when all of it had been read.

    `begin` is the oldest entry that it held then (None: none), `end` the newest there ever was, and
    `written` how many. `unreadable` are entries that could not be taken apart.
    """

    begin: Place | None = None
    end: Place = (0, 0)
    written: int = 0
    unreadable: list[Place] = field(default_factory=list)


@dataclass(slots=True)
class LedgerReading:
    """What was read and is not in the spool.

    `accounts` come with the id of the log's last entry when each was read. All that a log holds up
    to `listed_at` is of accounts that were listed. Top-offs requested, and credits taken back or
    returned, at `kept_since_ms` or later still had their record.
    """

    accounts: dict[str, tuple[Account, str]] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)  # listed, but without a record
    listed_at: dict[int, Place] = field(default_factory=dict)
    kept_since_ms: int = 0
    logs: dict[int, LogReading] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)


def read_ledger(
    ledger: Ledger, spool: Spool, account_id: str | None, on_read: OnRead
) -> LedgerReading:
    """Read one account, or all. Raises UnknownAccount; redis.RedisError; OSError as the spool."""
    reading = LedgerReading()
    if account_id is not None:
        ledger.accounts.account(account_id)
    shards = range(ledger.keys.shards) if account_id is None else [ledger.keys.shard_of(account_id)]
    for shard in shards:
        reading.listed_at[shard] = entry_position(ledger.log.end(shard))
        ids = lookback.account_ids(ledger, shard) if account_id is None else [account_id]
        _read_accounts(ledger, shard, ids, reading)
    _read_records(ledger, spool, account_id, reading)
    for shard in reading.listed_at:
        _read_log(ledger.log.pages(shard), shard, account_id, spool, reading, on_read)
    return reading


def _read_accounts(ledger: Ledger, shard: int, ids: list[str], reading: LedgerReading) -> None:
    for account, up_to in lookback.accounts_with_position(ledger, shard, ids):
        reading.accounts[account.id] = account, up_to
    lost = [account_id for account_id in ids if account_id not in reading.accounts]
    reading.lost.update(lost)
    reading.differences += (Difference(one, "is listed, but has no record") for one in lost)


def _read_records(
    ledger: Ledger, spool: Spool, account_id: str | None, reading: LedgerReading
) -> None:
    found = lookback.topoff_records(ledger, account_id)
    spool.add_topoffs((account_of(one.id), one.id, one.fields, one.is_owed) for one in found)
    clawbacks = lookback.clawback_records(ledger, account_id)
    spool.add_clawbacks(
        (one.account_id, one.payment_intent, one.taken, one.up_to) for one in clawbacks
    )
    now_s, _ = ledger.client.time()
    reading.kept_since_ms = (now_s - lookback.RECORD_KEPT_S) * 1000
    kept = lookback.call_records(ledger, account_id)
    spool.add_calls((account, call.call_sid, record) for account, call, record in kept)


def _read_log(
    pages: Iterable[LogPage],
    shard: int,
    account_id: str | None,
    spool: Spool,
    reading: LedgerReading,
    on_read: OnRead,
) -> None:
    log = reading.logs[shard] = LogReading()
    for page in pages:
        log.begin = None if page.first_id == EMPTY_LOG else entry_position(page.first_id)
        log.end, log.written = entry_position(page.last_id), page.written
        wanted = (
            entry
            for entry in page.entries
            if account_id is None or entry[1].get("account") == account_id
        )
        spool.add_lines(_readable(wanted, log, reading))
        on_read(len(page.entries))


def _readable(
    entries: Iterable[RawEntry], log: LogReading, reading: LedgerReading
) -> Iterator[Line]:
    for entry_id, fields in entries:
        place = entry_position(entry_id)
        try:
            yield _line(place, fields)
        except (KeyError, ValueError):
            log.unreadable.append(place)
            account_id = fields.get("account", "")
            what = f"entry {entry_id} of the log cannot be read"
            reading.differences.append(Difference(account_id, what))


def _line(place: Place, fields: dict[str, str]) -> Line:
    return Line(
        fields["account"],
        *place,
        int(fields["at_ms"]),
        fields["type"],
        int(fields["allotment_delta"]),
        int(fields["purchased_delta"]),
        int(fields["allotment"]),
        int(fields["purchased"]),
        fields["ref"],
        fields["cause"],
        fields["number"],
        fields["detail"],
        read_direction(fields),
    )


def counted(items: Iterator[T], on_read: OnRead) -> Iterator[T]:
    """Pass items on, and tell how many."""
    while batch := list(islice(items, _BATCH)):
        on_read(len(batch))
        yield from batch
