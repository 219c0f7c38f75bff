"""Making accounts follow the subscriptions at Stripe that drive them (R4).

An event only says that there is news (see telling.py). Here Stripe is asked how the subscription
stands, and the ledger is told, unless there were news meanwhile: so events that come twice, late,
out of order or at once all end in what Stripe said last.

Periods are the items' own, since API version 2025-03-31:
https://docs.stripe.com/changelog/basil/2025-03-31/deprecate-subscription-current-period-start-and-end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import stripe
from stripe import StripeClient, StripeError

from gatekeeper.domain.account import Account
from gatekeeper.domain.cycle import Interval
from gatekeeper.domain.subscription import (
    Plans,
    Subscription,
    SubscriptionItem,
    SubscriptionStatus,
    SubscriptionTerms,
    SubscriptionUnusable,
    terms_of,
)
from gatekeeper.jobs import subscription_task
from gatekeeper.ledger.errors import DrivenBySubscription, LedgerRefusal, UnknownAccount
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.payments.stripe_errors import describe

_INTERVALS: Final = {
    ("month", 1): Interval.MONTHLY,
    ("month", 12): Interval.YEARLY,
    ("year", 1): Interval.YEARLY,
}
#: How often a subscription is asked for again because there were news meanwhile.
_TRIES: Final = 5


class SubscriptionOutcome(StrEnum):
    """What a reading of a subscription came to."""

    APPLIED = "applied"
    SUPERSEDED = "superseded"  # news kept coming while Stripe was asked: still owed
    NOT_OWED = "not_owed"  # another run did it
    NOT_LINKED = "not_linked"  # no subscription drives the account


@dataclass(frozen=True, slots=True)
class SubscriptionResult:
    """The result of a job: which subscription was read, and its status."""

    outcome: SubscriptionOutcome
    subscription: str = ""
    status: str = ""


class SubscriptionUnreadable(Exception):
    """Stripe did not say how a subscription stands. The message has no word of Stripe's."""


def read_subscription(
    account_id: str, *, ledger: Ledger, stripe_api: StripeClient, plans: Plans
) -> SubscriptionResult:
    """Make an account follow its subscription, and strike the work off.

    Raises SubscriptionUnreadable, SubscriptionUnusable, SubscriptionTaken, and redis.RedisError;
    nothing is then changed, and it is still owed.
    """
    for _ in range(_TRIES):  # events come in bursts, while this asks
        result = _read_once(account_id, ledger, stripe_api, plans)
        if result.outcome is not SubscriptionOutcome.SUPERSEDED:
            break
    return result


def _read_once(
    account_id: str, ledger: Ledger, stripe_api: StripeClient, plans: Plans
) -> SubscriptionResult:
    task = subscription_task(account_id)
    mark = ledger.owed.mark(account_id, task)
    if mark is None:
        return SubscriptionResult(SubscriptionOutcome.NOT_OWED)
    subscription = _driver_of(account_id, ledger)
    if not subscription:
        ledger.owed.strike_owed(account_id, task, mark=mark)
        return SubscriptionResult(SubscriptionOutcome.NOT_LINKED)
    ledger.subscriptions.claim(subscription, account_id)
    try:
        terms = terms_of(fetch_subscription(stripe_api, subscription), plans)
    except StripeError as error:
        raise SubscriptionUnreadable(f"{subscription} cannot be read: {describe(error)}") from None
    applied = ledger.subscriptions.set_subscription(account_id, terms, mark=mark)
    outcome = SubscriptionOutcome.APPLIED if applied else SubscriptionOutcome.SUPERSEDED
    return SubscriptionResult(outcome, subscription, terms.status)


def _driver_of(account_id: str, ledger: Ledger) -> str:
    try:
        return ledger.accounts.account(account_id).subscription
    except UnknownAccount:
        return ""


def link_subscription(
    account: Account,
    subscription: str,
    *,
    ledger: Ledger,
    stripe_api: StripeClient,
    plans: Plans,
    by: str = "",
) -> SubscriptionTerms:
    """Let a subscription drive an account; doing it again reads the subscription again.

    Returns what it says. `by` is who does it. Raises DrivenBySubscription when another one drives
    the account, SubscriptionTaken when it drives another account, SubscriptionUnusable,
    stripe.StripeError, LedgerRefusal; nothing is then changed. What was claimed when this dies ends
    by itself.
    """
    if account.subscription not in ("", subscription):
        raise DrivenBySubscription(account.id, account.subscription)
    terms = terms_of(fetch_subscription(stripe_api, subscription), plans)
    if terms.status.is_final:
        raise SubscriptionUnusable(f"{subscription} is {terms.status}: nothing follows on it")
    ledger.subscriptions.claim(subscription, account.id)
    for _ in range(_TRIES):
        # From here on news of it are owed too: it is asked for once more, lest it has changed.
        mark = ledger.owed.note_owed(account.id, subscription_task(account.id))
        terms = terms_of(fetch_subscription(stripe_api, subscription), plans)
        if ledger.subscriptions.set_subscription(account.id, terms, mark=mark, link=True, by=by):
            return terms
    raise LedgerRefusal(f"{subscription} or {account.id} is being changed; try again in a moment")


def fetch_subscription(stripe_api: StripeClient, subscription: str) -> Subscription:
    """Ask Stripe for a subscription.

    Raises SubscriptionUnusable when there is none or it cannot be understood; stripe.StripeError
    when Stripe cannot be asked.
    """
    try:
        found = stripe_api.v1.subscriptions.retrieve(subscription)
    except stripe.InvalidRequestError as error:
        if error.error is None or error.error.code != "resource_missing":
            raise
        raise SubscriptionUnusable(f"there is no subscription {subscription}") from None
    try:
        return _read(found.to_dict())
    except (KeyError, TypeError, AttributeError, ValueError):
        raise SubscriptionUnusable(
            f"what Stripe says of {subscription} cannot be understood"
        ) from None


def _read(fields: Mapping[str, Any]) -> Subscription:
    items, cancel_at_s = fields["items"], fields["cancel_at"]
    if items["has_more"]:
        raise ValueError("it has more items than Stripe shows at once")
    return Subscription(
        id=fields["id"],
        status=SubscriptionStatus(fields["status"]),
        anchor_ms=_ms(fields["billing_cycle_anchor"]),
        items=tuple(map(_read_item, items["data"])),
        cancel_at_period_end=bool(fields["cancel_at_period_end"]),
        cancel_at_ms=None if cancel_at_s is None else _ms(cancel_at_s),
    )


def _read_item(fields: Mapping[str, Any]) -> SubscriptionItem:
    price = fields["price"]
    recurring = price["recurring"]
    return SubscriptionItem(
        price=price["id"],
        quantity=int(fields.get("quantity", 1)),  # metered prices have none
        interval=_INTERVALS.get((recurring["interval"], recurring["interval_count"])),
        start_ms=_ms(fields["current_period_start"]),
        end_ms=_ms(fields["current_period_end"]),
    )


def _ms(at_s: int) -> int:
    return int(at_s) * 1000
