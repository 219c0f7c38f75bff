"""When a card expires, and whether that is soon enough to say so."""

from __future__ import annotations

import calendar
import re
from datetime import date
from enum import StrEnum
from typing import Final

#: So many days before its last one a card is said to expire soon.
SOON_DAYS: Final = 60

_EXPIRY: Final = re.compile(r"(0[1-9]|1[0-2])/([0-9]{4})")


class CardExpiry(StrEnum):
    """How near a card's end is."""

    UNKNOWN = "unknown"
    FAR = "far"
    SOON = "soon"
    PAST = "past"


def expiry_of(expiry: str, today: date) -> CardExpiry:
    """Tell how near the end of a card is that is good through the month `MM/YYYY`."""
    match = _EXPIRY.fullmatch(expiry)
    if match is None or int(match[2]) == 0:
        return CardExpiry.UNKNOWN
    month, year = int(match[1]), int(match[2])
    last_day = date(year, month, calendar.monthrange(year, month)[1])
    days_left = (last_day - today).days
    if days_left < 0:
        return CardExpiry.PAST
    return CardExpiry.SOON if days_left <= SOON_DAYS else CardExpiry.FAR
