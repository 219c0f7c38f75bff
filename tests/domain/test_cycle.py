"""Billing cycles against dateutil, and against tables written down by hand."""

from __future__ import annotations

import calendar
import zoneinfo
from datetime import UTC, date, datetime, timedelta

import pytest
from dateutil.relativedelta import relativedelta  # type: ignore[import-untyped]  # has no types
from hypothesis import assume, example, given
from hypothesis import strategies as st

from gatekeeper.domain.cycle import Interval, Period, anchor_of, period_at, period_of

DAY_MS = 86_400_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def ms(text: str) -> int:
    """Read an instant such as 2024-01-31T23:59:59.999; without a time of day it is midnight."""
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)


def instant(at_ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=at_ms)


def later(anchor_ms: int, interval: Interval, index: int) -> int:
    """Tell by dateutil's reckoning when a period starts."""
    step = relativedelta(**{"months" if interval is Interval.MONTHLY else "years": index})
    start: datetime = instant(anchor_ms) + step
    return (start - EPOCH) // timedelta(milliseconds=1)


FIRST_MS = ms("1970-01-01")
LAST_MS = ms("9998-12-31T23:59:59.999")

TIMES_OF_DAY_MS = st.sampled_from([0, 1, DAY_MS - 1]) | st.integers(0, DAY_MS - 1)
DAYS = st.dates(date(1970, 1, 1), date(9998, 12, 31))
MONTH_ENDS = DAYS.map(lambda day: day.replace(day=calendar.monthrange(day.year, day.month)[1]))
LEAP_DAYS = st.sampled_from([1972, 2000, 2024, 2096, 2104, 2400]).map(lambda y: date(y, 2, 29))
INSTANTS = st.builds(
    lambda day, time_ms: ms(day.isoformat()) + time_ms,
    DAYS | st.dates(date(2020, 1, 1), date(2032, 12, 31)) | MONTH_ENDS | LEAP_DAYS,
    TIMES_OF_DAY_MS,
)
INTERVALS = st.sampled_from(Interval)


@st.composite
def cycles_and_indexes(draw: st.DrawFn) -> tuple[int, Interval, int]:
    """Draw a cycle and the index of a period with a neighbour on each side."""
    anchor_ms, interval = draw(INSTANTS), draw(INTERVALS)
    year = instant(anchor_ms).year
    years = draw(st.integers(1971 - year, 9996 - year) | st.integers(-3, 3))
    assume(1971 <= year + years <= 9996)
    per_year = 12 if interval is Interval.MONTHLY else 1
    return anchor_ms, interval, years * per_year + draw(st.integers(0, per_year - 1))


# Against dateutil


@given(cycles_and_indexes())
def test_a_period_starts_where_dateutil_says(cycle: tuple[int, Interval, int]) -> None:
    anchor_ms, interval, index = cycle
    period = period_at(anchor_ms, interval, index)
    assert period == Period(
        index, later(anchor_ms, interval, index), later(anchor_ms, interval, index + 1)
    )


@given(anchor_ms=INSTANTS, interval=INTERVALS, at_ms=INSTANTS)
@example(anchor_ms=FIRST_MS, interval=Interval.MONTHLY, at_ms=LAST_MS)
@example(anchor_ms=LAST_MS, interval=Interval.MONTHLY, at_ms=FIRST_MS)
@example(anchor_ms=LAST_MS, interval=Interval.YEARLY, at_ms=FIRST_MS)
def test_the_period_of_an_instant_contains_it(
    anchor_ms: int, interval: Interval, at_ms: int
) -> None:
    period = period_of(anchor_ms, interval, at_ms)
    assert period.start_ms <= at_ms < period.end_ms
    assert period.start_ms == later(anchor_ms, interval, period.index)
    assert period.end_ms == later(anchor_ms, interval, period.index + 1)


# What makes them periods


@given(cycles_and_indexes())
def test_consecutive_periods_meet(cycle: tuple[int, Interval, int]) -> None:
    anchor_ms, interval, index = cycle
    before, period, after = (period_at(anchor_ms, interval, index + i) for i in (-1, 0, 1))
    assert before.end_ms == period.start_ms
    assert period.start_ms < period.end_ms
    assert period.end_ms == after.start_ms


@given(cycles_and_indexes())
def test_a_boundary_belongs_to_the_period_it_opens(cycle: tuple[int, Interval, int]) -> None:
    anchor_ms, interval, index = cycle
    period = period_at(anchor_ms, interval, index)
    assert period_of(anchor_ms, interval, period.start_ms - 1).index == index - 1
    assert period_of(anchor_ms, interval, period.start_ms) == period
    assert period_of(anchor_ms, interval, period.end_ms - 1) == period
    assert period_of(anchor_ms, interval, period.end_ms).index == index + 1


