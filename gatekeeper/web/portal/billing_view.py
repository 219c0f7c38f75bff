"""What the Billing tab shows, gathered: from the ledger what is true now, from history the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from gatekeeper.domain.account import Account
from gatekeeper.domain.forecast import Supply, forecast
from gatekeeper.domain.incident import Incident
from gatekeeper.domain.money import format_minor
from gatekeeper.domain.phrasing import count_credits, zone_of
from gatekeeper.domain.topoff import Topoff
from gatekeeper.history.drops import count_drops
from gatekeeper.history.engine import describe_sql_error
from gatekeeper.history.meter import NOTHING, Usage
from gatekeeper.history.queries import BadCursor, statement_page
from gatekeeper.history.usage import (
    DayUsage,
    NumberUsage,
    local_date,
    midnight_ms,
    usage_by_day,
    usage_by_number,
)
from gatekeeper.ledger.errors import UnknownTopoff
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.web.portal.billing_words import (
    NoteWords,
    allotment_label,
    allotment_note,
    balance_words,
    cap_sentence,
    card_words,
    forecast_sentence,
    purchased_note,
    reset_sentence,
    topoff_sentence,
)
from gatekeeper.web.portal.call_words import DROPPED_OTHERWISE
from gatekeeper.web.portal.charts import BarChart, bar_chart
from gatekeeper.web.portal.cycles import Cycle, cycles_of
from gatekeeper.web.portal.freshness import read_up_to_ms
from gatekeeper.web.portal.recent_use import recent_use
from gatekeeper.web.portal.statement import StatementLine, statement_line

_LINES: Final = 20
_DAY_MS: Final = 86_400_000

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Standing:
    """How an account stands now. `incident` is the open one, `topoff` the one in flight."""

    account: Account
    incident: Incident | None
    topoff: Topoff | None
    cycle: Cycle
    price_minor: int
    currency: str
    now_ms: int

    @property
    def is_over(self) -> bool:
        """Whether the ledger still holds a period that has ended: the next call turns it (R4)."""
        end_ms = self.account.cycle_end_ms
        return end_ms is not None and self.now_ms >= end_ms

    @property
    def balance_words(self) -> NoteWords:
        """What the balance means for calls."""
        return balance_words(self.account)

    @property
    def purchased_note(self) -> str:
        """What purchased credits are, or that they are overdrawn."""
        return purchased_note(self.account)

    @property
    def allotment_label(self) -> str:
        """What the allotment is called."""
        return allotment_label(self.account)

    @property
    def allotment_note(self) -> str:
        """What the allotment is, or why there is none."""
        return allotment_note(self.account)

    @property
    def allotment_granted(self) -> int:
        """How much of it there was to use in this period."""
        return self.account.granted - self.account.withheld

    @property
    def allotment_used(self) -> int:
        """How much of it was used."""
        return self.allotment_granted - self.account.allotment

    @property
    def reset_sentence(self) -> str:
        """When the allotment is set anew; "" when it is not."""
        if self.account.cycle_end_ms is None:
            return ""
        if self.is_over:
            return "It resets with the next call."
        days_left = self.cycle.days_left(self.now_ms, self.account.timezone)
        return reset_sentence(self.account, self.cycle.end_ms, days_left)

    @property
    def charge(self) -> str:
        """How much the charge in flight is, or will be."""
        if self.topoff is None:
            return ""
        if self.topoff.amount_minor is None:
            return format_minor(self.topoff.credits * self.price_minor, self.currency)
        return format_minor(self.topoff.amount_minor, self.topoff.currency)

    @property
    def retry_sentence(self) -> str:
        """What a retry of the failed charge charges: what is set now, whatever it was then."""
        amount = self.account.topoff.amount
        price = format_minor(amount * self.price_minor, self.currency)
        charge = f"{price} for {count_credits(amount)} to your {card_words(self.account)}"
        if self._is_as_failed:
            return f"A retry charges {charge}."
        return f"Your settings or the price have changed since: a retry charges {charge}."

    @property
    def _is_as_failed(self) -> bool:
        failed, amount = self.incident, self.account.topoff.amount
        if failed is None or failed.credits != amount:
            return False
        charged = (amount * self.price_minor, self.currency)
        return failed.amount_minor is None or (failed.amount_minor, failed.currency) == charged

    @property
    def topoff_sentence(self) -> str:
        """What auto top-off is set to."""
        price = format_minor(self.account.topoff.amount * self.price_minor, self.currency)
        return topoff_sentence(self.account, price)

    @property
    def cap_sentence(self) -> str:
        """How much of the spending cap is used; "" where there is none."""
        spent_minor = self.account.spent_minor_at(self.now_ms)
        return cap_sentence(self.account, spent_minor, self.currency, self.cycle.end_ms)


@dataclass(frozen=True, slots=True)
class CycleUse:
    """What was used in one cycle, up to now if it is the current one.

    `dropped_otherwise` of its calls were dropped although the balance was not empty.
    """

    by_day: Sequence[DayUsage]
    by_number: Sequence[NumberUsage]
    dropped_otherwise: int

    @property
    def total(self) -> Usage:
        """All days together."""
        return sum((day.usage for day in self.by_day), NOTHING)

    @property
    def chart(self) -> BarChart:
        """Credits by day."""
        return bar_chart([(_short(day), day.usage.credits) for day in self.by_day])

    @property
    def span(self) -> str:
        """From which day to which: "from Nov 1 to Nov 22"."""
        first, last = _short(self.by_day[0]), _short(self.by_day[-1])
        return f"on {first}" if first == last else f"from {first} to {last}"

    @property
    def description(self) -> str:
        """The chart in a sentence."""
        if not self.total.credits:
            return "No credits were used."
        most = max(self.by_day, key=lambda day: day.usage.credits)
        used = count_credits(self.total.credits)
        return f"{used} {self.span}, most on {_short(most)} with {most.usage.credits:,}."


@dataclass(frozen=True, slots=True)
class Past:
    """What history tells. `up_to_ms` is until when, if it is noticeably behind.

    `forecast` says how long credits last, "" when there is too little to go by.
    """

    use: CycleUse
    lines: Sequence[StatementLine]
    older: str | None
    forecast: str
    up_to_ms: int | None


def read_standing(
    ledger: Ledger, account: Account, *, standard_price: int, currency: str, now_ms: int
) -> Standing:
    """Read what the ledger knows. `standard_price` is that of a credit, in minor units.

    Raises redis.RedisError.
    """
    return Standing(
        account=account,
        incident=ledger.incidents.open_incident(account.id) if account.incident_id else None,
        topoff=_in_flight(ledger, account),
        cycle=cycles_of(account, now_ms)[0],
        price_minor=account.price_minor or standard_price,
        currency=currency,
        now_ms=now_ms,
    )


def _in_flight(ledger: Ledger, account: Account) -> Topoff | None:
    try:
        return ledger.topoffs.topoff(account.topoff_id) if account.topoff_id else None
    except UnknownTopoff:  # a record that was lost must not take the page with it
        return None


def read_past(
    engine: Engine, ledger: Ledger, standing: Standing, cycle: Cycle, after: str | None
) -> Past | None:
    """Read what history knows of a cycle, and a page of the statement.

    None when its database cannot be asked now. Raises redis.RedisError.
    """
    up_to_ms = read_up_to_ms(ledger, standing.now_ms)
    try:
        lines, older = _read_lines(engine, standing.account.id, after)
        return Past(
            use=_read_use(engine, standing, cycle),
            lines=lines,
            older=older,
            forecast=_read_forecast(engine, standing),
            up_to_ms=up_to_ms,
        )
    except SQLAlchemyError as error:
        _log.warning("portal_without_history", error=describe_sql_error(error))
        return None


def _read_lines(
    engine: Engine, account_id: str, after: str | None
) -> tuple[list[StatementLine], str | None]:
    try:
        page = statement_page(engine, account_id, after=after, limit=_LINES)
    except BadCursor:  # an address that somebody typed
        page = statement_page(engine, account_id, limit=_LINES)
    return [statement_line(entry) for entry in page.items], page.next


def _read_use(engine: Engine, standing: Standing, cycle: Cycle) -> CycleUse:
    account = standing.account
    zone = zone_of(account.timezone)
    # Before the day on which the account was opened there is nothing to chart.
    opened_ms = midnight_ms(zone, local_date(zone, account.created_at_ms))
    since_ms = max(cycle.start_ms, opened_ms)
    until_ms = max(since_ms, min(cycle.end_ms, standing.now_ms))
    return CycleUse(
        usage_by_day(engine, account.id, zone, since_ms, until_ms),
        usage_by_number(engine, account.id, since_ms, until_ms),
        count_drops(engine, account.id, DROPPED_OTHERWISE, since_ms, until_ms),
    )


def _read_forecast(engine: Engine, standing: Standing) -> str:
    account, cycle = standing.account, standing.cycle
    # Nothing is left to last, no call uses any, or what there is will have been set anew.
    if account.balance <= 0 or account.suspended or standing.is_over:
        return ""
    renews = account.cycle_end_ms is not None
    supply = Supply(
        allotment=account.allotment,
        purchased=account.purchased,
        allotment_size=account.allotment_size,
        days_to_reset=(cycle.end_ms - standing.now_ms) / _DAY_MS if renews else None,
        period_days=(cycle.end_ms - cycle.start_ms) / _DAY_MS,
    )
    used = recent_use(engine, account.id, account.timezone, standing.now_ms)
    told = forecast(used, supply)
    return "" if told is None else forecast_sentence(told, account.interval)


def _short(day: DayUsage) -> str:
    return f"{day.day:%b} {day.day.day}"
