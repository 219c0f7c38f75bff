"""Usage: calls by day, by number and by outcome between two instants.

Read from the meters, so the cost depends on the number of days or numbers and not on that of
calls. All raise sqlalchemy.exc.SQLAlchemyError, and ValueError for a span that ends before it
begins.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, func, select, union_all

from gatekeeper.domain.call import Direction
from gatekeeper.history.batch import batch, rows_of
from gatekeeper.history.call import Outcome
from gatekeeper.history.engine import reading
from gatekeeper.history.meter import NOTHING, QUARTER_MS, Usage
from gatekeeper.history.tables import ALL_NUMBERS, calls, meter_readings

MAX_DAYS: Final = 3_700

#: A number, or ALL_NUMBERS, and an instant in ms.
_Look = tuple[str, int]


@dataclass(frozen=True, slots=True)
class DayUsage:
    """A day of the account's calendar. The first and the last may be parts of days."""

    day: date
    usage: Usage


@dataclass(frozen=True, slots=True)
class NumberUsage:
    """One of an account's numbers."""

    number: str
    usage: Usage


def usage_by_outcome(engine: Engine, account_id: str, since_ms: int, until_ms: int) -> Usage:
    """Count an account's calls that began within `since_ms` <= time < `until_ms`."""
    _check_span(since_ms, until_ms)
    with reading(engine) as connection:
        first, last = _readings(connection, account_id, _span(ALL_NUMBERS, since_ms, until_ms))
    return last - first


def usage_by_day(
    engine: Engine,
    account_id: str,
    zone: ZoneInfo,
    since_ms: int,
    until_ms: int,
    *,
    number: str = ALL_NUMBERS,
) -> list[DayUsage]:
    """Count calls for each day of a time zone, days without any included.

    Raises ValueError when there are more than MAX_DAYS.
    """
    bounds_ms = day_bounds(zone, since_ms, until_ms)
    with reading(engine) as connection:
        readings = _readings(connection, account_id, [(number, at_ms) for at_ms in bounds_ms])
    days = [local_date(zone, begins_ms) for begins_ms in bounds_ms[:-1]]
    used = [after - before for before, after in pairwise(readings)]
    return [DayUsage(day, usage) for day, usage in zip(days, used, strict=True)]


def usage_by_number(
    engine: Engine, account_id: str, since_ms: int, until_ms: int
) -> list[NumberUsage]:
    """Count calls for each of an account's numbers that had any, the busiest first."""
    _check_span(since_ms, until_ms)
    with reading(engine) as connection:
        numbers = _numbers(connection, account_id)
        looks = [look for number in numbers for look in _span(number, since_ms, until_ms)]
        readings = _readings(connection, account_id, looks)
    used = [after - before for before, after in zip(readings[::2], readings[1::2], strict=True)]
    had_any = [
        NumberUsage(number, usage)
        for number, usage in zip(numbers, used, strict=True)
        if usage != NOTHING
    ]
    return sorted(had_any, key=lambda each: (-each.usage.calls, each.number))


def numbers_called(engine: Engine, account_id: str) -> list[str]:
    """List the numbers of an account that ever had a call, in their order."""
    with reading(engine) as connection:
        return _numbers(connection, account_id)


def _check_span(since_ms: int, until_ms: int) -> None:
    if until_ms < since_ms:
        raise ValueError("the span ends before it begins")


def day_bounds(zone: ZoneInfo, since_ms: int, until_ms: int) -> list[int]:
    """Cut a span into days: its begin, the midnights of a time zone within it, its end."""
    _check_span(since_ms, until_ms)
    midnights_ms = [since_ms]
    day = local_date(zone, since_ms)
    while (begins_ms := midnight_ms(zone, day := day + timedelta(days=1))) < until_ms:
        # A day that the zone left out, at the date line, has no length.
        if begins_ms > midnights_ms[-1]:
            midnights_ms.append(begins_ms)
        if len(midnights_ms) > MAX_DAYS:
            raise ValueError(f"there may be at most {MAX_DAYS} days")
    return [*midnights_ms, until_ms]


