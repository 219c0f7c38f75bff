"""Counts and moments as people read them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo


def count_credits(count: int) -> str:
    """Write a number of credits: "1 credit", "1,200 credits"."""
    return f"{count:,} credit" if abs(count) == 1 else f"{count:,} credits"


def zone_of(timezone: str) -> ZoneInfo:
    """Find a time zone by its IANA name; UTC, which is then shown, for one that isn't known."""
    try:
        return ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):  # unknown, misshapen, a folder of zones
        return ZoneInfo("UTC")


def local_moment(at_ms: int, timezone: str) -> datetime:
    """Read a moment in milliseconds since 1970 as a clock on the wall there shows it."""
    return datetime.fromtimestamp(at_ms / 1000, zone_of(timezone))


def write_moment(at_ms: int, timezone: str) -> str:
    """Write a moment with the zone's abbreviation and name: both, as either alone misleads."""
    at = local_moment(at_ms, timezone)
    zone = zone_of(timezone)
    abbreviation = at.strftime("%Z")
    if not abbreviation.isalpha():  # many zones have only an offset, such as "-03"
        abbreviation = f"UTC{abbreviation}"
    written = f"{at:%B} {at.day}, {at:%Y, %H:%M} {abbreviation}"
    return written if abbreviation == zone.key else f"{written} ({zone.key})"
