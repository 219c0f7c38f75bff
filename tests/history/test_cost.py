"""What a page costs does not grow with an account's history.

Counted in steps of SQLite's virtual machine: the same on every machine, however busy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, event

from gatekeeper.domain.call import Direction, Reason
from gatekeeper.history.call import Outcome
from gatekeeper.history.engine import open_history
from gatekeeper.history.migrations import migrate
from gatekeeper.history.queries import (
    CallFilter,
    balance_at,
    calls_page,
    entries_page,
    find_calls,
    find_entry,
    statement_page,
)
from gatekeeper.history.usage import usage_by_day, usage_by_number, usage_by_outcome
from tests.history.written import ACCOUNT, NUMBER, OTHER, OTHER_NUMBER, Told, ms, write

FEW, MANY = 300, 12_000
BEGIN_MS, END_MS = ms("2025-06-01T00:00"), ms("2026-06-01T00:00")
MIDDLE_MS = (BEGIN_MS + END_MS) // 2
BERLIN = ZoneInfo("Europe/Berlin")
RATIO_MAX = 1.5
_STEPS_A_TICK = 10

Query = Callable[[Engine, str], Any]


def year(account_id: str, count: int) -> list[Told]:
    """Spread calls over a year; a few are dropped, and a few come in on another number."""
    return [
        Told(
            BEGIN_MS + (END_MS - BEGIN_MS) * place // count,
            Reason.EMPTY_TOPOFF_OFF if place % 150 == 0 else Reason.ALLOTMENT,
            duration_s=None,
            number=OTHER_NUMBER if place % 100 == 1 else NUMBER,
            account_id=account_id,
        )
        for place in range(count)
    ]


@pytest.fixture(scope="module")
def years(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An account with few calls, and one with many."""
    engine = open_history(f"sqlite:///{tmp_path_factory.mktemp('cost') / 'history.sqlite'}")
    migrate(engine)
    write(engine, year(ACCOUNT, FEW))
    write(engine, year(OTHER, MANY), first=FEW)
    yield engine
    engine.dispose()


def _deep(page_of: Callable[..., Any]) -> Query:
    """Read a second page."""
    return lambda engine, account_id: page_of(
        engine, account_id, after=page_of(engine, account_id).next
    )


def _calls(**chosen: Any) -> Query:
    chosen_calls = CallFilter(**chosen)
    return lambda engine, account_id: calls_page(engine, account_id, chosen=chosen_calls, limit=20)


QUERIES: dict[str, Query] = {
    "entries": entries_page,
    "more entries": _deep(entries_page),
    "lines of a statement": statement_page,
    "an entry": lambda engine, id_: find_entry(engine, id_, "7-0"),
    "calls": calls_page,
    "more calls": _deep(calls_page),
    "calls of a number": _calls(number=NUMBER),
    "calls of an outcome": _calls(outcome=Outcome.CONVERSATION),
    "calls of a reason": _calls(reason=Reason.ALLOTMENT),
    "calls that there are not": _calls(number=NUMBER, outcome=Outcome.HUNG_UP),
    "calls until a day": _calls(number=NUMBER, reason=Reason.ALLOTMENT, until_ms=MIDDLE_MS),
    "outgoing calls, of which there are none": _calls(direction=Direction.OUTBOUND),
    "outgoing ones of a number": _calls(direction=Direction.OUTBOUND, number=NUMBER),
    "outgoing ones of an outcome": _calls(
        direction=Direction.OUTBOUND, outcome=Outcome.CONVERSATION
    ),
    "outgoing ones of a reason": _calls(direction=Direction.OUTBOUND, reason=Reason.ALLOTMENT),
    "outgoing ones until a day": _calls(direction=Direction.OUTBOUND, until_ms=MIDDLE_MS),
    "incoming calls": _calls(direction=Direction.INBOUND),
    "incoming calls of a number": _calls(direction=Direction.INBOUND, number=NUMBER),
    "usage by day": lambda engine, id_: usage_by_day(engine, id_, BERLIN, BEGIN_MS, END_MS),
    "usage by number": lambda engine, id_: usage_by_number(engine, id_, BEGIN_MS, END_MS),
    "usage by outcome": lambda engine, id_: usage_by_outcome(engine, id_, BEGIN_MS + 7, MIDDLE_MS),
    "balance": lambda engine, id_: balance_at(engine, id_, MIDDLE_MS),
    "one call": lambda engine, _: find_calls(engine, f"CA{FEW:032x}"),
}


def steps(engine: Engine, query: Query, account_id: str) -> int:
    """Count a query's steps."""
    ticks = 0

    def tick() -> None:
        nonlocal ticks
        ticks += 1

    def count(connection: Any, *_: Any) -> None:
        connection.set_progress_handler(tick, _STEPS_A_TICK)

    event.listen(engine, "checkout", count)
    try:
        query(engine, account_id)
    finally:
        event.remove(engine, "checkout", count)
    return ticks


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_costs_the_same_with_many_calls(years: Engine, name: str) -> None:
    query = QUERIES[name]
    few, many = steps(years, query, ACCOUNT), steps(years, query, OTHER)
    assert few > 0
    assert many <= RATIO_MAX * few, (few, many)
