"""Usage in the account's time zone: days as its calendar has them, at any instant."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine

from gatekeeper.domain.call import Reason
from gatekeeper.history.meter import Usage
from gatekeeper.history.usage import (
    MAX_DAYS,
    DayUsage,
    NumberUsage,
    day_bounds,
    usage_by_day,
    usage_by_number,
    usage_by_outcome,
)
from tests.history.written import ACCOUNT, NUMBER, OTHER, OTHER_NUMBER, Told, ms, write

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@pytest.mark.parametrize(
    ("zone", "since", "hours"),
    [
        ("UTC", "2026-03-28T00:00", [24, 24, 24]),
        ("Europe/Berlin", "2026-03-27T23:00", [24, 23, 24]),  # clocks go forward
        ("Europe/Berlin", "2026-10-23T22:00", [24, 25, 24]),  # and back
        ("Asia/Beirut", "2026-03-27T22:00", [24, 23, 24]),  # forward at midnight, which is left out
        ("Asia/Kathmandu", "2026-03-27T18:15", [24, 24, 24]),
        ("Pacific/Chatham", "2026-04-03T10:15", [24, 25, 24]),
        ("Pacific/Kiritimati", "2026-03-27T10:00", [24, 24, 24]),
        ("Pacific/Apia", "2011-12-29T10:00", [24, 24]),  # had no 30th
    ],
)
def test_days_are_those_of_the_zone(zone: str, since: str, hours: list[float]) -> None:
    until_ms = ms(since) + sum(hours) * HOUR_MS
    bounds_ms = day_bounds(ZoneInfo(zone), ms(since), int(until_ms))
    lengths = [(end - begin) / HOUR_MS for begin, end in pairwise(bounds_ms)]
    assert lengths == hours


def test_days_that_are_cut_off(engine: Engine) -> None:
    zone = ZoneInfo("America/New_York")
    bounds_ms = day_bounds(zone, ms("2026-06-01T12:00"), ms("2026-06-03T12:00"))
    assert bounds_ms == [
        ms("2026-06-01T12:00"),
        ms("2026-06-02T04:00"),
        ms("2026-06-03T04:00"),
        ms("2026-06-03T12:00"),
    ]


def test_too_many_days() -> None:
    with pytest.raises(ValueError, match=str(MAX_DAYS)):
        day_bounds(ZoneInfo("UTC"), 0, (MAX_DAYS + 1) * DAY_MS)


def test_a_call_counts_for_the_day_of_its_zone(engine: Engine) -> None:
    write(engine, [Told(ms("2026-03-01T22:59:59")), Told(ms("2026-03-01T23:00:00"))])
    since_ms, until_ms = ms("2026-02-28T23:00"), ms("2026-03-02T23:00")
    in_berlin = usage_by_day(engine, ACCOUNT, ZoneInfo("Europe/Berlin"), since_ms, until_ms)
    assert in_berlin == [
        DayUsage(date(2026, 3, 1), Usage(conversation=1)),
        DayUsage(date(2026, 3, 2), Usage(conversation=1)),
    ]
    in_tokyo = usage_by_day(engine, ACCOUNT, ZoneInfo("Asia/Tokyo"), since_ms, until_ms)
    assert [(each.day.day, each.usage.calls) for each in in_tokyo] == [(1, 0), (2, 2), (3, 0)]


def test_a_span_is_exact_to_the_millisecond(engine: Engine) -> None:
    at_ms = ms("2026-03-01T12:07:30")
    write(engine, [Told(at_ms), Told(at_ms, number=OTHER_NUMBER), Told(at_ms + 60_000)])
    assert usage_by_outcome(engine, ACCOUNT, 0, at_ms).calls == 0
    assert usage_by_outcome(engine, ACCOUNT, 0, at_ms + 1).calls == 2
    assert usage_by_outcome(engine, ACCOUNT, at_ms, at_ms + 60_000).calls == 2
    assert usage_by_outcome(engine, ACCOUNT, at_ms + 1, at_ms + DAY_MS).calls == 1
    assert usage_by_number(engine, ACCOUNT, at_ms, at_ms + 1) == [
        NumberUsage(NUMBER, Usage(conversation=1)),
        NumberUsage(OTHER_NUMBER, Usage(conversation=1)),
    ]


def test_outcomes_and_credits(engine: Engine) -> None:
    at_ms = ms("2026-03-01T12:00")
    told = [
        *[Told(at_ms, duration_s=60)] * 3,
        *[Told(at_ms, duration_s=None)] * 1,  # goes on: its credit is taken
        *[Told(at_ms, duration_s=4)] * 2,
        *[Told(at_ms, Reason.EMPTY_TOPOFF_OFF, duration_s=3)] * 4,
    ]
    write(engine, told)
    usage = usage_by_outcome(engine, ACCOUNT, at_ms, at_ms + 1)
    assert usage == Usage(conversation=4, hung_up=2, dropped=4)
    assert (usage.credits, usage.calls) == (6, 10)


def test_the_busiest_number_comes_first_and_an_idle_one_not_at_all(engine: Engine) -> None:
    at_ms = ms("2026-03-01T12:00")
    write(
        engine,
        [
            Told(at_ms),
            *[Told(at_ms, number=OTHER_NUMBER)] * 2,
            Told(at_ms - DAY_MS, number="+15550003333"),
            Told(at_ms, number="+15550004444", account_id=OTHER),
        ],
    )
    found = usage_by_number(engine, ACCOUNT, at_ms, at_ms + DAY_MS)
    assert [(each.number, each.usage.calls) for each in found] == [(OTHER_NUMBER, 2), (NUMBER, 1)]


def test_one_numbers_days(engine: Engine) -> None:
    at_ms = ms("2026-03-01T12:00")
    write(engine, [Told(at_ms), Told(at_ms, number=OTHER_NUMBER)])
    utc = ZoneInfo("UTC")
    [day] = usage_by_day(engine, ACCOUNT, utc, at_ms, at_ms + HOUR_MS, number=NUMBER)
    assert day.usage == Usage(conversation=1)


def test_a_span_that_ends_before_it_begins(engine: Engine) -> None:
    with pytest.raises(ValueError, match="ends before"):
        usage_by_outcome(engine, ACCOUNT, 2, 1)
    with pytest.raises(ValueError, match="ends before"):
        usage_by_day(engine, ACCOUNT, ZoneInfo("UTC"), 2, 1)
