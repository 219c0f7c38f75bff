"""What an account used of late: what forecasts and suggestions go by."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy import Engine

from gatekeeper.domain.phrasing import zone_of
from gatekeeper.history.usage import local_date, midnight_ms, usage_by_day

#: Enough to see whether an account was used before the two weeks that a forecast goes by.
_DAYS: Final = 28


def recent_use(engine: Engine, account_id: str, timezone: str, now_ms: int) -> list[int]:
    """Count the credits of each of the last whole days of a zone, oldest first.

    Raises sqlalchemy.exc.SQLAlchemyError.
    """
    zone = zone_of(timezone)
    today = local_date(zone, now_ms)
    since_ms = midnight_ms(zone, today - timedelta(days=_DAYS))
    until_ms = midnight_ms(zone, today)
    days = usage_by_day(engine, account_id, zone, since_ms, until_ms)
    return [day.usage.credits for day in days]
