"""Pages of entries and calls: complete, in order, filtered, and never the same thing twice."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import TypeVar

import pytest
from sqlalchemy import Engine

from gatekeeper.domain.call import CallEnd, Decision, Direction, Reason
from gatekeeper.domain.entry import Entry, EntryType
from gatekeeper.history.call import REASONS_OF, Call, Outcome
from gatekeeper.history.queries import (
    BadCursor,
    Balance,
    CallFilter,
    Page,
    balance_at,
    calls_page,
    entries_page,
    find_call,
    find_calls,
)
from gatekeeper.history.store import LOG_START, record
from tests.history.written import ACCOUNT, NUMBER, OTHER, OTHER_NUMBER, Told, ms, write

NOON_MS = ms("2026-03-01T12:00")
REASONS = (Reason.ALLOTMENT, Reason.PURCHASED, Reason.EMPTY_TOPOFF_OFF, Reason.ACCOUNT_SUSPENDED)

T = TypeVar("T")


def all_of(read: Callable[[str | None], Page[T]]) -> list[T]:
    """Read page after page to the end."""
    page = read(None)
    items = list(page.items)
    while page.next is not None:
        page = read(page.next)
        assert page.items
        items += page.items
    return items


@pytest.fixture
def told(engine: Engine) -> list[Told]:
    """Calls of every kind, one a minute but for some that begin together; and another account's."""
    kinds = product((NUMBER, OTHER_NUMBER), REASONS, (2, 60, None), Direction)
    told = [
        Told(NOON_MS + place // 2 * 60_000, reason, duration_s, number, direction=direction)
        for place, (number, reason, duration_s, direction) in enumerate([*kinds])
    ]
    write(engine, told)
    write(engine, [Told(NOON_MS, account_id=OTHER)], first=len(told))
    return told


def outcome_of(call: Told) -> Outcome:
    if call.is_dropped:
        return Outcome.DROPPED
    return Outcome.HUNG_UP if call.duration_s == 2 else Outcome.CONVERSATION


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_entries_are_read_backwards_without_a_gap(
    engine: Engine, told: list[Told], limit: int
) -> None:
    entries = all_of(lambda after: entries_page(engine, ACCOUNT, after=after, limit=limit))
    places = [tuple(map(int, entry.id.split("-"))) for entry in entries]
    assert places == sorted(places, reverse=True)
    assert len(places) == len(told) + sum(call.duration_s is not None for call in told)
    assert {entry.account_id for entry in entries} == {ACCOUNT}


@pytest.mark.parametrize(
    "chosen",
    [
        CallFilter(number=number, outcome=outcome, reason=reason, direction=direction)
        for direction in (None, *Direction)
        for number in (None, NUMBER)
        for outcome in (None, Outcome.HUNG_UP, Outcome.DROPPED)
        for reason in (None, Reason.PURCHASED, Reason.ACCOUNT_SUSPENDED)
    ],
    ids=str,
)
def test_calls_are_those_chosen_newest_first(
    engine: Engine, told: list[Told], chosen: CallFilter
) -> None:
    calls = all_of(lambda after: calls_page(engine, ACCOUNT, chosen=chosen, after=after, limit=5))
    expected = [
        (call.at_ms, call.number, outcome_of(call), call.reason)
        for call in told
        if chosen.number in (None, call.number)
        and chosen.direction in (None, call.direction)
        and chosen.outcome in (None, outcome_of(call))
        and chosen.reason in (None, call.reason)
    ]
    found = [(call.started_at_ms, call.number, call.outcome, call.reason) for call in calls]
    assert sorted(found) == sorted(expected)
    keys = [(call.started_at_ms, call.call_sid) for call in calls]
    assert keys == sorted(keys, reverse=True)


def test_calls_of_a_span(engine: Engine, told: list[Told]) -> None:
    since_ms, until_ms = NOON_MS + 60_000, NOON_MS + 120_000
    for number in (None, NUMBER):
        chosen = CallFilter(since_ms, until_ms, number)
        calls = calls_page(engine, ACCOUNT, chosen=chosen).items
        assert {call.started_at_ms for call in calls} == {since_ms}
        assert len(calls) == 2


def test_every_reason_can_be_chosen() -> None:
    """A reason that is missing here would hide its calls from filtered pages."""
    known = {reason for reasons in REASONS_OF.values() for reason in reasons}
    assert known == set(Reason) - {Reason.UNKNOWN_NUMBER}  # which is of no account


def test_what_arrives_meanwhile_moves_no_page(engine: Engine, told: list[Told]) -> None:
    first = calls_page(engine, ACCOUNT, limit=10)
    before = calls_page(engine, ACCOUNT, after=first.next, limit=10)
    write(engine, [Told(NOON_MS + 10**9)] * 3, first=1000)
    assert calls_page(engine, ACCOUNT, after=first.next, limit=10) == before


@pytest.mark.parametrize(
    "cursor", ["", "1", "1-", "-1", "1-2-3", "x-1", "1-CA1", "1' OR '1'='1", f"{10**20}-1", "٣-٣"]
)
def test_a_cursor_that_no_page_made_is_refused(engine: Engine, cursor: str) -> None:
    with pytest.raises(BadCursor):
        entries_page(engine, ACCOUNT, after=cursor)
    with pytest.raises(BadCursor):
        calls_page(engine, ACCOUNT, after=cursor)


def test_an_account_without_history(engine: Engine) -> None:
    assert entries_page(engine, ACCOUNT) == Page([], None)
    assert calls_page(engine, ACCOUNT) == Page([], None)
    assert balance_at(engine, ACCOUNT, NOON_MS) is None
    assert find_call(engine, ACCOUNT, "CA" + "0" * 32) is None
    assert find_calls(engine, "CA" + "0" * 32) == []


def test_a_call_is_found_by_its_callsid(engine: Engine) -> None:
    [call_sid] = write(engine, [Told(NOON_MS, duration_s=90)])
    call = Call(
        account_id=ACCOUNT,
        call_sid=call_sid,
        direction=Direction.INBOUND,
        number=NUMBER,
        outcome=Outcome.CONVERSATION,
        reason=Reason.ALLOTMENT,
        started_at_ms=NOON_MS,
        detail="record",
        ended_at_ms=NOON_MS,
        end=CallEnd.COMPLETED,
        duration_s=90,
        debits=1,
    )
    assert find_call(engine, ACCOUNT, call_sid) == call
    assert find_calls(engine, call_sid) == [call]
    assert find_call(engine, OTHER, call_sid) is None


def test_a_dropped_call_was_decided_so(engine: Engine) -> None:
    [call_sid] = write(engine, [Told(NOON_MS, Reason.ACCOUNT_SUSPENDED)])
    [call] = find_calls(engine, call_sid)
    assert (call.decision, call.credits) == (Decision.DROP, 0)


def _entry(place: int, at_ms: int, allotment: int, purchased: int) -> Entry:
    return Entry(
        id=f"{place}-0",
        at_ms=at_ms,
        account_id=ACCOUNT,
        type=EntryType.CREDITS_ADDED,
        allotment_delta=0,
        purchased_delta=0,
        allotment=allotment,
        purchased=purchased,
        ref="r",
        cause="c",
        number="",
        detail="",
    )


@pytest.mark.parametrize(
    ("at_ms", "balance"),
    [
        (999, None),
        (1_000, Balance(5, 0)),
        (60_000, Balance(5, 0)),
        (100_000, Balance(4, 7)),
        (10**12, Balance(4, -2)),
    ],
)
def test_the_balance_at_a_point_in_time(
    engine: Engine, at_ms: int, balance: Balance | None
) -> None:
    entries = [_entry(1, 1_000, 5, 0), _entry(2, 100_000, 4, 7), _entry(3, 200_000, 4, -2)]
    record(engine, 0, entries, before=LOG_START, after=LOG_START)
    assert balance_at(engine, ACCOUNT, at_ms) == balance


def test_the_balance_is_the_logs_last_even_if_a_clock_was_behind(engine: Engine) -> None:
    entries = [_entry(1, 100_000, 9, 0), _entry(2, 99_000, 8, 0), _entry(3, 98_500, 7, 0)]
    record(engine, 0, entries, before=LOG_START, after=LOG_START)
    assert balance_at(engine, ACCOUNT, 10**12) == Balance(7, 0)
