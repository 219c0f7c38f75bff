"""Values that several commands take."""

from __future__ import annotations

import getpass
import os
from datetime import date, datetime
from typing import Any, Final

import click

from gatekeeper.domain.account import MAX_CREDITS, InvalidSettings, is_account_id
from gatekeeper.domain.cycle import Interval, anchor_of, period_of
from gatekeeper.ledger.store import wall_clock_ms


class AccountId(click.ParamType[str]):
    """The id of an account, as the ledger builds keys from it."""

    name = "account"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ARG002 - click's signature
        """Return the value, if it has an account id's shape. Raises InvalidSettings."""
        text = str(value)
        if not is_account_id(text):
            raise InvalidSettings(
                {
                    "account id": "must be acct_ and 12 letters or digits,"
                    " as `gatekeeper account list` shows it"
                }
            )
        return text


account_argument: Final = click.argument("account_id", metavar="ID", type=AccountId())

CREDITS: Final = click.IntRange(1, MAX_CREDITS)
CREDITS_OR_NONE: Final = click.IntRange(0, MAX_CREDITS)
#: Written for a number, to go back to what holds without one.
DEFAULT: Final = "default"
MAX_NAME_CHARS: Final = 80
_DAY_SHAPE: Final = "YYYY-MM-DD, such as 2026-01-31"


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        return f"user {os.getuid()}"


def _checked_name(_context: click.Context, _option: click.Parameter, value: str) -> str:
    name = value.strip()
    if not 1 <= len(name) <= MAX_NAME_CHARS or not name.isprintable():
        raise InvalidSettings({"by": f"must be 1 to {MAX_NAME_CHARS} printable characters"})
    return name


by_option: Final = click.option(
    "--by",
    default=_user_name,
    show_default="the user of this system",
    callback=_checked_name,
    help="Who does this: it stands in the account's log.",
)


class Day(click.ParamType[date]):
    """A day of the calendar."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Read the value; fails as click's own types do."""
        at = _read_moment(value, "%Y-%m-%d")
        if at is None:
            self.fail(f"{value!r} is no day; write {_DAY_SHAPE}", param, ctx)
        try:
            anchor_of(at.date())
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return at.date()


class Anchor(click.ParamType[int]):
    """A day, which begins at midnight UTC, or an instant with its offset; as ms since the epoch."""

    name = "date"
    _FORMATS = ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the value; fails as click's own types do."""
        at = _read_moment(value, *self._FORMATS)
        if at is None:
            self.fail(
                f"{value!r} is no day and no instant; write {_DAY_SHAPE}, or"
                " 2026-01-31T09:00:00-05:00",
                param,
                ctx,
            )
        try:
            anchor_ms = anchor_of(at.date()) if at.tzinfo is None else int(at.timestamp() * 1000)
            period_of(anchor_ms, Interval.MONTHLY, wall_clock_ms())
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return anchor_ms


def _read_moment(value: Any, *formats: str) -> datetime | None:
    """Read a moment in one of these formats; None when it is in none, or not in the calendar."""
    try:
        moment: datetime = click.DateTime(formats).convert(value, None, None)
    except click.BadParameter:
        return None
    return moment


anchor_option: Final = click.option(
    "--anchor",
    "anchor_ms",
    type=Anchor(),
    help="A day on which a cycle begins (00:00 UTC), or an instant: 2026-01-31T09:00:00-05:00.",
)
interval_option: Final = click.option(
    "--interval",
    type=click.Choice([interval.value for interval in Interval]),
    callback=lambda _context, _option, value: Interval(value) if value else None,
    help="How often the allotment is set anew.",
)


class NumberOrDefault(click.ParamType[int | str]):
    """A whole number from `least` to `most`, or the word `default`."""

    name = "number|default"

    def __init__(self, least: int, most: int) -> None:
        self._range = click.IntRange(least, most)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """Read the value; fails as click's own types do."""
        if value == DEFAULT:
            return DEFAULT
        return self._range.convert(value, param, ctx)