def local_date(zone: ZoneInfo, at_ms: int) -> date:
    """Find the day of a zone's calendar that an instant lies in."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(zone).date()


def midnight_ms(zone: ZoneInfo, day: date) -> int:
    """Find when a day begins: at the first instant of it where a zone has no midnight."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * 1000


def _span(number: str, since_ms: int, until_ms: int) -> list[_Look]:
    return [(number, since_ms), (number, until_ms)]


def _readings(connection: Connection, account_id: str, looks: Sequence[_Look]) -> list[Usage]:
    """Look at meters of an account; returns what they showed in the same order."""
    quarters = {(number, at_ms // QUARTER_MS) for number, at_ms in looks}
    shown = _at_quarters(connection, account_id, quarters)
    begun = {
        at_ms: _within_quarter(connection, account_id, at_ms)
        for at_ms in {at_ms for _, at_ms in looks}
        if at_ms % QUARTER_MS
    }
    return [
        shown[number, at_ms // QUARTER_MS] + begun.get(at_ms, {}).get(number, NOTHING)
        for number, at_ms in looks
    ]


def _at_quarters(
    connection: Connection, account_id: str, quarters: Collection[tuple[str, int]]
) -> dict[tuple[str, int], Usage]:
    """Look at meters at the beginnings of quarters of an hour."""
    key = (meter_readings.c.number, meter_readings.c.quarter)
    rows = [{"number": number, "quarter": quarter} for number, quarter in quarters]
    wanted = batch(connection.dialect.name, key)
    # One look-up a value: joined, a database may read all readings of a year for each day of it.
    shown = [
        select(meter_readings.c[outcome])
        .where(
            meter_readings.c.account_id == account_id,
            meter_readings.c.number == wanted.c.number,
            meter_readings.c.quarter < wanted.c.quarter,
        )
        .order_by(meter_readings.c.quarter.desc())
        .limit(1)
        .scalar_subquery()
        for outcome in Outcome
    ]
    query = select(wanted.c.number, wanted.c.quarter, *shown)
    found = connection.execute(query, rows_of(connection, key, rows))
    return {
        (number, quarter): Usage(*(count or 0 for count in counts))
        for number, quarter, *counts in found
    }


def _within_quarter(connection: Connection, account_id: str, until_ms: int) -> dict[str, Usage]:
    """Count, by number, what began in a quarter of an hour before an instant of it."""
    # One look-up each way, as the index has them: for both at once SQLite reads the account's all.
    begun = union_all(
        *(
            select(calls.c.number, calls.c.outcome).where(
                calls.c.account_id == account_id,
                calls.c.direction == direction,
                calls.c.started_at_ms >= until_ms - until_ms % QUARTER_MS,
                calls.c.started_at_ms < until_ms,
            )
            for direction in Direction
        )
    )
    counts: dict[str, Usage] = defaultdict(Usage)
    # Counted here: to group them, a database may read another index, and all of it.
    for number, outcome in connection.execute(begun):
        for meter in (number, ALL_NUMBERS):
            counts[meter] += Usage(**{outcome: 1})
    return counts


def _numbers(connection: Connection, account_id: str) -> list[str]:
    """List the numbers that ever had a call: one look-up each, past all readings between."""
    mine = meter_readings.c.account_id == account_id
    number = meter_readings.c.number
    found = select(func.min(number).label("number")).where(mine).cte("found", recursive=True)
    following = select(func.min(number)).where(mine, number > found.c.number).scalar_subquery()
    found = found.union_all(select(following).where(found.c.number.is_not(None)))
    rows = connection.execute(select(found.c.number).where(found.c.number.is_not(None)))
    return [row.number for row in rows if row.number != ALL_NUMBERS]
