"""Calls that came in and calls that went out: each found at once, whatever the other ones are."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, event, inspect

from gatekeeper.domain.call import Direction, Reason
from gatekeeper.domain.entry import Entry, EntryType
from gatekeeper.history.call import HUNG_UP_BELOW_S, Outcome, add_entry, call_begun_by
from gatekeeper.history.engine import open_history, reading
from gatekeeper.history.migrations import migrate
from gatekeeper.history.queries import CallFilter, calls_page, find_call, find_calls
from gatekeeper.history.rows import call_row, entry_row
from gatekeeper.history.store import LOG_START, record
from gatekeeper.history.usage import usage_by_outcome
from tests.history.older import insert_into_older, migrate_to
from tests.history.test_cost import year
from tests.history.written import ACCOUNT, NUMBER, OTHER, Told, ms, write

NOON_MS = ms("2026-03-01T12:00")
CALL_SID = f"CA{0:032x}"
OUT, IN = Direction.OUTBOUND, Direction.INBOUND


def _entry(place: int, type_: EntryType, cause: str, **changes: Any) -> Entry:
    delta = {EntryType.CALL_DEBITED: -1, EntryType.CALL_RELEASED: 1}.get(type_, 0)
    fields: dict[str, Any] = {
        "id": f"{place + 1}-0",
        "at_ms": NOON_MS,
        "account_id": ACCOUNT,
        "allotment_delta": delta,
        "purchased_delta": 0,
        "allotment": 0,
        "purchased": 0,
        "ref": CALL_SID,
        "number": NUMBER,
        "detail": "",
    }
    return Entry(type=type_, cause=cause, **fields | changes)


def _store(engine: Engine, *entries: Entry) -> None:
    assert record(engine, 0, entries, before=LOG_START, after=LOG_START)


@pytest.mark.parametrize("said", [(OUT, OUT), (IN, OUT), (OUT, IN)], ids=str)
def test_one_entry_that_says_so_makes_a_call_outbound(
    engine: Engine, said: tuple[Direction, Direction]
) -> None:
    """The others are of a version that did not say. Its place in every list changes with it."""
    kinds = ((EntryType.CALL_DEBITED, "allotment"), (EntryType.CALL_SETTLED, "completed"))
    for place, (kind, direction) in enumerate(zip(kinds, said, strict=True)):
        _store(engine, _entry(place, *kind, direction=direction))
    for direction, count in ((OUT, 1), (IN, 0)):
        for chosen in (
            CallFilter(direction=direction),
            CallFilter(direction=direction, number=NUMBER),
            CallFilter(direction=direction, outcome=Outcome.CONVERSATION),
        ):
            assert len(calls_page(engine, ACCOUNT, chosen=chosen).items) == count


def test_usage_is_of_both_together(engine: Engine) -> None:
    write(engine, [Told(NOON_MS, direction=direction) for direction in (IN, OUT, OUT)])
    for until_ms in (NOON_MS + 7, NOON_MS + 10**7):  # within a quarter of an hour, and behind it
        assert usage_by_outcome(engine, ACCOUNT, NOON_MS, until_ms).calls == 3


def test_a_call_is_found_with_every_account_that_had_it(engine: Engine) -> None:
    debit = _entry(0, EntryType.CALL_DEBITED, "allotment")
    _store(engine, debit, _entry(1, EntryType.CALL_SETTLED, "completed", account_id=OTHER))
    assert [call.account_id for call in find_calls(engine, CALL_SID)] == [ACCOUNT, OTHER]
    found = find_call(engine, OTHER, CALL_SID)
    assert found is not None
    assert (found.account_id, found.credits) == (OTHER, 0)


def test_calls_of_before_came_in_and_their_credits_went_back_once(database_url: str) -> None:
    engine = open_history(database_url)
    migrate_to(engine, "0003")
    debit = _entry(0, EntryType.CALL_DEBITED, "allotment")
    call = call_begun_by(debit)
    add_entry(call, debit, hung_up_below_s=HUNG_UP_BELOW_S)
    insert_into_older(engine, "entries", entry_row(debit))
    insert_into_older(engine, "calls", {**call_row(call), "released": False})
    back = {**call_row(call), "call_sid": f"CA{1:032x}", "released": True}
    insert_into_older(engine, "calls", back)
    migrate(engine)
    later = _entry(1, EntryType.CALL_SETTLED, "completed", detail="9")
    _store(engine, later)
    found = calls_page(engine, ACCOUNT, chosen=CallFilter(direction=IN)).items
    told = {one.call_sid: (one.releases, one.credits, one.duration_s) for one in found}
    assert told == {CALL_SID: (0, 1, 9), back["call_sid"]: (1, 0, None)}
    assert calls_page(engine, ACCOUNT, chosen=CallFilter(direction=OUT)).items == []
    assert "released" not in {column["name"] for column in inspect(engine).get_columns("calls")}
    engine.dispose()


@pytest.mark.parametrize(
    ("chosen", "index"),
    [
        (CallFilter(direction=OUT), "calls_by_start"),
        (CallFilter(NOON_MS, NOON_MS + 10**8, direction=OUT), "calls_by_start"),
        (CallFilter(direction=OUT, reason=Reason.ALLOTMENT), "calls_by_outcome"),
        (CallFilter(number=NUMBER, direction=OUT), "calls_by_number"),
    ],
    ids=str,
)
def test_a_direction_is_found_in_an_index(engine: Engine, chosen: CallFilter, index: str) -> None:
    write(engine, year(ACCOUNT, 300))
    lines = _plan(engine, chosen)
    used = [line for line in lines if "calls_by_" in line]
    assert used
    assert all(index in line for line in used), lines
    if engine.dialect.name == "postgresql":
        conditions = [line for line in lines if "Index Cond" in line]
        assert all("direction" in line for line in conditions), lines
        assert not any("Filter" in line for line in lines), lines
    else:
        assert all("direction=?" in line for line in used), lines


def _plan(engine: Engine, chosen: CallFilter) -> list[str]:
    """How the database finds a page of these calls."""
    asked: list[tuple[str, Any]] = []

    def hear(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", hear)
    try:
        calls_page(engine, ACCOUNT, chosen=chosen)
    finally:
        event.remove(engine, "before_cursor_execute", hear)
    [(statement, parameters)] = [one for one in asked if "FROM calls" in one[0]]
    with reading(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(
                "SET LOCAL enable_seqscan = off"
            )  # few rows would all be read
            explain = "EXPLAIN"
        else:
            explain = "EXPLAIN QUERY PLAN"
        found = connection.exec_driver_sql(f"{explain} {statement}", parameters)
        return [str(row[-1]) for row in found]
