"""The periods of a subscription: counted from its anchor, in UTC, clamped to short months.

The n-th period of a monthly price begins n months after the anchor on the anchor's day, or on the
last day of a month that is too short for it. An anchor on 31 January gives 28 or 29 February and
then 31 March: the clamping never carries over.

Source: https://docs.stripe.com/billing/subscriptions/billing-cycle.
"""

from calendar import monthrange
from datetime import UTC, datetime
from typing import Final

from gatekeeper.sandbox.stripe.errors import Json

_DAY_S: Final = 24 * 60 * 60
_DAYS: Final = {"day": 1, "week": 7}
_MONTHS: Final = {"month": 1, "year": 12}
_LONGEST_S: Final = {
    "day": _DAY_S,
    "week": 7 * _DAY_S,
    "month": 31 * _DAY_S,
    "year": 366 * _DAY_S,
}


def boundary(anchor_s: int, recurring: Json, number: int) -> int:
    """Return when the period with this number begins; the one with number 0 begins at the anchor.

    `recurring` is that of a price: an interval and how many of them make a period.
    """
    interval = recurring["interval"]
    steps: int = number * recurring["interval_count"]
    if interval in _DAYS:
        return anchor_s + steps * _DAYS[interval] * _DAY_S
    anchor = datetime.fromtimestamp(anchor_s, UTC)
    months = anchor.year * 12 + anchor.month - 1 + steps * _MONTHS[interval]
    year, month = months // 12, months % 12 + 1
    day = min(anchor.day, monthrange(year, month)[1])
    return int(anchor.replace(year=year, month=month, day=day).timestamp())


def next_boundary(anchor_s: int, recurring: Json, after_s: int) -> int:
    """Return when the first period begins after a moment; none begins before the anchor."""
    longest_s = _LONGEST_S[recurring["interval"]] * recurring["interval_count"]
    number = max(0, (after_s - anchor_s) // longest_s)
    while boundary(anchor_s, recurring, number) <= after_s:
        number += 1
    return boundary(anchor_s, recurring, number)
