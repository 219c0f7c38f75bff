"""Whatever the order, however often: the same entries make the same tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from gatekeeper.domain.entry import Entry
from gatekeeper.history.engine import reading, writing
from gatekeeper.history.meter import Usage
from gatekeeper.history.queries import balance_at, entries_page, find_call
from gatekeeper.history.store import LOG_START, record
from gatekeeper.history.tables import metadata, positions
from gatekeeper.history.usage import usage_by_day, usage_by_number, usage_by_outcome
from tests.history.logs import (
    ACCOUNTS,
    AROUND_MS,
    NUMBERS,
    SPAN_MS,
    MadeLog,
    ToldCall,
    deliveries,
    impossible,
    logs,
)

BERLIN = ZoneInfo("Europe/Berlin")
SINCE_MS, UNTIL_MS = AROUND_MS - 2 * SPAN_MS, AROUND_MS + 2 * SPAN_MS

property_test = settings(
    max_examples=25,
    deadline=None,
    # The fixture is the database; each example begins by emptying it.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

Tables = dict[str, list[tuple[Any, ...]]]


def deliver(engine: Engine, batches: Sequence[Sequence[Entry]]) -> Tables:
    """Store batches in an empty database; returns all rows of all tables."""
    with writing(engine) as connection:
        for table in metadata.sorted_tables:
            connection.execute(table.delete())
    for batch in batches:
        assert record(engine, 0, batch, before=LOG_START, after=LOG_START)
    with reading(engine) as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(select(table))), key=str)
            for table in metadata.sorted_tables
            if table is not positions
        }


@property_test
@given(data=st.data(), log=logs())
def test_any_order_gives_what_the_logs_order_gives(
    engine: Engine, data: st.DataObject, log: MadeLog
) -> None:
    shuffled = deliver(engine, data.draw(deliveries(log.entries)))
    assert shuffled == deliver(engine, [log.entries])


@property_test
@given(data=st.data(), log=logs(impossible()))
def test_so_do_entries_that_no_ledger_writes(
    engine: Engine, data: st.DataObject, log: MadeLog
) -> None:
    shuffled = deliver(engine, data.draw(deliveries(log.entries)))
    assert shuffled == deliver(engine, [log.entries])


@property_test
@given(data=st.data(), log=logs())
def test_what_is_told_is_what_happened(engine: Engine, data: st.DataObject, log: MadeLog) -> None:
    """The queries' answers against plain Python."""
    deliver(engine, data.draw(deliveries(log.entries)))
    for account_id in ACCOUNTS:
        own = [entry for entry in log.entries if entry.account_id == account_id]
        assert entries_page(engine, account_id, limit=100).items == own[::-1]
        _check_usage(engine, account_id, [c for c in log.calls if c.account_id == account_id])
        instant_ms = AROUND_MS + data.draw(st.integers(-SPAN_MS, SPAN_MS))
        _check_balance(engine, account_id, own, instant_ms)
    for call in log.calls:
        _check_call(engine, call)


def _check_call(engine: Engine, told: ToldCall) -> None:
    found = find_call(engine, told.account_id, told.call_sid)
    assert found is not None
    assert told.expected is not None
    assert (found.number, found.direction) == (told.number, told.direction)
    assert found.started_at_ms == told.started_at_ms
    for field in ("outcome", "reason", "credits", "end", "duration_s"):
        assert getattr(found, field) == getattr(told.expected, field), field


def _check_usage(engine: Engine, account_id: str, calls: Sequence[ToldCall]) -> None:
    assert usage_by_outcome(engine, account_id, SINCE_MS, UNTIL_MS) == _count(calls)
    days = usage_by_day(engine, account_id, BERLIN, SINCE_MS, UNTIL_MS)
    for each in days:
        assert each.usage == _count([c for c in calls if _day_in_berlin(c) == each.day])
    assert sum(each.usage.calls for each in days) == len(calls)
    by_number = {
        each.number: each.usage for each in usage_by_number(engine, account_id, SINCE_MS, UNTIL_MS)
    }
    for number in NUMBERS:
        assert by_number.get(number, Usage()) == _count([c for c in calls if c.number == number])


def _count(calls: Sequence[ToldCall]) -> Usage:
    outcomes = Counter(call.expected.outcome for call in calls if call.expected)
    return Usage(**{outcome.value: count for outcome, count in outcomes.items()})


def _day_in_berlin(call: ToldCall) -> object:
    return datetime.fromtimestamp(call.started_at_ms / 1000, UTC).astimezone(BERLIN).date()


def _check_balance(engine: Engine, account_id: str, own: Sequence[Entry], at_ms: int) -> None:
    deltas = [entry.purchased_delta for entry in own if entry.at_ms <= at_ms]
    balance = balance_at(engine, account_id, at_ms)
    assert (balance.total if balance else None) == (sum(deltas) if deltas else None)