@given(anchor_ms=INSTANTS, interval=INTERVALS, some_ms=INSTANTS, other_ms=INSTANTS)
def test_the_index_never_falls_as_time_goes_on(
    anchor_ms: int, interval: Interval, some_ms: int, other_ms: int
) -> None:
    earlier_ms, later_ms = sorted((some_ms, other_ms))
    earlier = period_of(anchor_ms, interval, earlier_ms)
    later_one = period_of(anchor_ms, interval, later_ms)
    assert earlier.index <= later_one.index
    assert (earlier.index == later_one.index) == (later_ms < earlier.end_ms)


@given(anchor_ms=INSTANTS, interval=INTERVALS)
def test_period_0_starts_at_the_anchor(anchor_ms: int, interval: Interval) -> None:
    assert period_of(anchor_ms, interval, anchor_ms) == period_at(anchor_ms, interval, 0)
    assert period_at(anchor_ms, interval, 0).start_ms == anchor_ms


# Tables


def monthly_starts(anchor: str, first: int, last: int) -> list[str]:
    """Write the days on which the monthly periods first..last start."""
    indexes = range(first, last + 1)
    starts = [instant(period_at(ms(anchor), Interval.MONTHLY, i).start_ms) for i in indexes]
    return [start.strftime("%m-%d") for start in starts]


@pytest.mark.parametrize(
    ("anchor", "days"),
    [
        ("2025-01-31", "02-28 03-31 04-30 05-31 06-30 07-31 08-31 09-30 10-31 11-30 12-31 01-31"),
        ("2025-01-30", "02-28 03-30 04-30 05-30 06-30 07-30 08-30 09-30 10-30 11-30 12-30 01-30"),
        ("2025-01-29", "02-28 03-29 04-29 05-29 06-29 07-29 08-29 09-29 10-29 11-29 12-29 01-29"),
        ("2025-01-28", "02-28 03-28 04-28 05-28 06-28 07-28 08-28 09-28 10-28 11-28 12-28 01-28"),
        ("2024-01-31", "02-29 03-31 04-30 05-31 06-30 07-31 08-31 09-30 10-31 11-30 12-31 01-31"),
        ("2024-01-30", "02-29 03-30 04-30 05-30 06-30 07-30 08-30 09-30 10-30 11-30 12-30 01-30"),
        ("2024-02-29", "03-29 04-29 05-29 06-29 07-29 08-29 09-29 10-29 11-29 12-29 01-29 02-28"),
        # The anchor's own day counts: from the end of a short month, later ones aren't lengthened.
        ("2025-02-28", "03-28 04-28 05-28 06-28 07-28 08-28 09-28 10-28 11-28 12-28 01-28 02-28"),
        ("2025-04-30", "05-30 06-30 07-30 08-30 09-30 10-30 11-30 12-30 01-30 02-28 03-30 04-30"),
        ("2025-12-31", "01-31 02-28 03-31 04-30 05-31 06-30 07-31 08-31 09-30 10-31 11-30 12-31"),
    ],
)
def test_short_months_shorten_and_long_ones_restore(anchor: str, days: str) -> None:
    assert monthly_starts(anchor, 1, 12) == days.split()


def test_periods_before_the_anchor_are_clamped_from_it_too() -> None:
    days = "03-31 04-30 05-31 06-30 07-31 08-31 09-30 10-31 11-30 12-31 01-31 02-29 03-31"
    assert monthly_starts("2024-03-31", -12, 0) == days.split()


@pytest.mark.parametrize(
    ("year", "day"),
    [
        (1970, 28),
        (2000, 29),  # divisible by 400
        (2001, 28),
        (2023, 28),
        (2024, 29),
        (2025, 28),
        (2028, 29),
        (2096, 29),
        (2100, 28),  # divisible by 100
        (2104, 29),
        (2200, 28),
        (2400, 29),
        (9996, 29),
        (9998, 28),
    ],
)
def test_a_leap_day_is_kept_in_leap_years(year: int, day: int) -> None:
    yearly = period_at(ms("2024-02-29T06:30"), Interval.YEARLY, year - 2024)
    assert yearly.start_ms == ms(f"{year}-02-{day}T06:30")
    monthly = period_at(ms("2024-01-31T06:30"), Interval.MONTHLY, (year - 2024) * 12 + 1)
    assert monthly.start_ms == ms(f"{year}-02-{day}T06:30")


