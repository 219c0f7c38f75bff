"""Subscriptions at Stripe: what the one that drives an account entitles it to (R4).

What every status means: https://docs.stripe.com/billing/subscriptions/overview#subscription-statuses.
`paused` stops the service, and the periods with it: https://docs.stripe.com/billing/subscriptions/pause.
One whose collection alone is paused stays active, and its customer keeps the service whatever
becomes of the invoices; so `pause_collection` is not looked at:
https://docs.stripe.com/billing/subscriptions/pause-payment. Nor is what is only planned, a schedule
or a pending update: it counts once Stripe has made it so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gatekeeper.domain.account import MAX_CREDITS
from gatekeeper.domain.cycle import Interval


class SubscriptionStatus(StrEnum):
    """How a subscription stands, in Stripe's words."""

    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    UNPAID = "unpaid"
    CANCELED = "canceled"
    INCOMPLETE = "incomplete"
    INCOMPLETE_EXPIRED = "incomplete_expired"
    PAUSED = "paused"

    @property
    def is_final(self) -> bool:
        """Whether nothing follows on it."""
        return self in (self.CANCELED, self.INCOMPLETE_EXPIRED)

    @property
    def has_periods(self) -> bool:
        """Whether a new period follows on the current one, paid or not."""
        return self in (self.TRIALING, self.ACTIVE, self.PAST_DUE, self.UNPAID)


_ID: Final = re.compile(r"sub_[A-Za-z0-9_]{1,100}")


def is_subscription_id(text: str) -> bool:
    """Tell whether a text has the shape of a subscription's id."""
    return _ID.fullmatch(text) is not None


class SubscriptionUnusable(ValueError):
    """A subscription cannot drive an account; the message says why in one line."""


@dataclass(frozen=True, slots=True)
class SubscriptionItem:
    """One price of a subscription, how many times, and its current period, ms since the epoch.

    `interval` is None when it is neither a month nor a year.
    """

    price: str
    quantity: int
    interval: Interval | None
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription as Stripe has it at one instant. Periods are counted from `anchor_ms`."""

    id: str
    status: SubscriptionStatus
    anchor_ms: int
    items: tuple[SubscriptionItem, ...]
    cancel_at_period_end: bool
    cancel_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Plans:
    """What prices at Stripe stand for: the allotment of a period, by the price's id.

    `past_due_keeps_allotment`: whether an account keeps it while Stripe still tries to be paid.
    """

    allotments: Mapping[str, int]
    past_due_keeps_allotment: bool = True

    def entitles(self, status: SubscriptionStatus) -> bool:
        """Tell whether a status entitles to an allotment."""
        if status is SubscriptionStatus.PAST_DUE:
            return self.past_due_keeps_allotment
        return status in (SubscriptionStatus.TRIALING, SubscriptionStatus.ACTIVE)


@dataclass(frozen=True, slots=True)
class SubscriptionTerms:
    """What a subscription says of the account that it drives.

    `end_ms` is None when no period follows on this one. `allotment` is that of this period and
    `next_allotment` that of the next, as far as is known now. What an account has left of an
    allotment that it is not `entitled` to by the status is withheld.
    """

    id: str
    status: SubscriptionStatus
    anchor_ms: int
    interval: Interval
    start_ms: int
    end_ms: int | None
    allotment: int
    next_allotment: int
    entitled: bool


def terms_of(subscription: Subscription, plans: Plans) -> SubscriptionTerms:
    """Read the terms. Raises SubscriptionUnusable.

    Prices that are not among the plans count for nothing; but one of an entitled subscription must
    be among them, for a price that was forgotten would take the customer's calls away.
    """
    entitled = plans.entitles(subscription.status)
    items = [item for item in subscription.items if item.price in plans.allotments]
    if entitled and not items:
        prices = ", ".join(item.price for item in subscription.items) or "none"
        raise SubscriptionUnusable(
            f"{subscription.id}: no price of it is in PLANS ({prices}); add it there, then restart"
            " web and upkeep"
        )
    interval, start_ms, end_ms = _period_of(subscription, items or subscription.items)
    allotment = sum(plans.allotments[item.price] * item.quantity for item in items)
    if allotment > MAX_CREDITS:
        raise SubscriptionUnusable(f"{subscription.id}: its allotment passes {MAX_CREDITS:,}")
    allotment = allotment if entitled else 0
    canceled_at_ms = subscription.cancel_at_ms
    ends = subscription.cancel_at_period_end or (
        canceled_at_ms is not None and canceled_at_ms <= end_ms
    )
    return SubscriptionTerms(
        id=subscription.id,
        status=subscription.status,
        anchor_ms=subscription.anchor_ms,
        interval=interval,
        start_ms=start_ms,
        end_ms=end_ms if subscription.status.has_periods else None,
        allotment=allotment,
        next_allotment=0 if ends else allotment,
        entitled=entitled,
    )


def _period_of(
    subscription: Subscription, items: Sequence[SubscriptionItem]
) -> tuple[Interval, int, int]:
    periods = {(item.interval, item.start_ms, item.end_ms) for item in items}
    interval, start_ms, end_ms = periods.pop() if periods else (None, 0, 0)
    if subscription.status.is_final:  # none follows, so nothing hinders the end
        return interval or Interval.MONTHLY, start_ms, end_ms
    if periods:
        raise SubscriptionUnusable(f"{subscription.id}: its items have different periods")
    if interval is None:
        raise SubscriptionUnusable(f"{subscription.id}: its periods are not a month or a year")
    return interval, start_ms, end_ms


_PLAN_WORDS: Final = "must be prices with their allotments, such as price_123=500,price_456=2000"


def parse_plans(text: str) -> dict[str, int]:
    """Read `price_123=500,price_456=2000`. Raises ValueError."""
    allotments: dict[str, int] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        price, equals, number = (part.strip() for part in pair.partition("="))
        if not (equals and price.isprintable() and price and number.isdecimal()):
            raise ValueError(_PLAN_WORDS)
        if not number.isascii() or int(number) > MAX_CREDITS:
            raise ValueError(f"an allotment must be a whole number from 0 to {MAX_CREDITS:,}")
        if price in allotments:
            raise ValueError("names a price twice")
        allotments[price] = int(number)
    return allotments
