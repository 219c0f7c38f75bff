"""Billing cycles: the period that contains an instant, from an anchor and an interval (R4).

Instants are whole milliseconds since 1970 in UTC, and so is all the arithmetic. A period starts on
the anchor's day of the month at the anchor's time of day, to the millisecond. In a month without
that day it starts on the month's last one: each start is reckoned from the anchor itself, never
from the start before it, so January 31 is followed by February 28 or 29 and then by March 31.
Stripe reckons in the same way: https://docs.stripe.com/billing/subscriptions/billing-cycle.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

_DAY_MS: Final = 24 * 60 * 60 * 1000
_EPOCH: Final = date(1970, 1, 1)
#: Anchors and instants lie in these years; a period around one may begin in 1969 or end in 9999.
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 9998
_END_MS: Final = (date(_LAST_YEAR + 1, 1, 1) - _EPOCH).days * _DAY_MS


class Interval(StrEnum):
    """How often a new period starts."""

    MONTHLY = "monthly"
    YEARLY = "yearly"


_MONTHS: Final = {Interval.MONTHLY: 1, Interval.YEARLY: 12}


@dataclass(frozen=True, slots=True)
class Period:
    """One period of a cycle: from `start_ms`, included, to `end_ms`, where the next one starts.

    `index` counts periods from the anchor: 0 starts at it, negative ones lie before it.
    """

    index: int
    start_ms: int
    end_ms: int


def period_of(anchor_ms: int, interval: Interval, at_ms: int) -> Period:
    """Find the period that contains an instant, which may lie before the anchor.

    Raises ValueError unless both instants lie in the years 1970 to 9998.
    """
    _check_instant(anchor_ms)
    _check_instant(at_ms)
    months, anchor_month = _MONTHS[interval], _month_of(anchor_ms)
    index = (_month_of(at_ms) - anchor_month) // months
    # The last period that starts in the instant's month or an earlier one. If it starts in the
    # instant's own month, it may yet start after the instant.
    if _start_in(anchor_month + index * months, anchor_ms) > at_ms:
        index -= 1
    return period_at(anchor_ms, interval, index)


def period_at(anchor_ms: int, interval: Interval, index: int) -> Period:
    """Find the period with this index.

    Raises ValueError unless the anchor lies in the years 1970 to 9998, and for a period that ends
    before 1970 or starts after 9998.
    """
    _check_instant(anchor_ms)
    months = _MONTHS[interval]
    start_month = _month_of(anchor_ms) + index * months
    end_month = start_month + months
    if end_month < _FIRST_YEAR * 12 or start_month >= (_LAST_YEAR + 1) * 12:
        raise ValueError(f"a period must touch the years {_FIRST_YEAR} to {_LAST_YEAR}")
    return Period(index, _start_in(start_month, anchor_ms), _start_in(end_month, anchor_ms))


def anchor_of(day: date) -> int:
    """Find the instant at which a day begins in UTC, to anchor a cycle on it.

    Not in the account's time zone: periods are clamped by the days of the UTC calendar, and east of
    Greenwich a local midnight lies on the day before. The first of the month would move about.

    Raises ValueError unless the day lies in the years 1970 to 9998.
    """
    anchor_ms = (day - _EPOCH).days * _DAY_MS
    _check_instant(anchor_ms)
    return anchor_ms


def _check_instant(at_ms: int) -> None:
    if not 0 <= at_ms < _END_MS:
        raise ValueError(f"an instant must lie in the years {_FIRST_YEAR} to {_LAST_YEAR}")


def _month_of(at_ms: int) -> int:
    """Count the months from January of the year 0 to the instant's own."""
    day = _EPOCH + timedelta(days=at_ms // _DAY_MS)
    return day.year * 12 + day.month - 1


def _start_in(month: int, anchor_ms: int) -> int:
    """Find the start that falls in a month: the anchor's day, clamped, at its time of day."""
    anchor_days, time_of_day_ms = divmod(anchor_ms, _DAY_MS)
    anchor_day = _EPOCH + timedelta(days=anchor_days)
    year, month_index = divmod(month, 12)
    _, last_day = calendar.monthrange(year, month_index + 1)
    start = date(year, month_index + 1, min(anchor_day.day, last_day))
    return (start - _EPOCH).days * _DAY_MS + time_of_day_ms