@pytest.mark.parametrize(
    ("interval", "anchor", "at", "start", "end"),
    [
        # Around a clamped start, at a time of day given to the millisecond.
        ("monthly", "01-31T13:45:12.345", "02-28T13:45:12.344", "01-31", "02-28"),
        ("monthly", "01-31T13:45:12.345", "02-28T13:45:12.345", "02-28", "03-31"),
        ("monthly", "01-31T13:45:12.345", "03-31T13:45:12.344", "02-28", "03-31"),
        ("monthly", "01-31T13:45:12.345", "03-31T13:45:12.345", "03-31", "04-30"),
        # Around midnight.
        ("monthly", "01-15T00:00:00.000", "02-14T23:59:59.999", "01-15", "02-15"),
        ("monthly", "01-15T00:00:00.000", "02-15T00:00:00.000", "02-15", "03-15"),
        ("monthly", "01-31T23:59:59.999", "02-28T23:59:59.998", "01-31", "02-28"),
        ("monthly", "01-31T23:59:59.999", "02-28T23:59:59.999", "02-28", "03-31"),
        ("monthly", "03-01T00:00:00.000", "02-28T23:59:59.999", "02-01", "03-01"),
        # A year, seen from each side of its start's day and month.
        ("yearly", "03-15T12:00:00.000", "03-15T11:59:59.999", "2024-03-15", "03-15"),
        ("yearly", "03-15T12:00:00.000", "02-20T12:00:00.000", "2024-03-15", "03-15"),
        ("yearly", "03-15T12:00:00.000", "04-02T00:00:00.000", "03-15", "2026-03-15"),
        ("yearly", "03-15T12:00:00.000", "12-31T23:59:59.999", "03-15", "2026-03-15"),
        ("yearly", "2024-02-29T08:00", "2025-02-28T07:59:59.999", "2024-02-29", "2025-02-28"),
        ("yearly", "2024-02-29T08:00", "2028-02-29T07:59:59.999", "2027-02-28", "2028-02-29"),
        ("yearly", "2024-02-29T08:00", "2028-02-29T08:00", "2028-02-29", "2029-02-28"),
    ],
)
def test_periods_by_hand(interval: str, anchor: str, at: str, start: str, end: str) -> None:
    """Dates without a year are of 2025; a period starts at its anchor's time of day."""
    anchor, at, start, end = (
        text if text.startswith("20") else f"2025-{text}" for text in (anchor, at, start, end)
    )
    time_of_day_ms = ms(anchor) % DAY_MS
    period = period_of(ms(anchor), Interval(interval), ms(at))
    assert period.start_ms == ms(start) + time_of_day_ms
    assert period.end_ms == ms(end) + time_of_day_ms


# The range


@pytest.mark.parametrize("interval", Interval)
@pytest.mark.parametrize("outside_ms", [FIRST_MS - 1, LAST_MS + 1, ms("1900-02-28"), -(2**63)])
def test_instants_outside_1970_to_9998_are_refused(interval: Interval, outside_ms: int) -> None:
    inside_ms = ms("2025-01-31")
    with pytest.raises(ValueError, match="years 1970 to 9998"):
        period_of(outside_ms, interval, inside_ms)
    with pytest.raises(ValueError, match="years 1970 to 9998"):
        period_of(inside_ms, interval, outside_ms)
    with pytest.raises(ValueError, match="years 1970 to 9998"):
        period_at(outside_ms, interval, 0)


@pytest.mark.parametrize(
    ("interval", "first_start", "last_end"),
    [
        (Interval.MONTHLY, "1969-12-31T18:00", "9999-01-31T18:00"),
        (Interval.YEARLY, "1969-08-31T18:00", "9999-08-31T18:00"),
    ],
)
def test_periods_reach_as_far_as_their_instants(
    interval: Interval, first_start: str, last_end: str
) -> None:
    anchor_ms = ms("2025-08-31T18:00")
    first = period_of(anchor_ms, interval, FIRST_MS)
    last = period_of(anchor_ms, interval, LAST_MS)
    assert first.start_ms == ms(first_start)
    assert last.end_ms == ms(last_end)
    for index in (first.index - 1, last.index + 1, -(10**30), 10**30):
        with pytest.raises(ValueError, match="years 1970 to 9998"):
            period_at(anchor_ms, interval, index)


# Anchors from a day


@pytest.mark.parametrize("day", ["1970-01-01", "2024-02-29", "2025-03-01", "9998-12-31"])
def test_a_day_begins_at_midnight_utc(day: str) -> None:
    assert anchor_of(date.fromisoformat(day)) == ms(day)


@pytest.mark.parametrize("day", [date(1969, 12, 31), date(9999, 1, 1), date.min, date.max])
def test_days_outside_the_range_are_refused(day: date) -> None:
    with pytest.raises(ValueError, match="years 1970 to 9998"):
        anchor_of(day)


@pytest.mark.parametrize("timezone", ["Etc/GMT-12", "Etc/GMT+12", "America/New_York"])
def test_the_first_of_the_month_stays_the_first_in_utc(timezone: str) -> None:
    """To a customer at most the hours of their zone away, and never drifting."""
    anchor_ms = anchor_of(date(2025, 1, 1))
    for index in range(1, 25):
        start = instant(period_at(anchor_ms, Interval.MONTHLY, index).start_ms)
        there = start.astimezone(zoneinfo.ZoneInfo(timezone)).replace(tzinfo=UTC)
        assert start.day == 1
        assert abs(there - start) <= timedelta(hours=12)
