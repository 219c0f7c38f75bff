"""What the tests of copying share: accounts with calls, and what SQL and the log hold."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy import Engine, select

from gatekeeper.domain.account import NewAccount, new_account_id
from gatekeeper.domain.account_audit import entry_position
from gatekeeper.domain.call import CallEnd, CallId
from gatekeeper.domain.entry import Entry
from gatekeeper.history.engine import reading
from gatekeeper.history.rows import read_entry
from gatekeeper.history.tables import entries
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.store import wall_clock_ms
from gatekeeper.relay.history import HistoryCopy

ACCOUNT_SID = "AC" + "1" * 32
NUMBER = "+15550001111"


def open_accounts(ledger: Ledger, count: int) -> list[str]:
    """Open accounts; returns their ids."""
    ids = [new_account_id() for _ in range(count)]
    for account_id in ids:
        ledger.accounts.open_account(NewAccount(account_id, "Able", "able@example.com", 1000))
    return ids


def make_calls(ledger: Ledger, account_ids: Sequence[str], numbers: range) -> None:
    """Make calls in turn, each settled at once: two entries each."""
    for number in numbers:
        account_id = account_ids[number % len(account_ids)]
        call = CallId(ACCOUNT_SID, f"CA{number:032x}")
        ledger.calls.admit_call(account_id, call, NUMBER)
        ledger.calls.settle_call(
            account_id,
            call,
            NUMBER,
            CallEnd.COMPLETED,
            duration_s=number % 20,
            debit_unknown=True,
        )


def append_calls(ledger: Ledger, account_ids: Sequence[str], numbers: range) -> None:
    """Write the entries of such calls straight to the log, in one round trip: much faster."""
    with ledger.client.pipeline(transaction=False) as pipeline:
        for number in numbers:
            log_key = ledger.keys.of_account(account_ids[number % len(account_ids)]).log
            for fields in _entries_of_call(account_ids[number % len(account_ids)], number):
                pipeline.xadd(log_key, fields)
        pipeline.execute()


def _entries_of_call(account_id: str, number: int) -> Iterator[dict[Any, Any]]:
    common = {
        "at_ms": wall_clock_ms(),
        "account": account_id,
        "purchased_delta": 0,
        "allotment": 1000 - number,
        "purchased": 0,
        "ref": f"CA{number:032x}",
        "number": NUMBER,
    }
    debit = {"type": "call_debited", "allotment_delta": -1, "cause": "allotment"}
    yield common | debit | {"detail": f"oAala1 {1000 - number} 0 0 50 200 200 - - 0 1 0"}
    settle = {"type": "call_settled", "allotment_delta": 0, "cause": "completed"}
    yield common | settle | {"detail": number % 20}


def log_of(ledger: Ledger) -> list[Entry]:
    """Read what the log holds, in the order of ids, shard by shard."""
    return [
        entry for shard in range(ledger.keys.shards) for entry in ledger.log.shard_entries(shard)
    ]


def last_fields(ledger: Ledger, log_key: str) -> dict[Any, Any]:
    """Read the fields of a log's last entry as they are in the stream."""
    [(_, fields)] = cast(
        list[tuple[str, dict[Any, Any]]], ledger.client.xrevrange(log_key, count=1)
    )
    return fields


def stored(ledger: Ledger, engine: Engine) -> list[Entry]:
    """Read what SQL holds, in the same order."""
    with reading(engine) as connection:
        found = [read_entry(row) for row in connection.execute(select(entries)).mappings()]
    return sorted(
        found,
        key=lambda entry: (ledger.keys.shard_of(entry.account_id), entry_position(entry.id)),
    )


@contextmanager
def copying(copy: HistoryCopy) -> Iterator[threading.Event]:
    """Copy in a thread of its own; gives the event that stops it."""
    stop = threading.Event()
    thread = threading.Thread(target=copy.run, args=(stop,))
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(timeout=20)
        assert not thread.is_alive(), "the copying did not stop"
