"""Jinja filters: money, counts and moments as the portal writes them."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Flask
from markupsafe import Markup

from gatekeeper.domain.money import format_minor
from gatekeeper.domain.phrasing import count_credits, local_moment, write_moment

_MINUS = "\N{MINUS SIGN}"


def install_formats(app: Flask) -> None:
    """Give an application's templates these filters."""
    app.jinja_env.filters |= {
        "count": write_count,
        "credits": write_credits,
        "day": write_day,
        "moment": write_moment_tag,
        "money": write_money,
        "percent": write_percent,
        "signed": write_signed,
    }


def write_count(number: int) -> str:
    """Write a whole number: "1,200", "-35" with a true minus."""
    return f"{number:,}".replace("-", _MINUS)


def write_credits(count: int) -> str:
    """Write a number of credits as `count_credits` does, with a true minus."""
    return count_credits(count).replace("-", _MINUS)


def write_money(amount_minor: int, currency: str) -> str:
    """Write an amount as `format_minor` does, with a true minus."""
    return format_minor(amount_minor, currency).replace("-", _MINUS)


def write_signed(number: int) -> str:
    """Write a change with its sign: "+200", "-1" with a true minus, "0"."""
    return f"{number:+,}".replace("-", _MINUS) if number else "0"


def write_percent(part: int, whole: int) -> str:
    """Write a part of a whole, which is above zero, in percent; it is never rounded up to all."""
    percent = 100 * part // whole
    return "less than 1%" if part > 0 and percent == 0 else f"{percent}%"


def write_day(at_ms: int, timezone: str) -> str:
    """Write the date of a moment in an IANA time zone: "Nov 3, 2026"."""
    at = local_moment(at_ms, timezone)
    return f"{at:%b} {at.day}, {at:%Y}"


def write_minute(at_ms: int, timezone: str) -> str:
    """Write a moment in an IANA time zone: "Nov 3, 2026, 11:15"."""
    return f"{write_day(at_ms, timezone)}, {local_moment(at_ms, timezone):%H:%M}"


def write_moment_tag(at_ms: int, timezone: str) -> Markup:
    """Write a moment as `<time>`, to the minute, with the zone in its title."""
    exact = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        exact, write_moment(at_ms, timezone), write_minute(at_ms, timezone)
    )
