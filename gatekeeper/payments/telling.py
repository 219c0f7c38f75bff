"""Tells the ledger what Stripe's events say.

Events may come twice, late, and in any order. Of charges, the first that ends a top-off wins: a
PaymentIntent is stored before it is confirmed, so its success always finds its top-off. Of
anything else, purchases too, an event only says that there is news. The ledger then owes a job,
which asks Stripe how things stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from gatekeeper.domain.checkout import CheckoutMode
from gatekeeper.jobs import card_task, correction_task, subscription_task
from gatekeeper.ledger.checkouts import Checkouts, Noted
from gatekeeper.ledger.errors import PaymentMismatch, UnknownAccount, UnknownTopoff
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.topoffs import Failed, Settled, Topoffs
from gatekeeper.payments.events import (
    PROCESSING,
    SUCCEEDED,
    ChangedCustomer,
    ChangedSubscription,
    CorrectedPayment,
    StripeEvent,
    VisitedCheckout,
)
from gatekeeper.payments.intents import Intent
from gatekeeper.payments.outcomes import fail, failure_of


class EventOutcome(StrEnum):
    """What an event changed."""

    CREDITED = "credited"
    FAILED = "failed"
    REPEATED = "repeated"  # known before
    PENDING = "pending"  # Stripe is not done
    OWED = "owed"  # a job will look into it
    IGNORED = "ignored"  # nothing to us
    UNKNOWN_ACCOUNT = "unknown_account"  # of a purchase or card for nobody whom this ledger has
    UNKNOWN_TOPOFF = "unknown_topoff"  # about a top-off that this ledger does not have
    STRAY = "stray"  # a failure of a PaymentIntent that its top-off does not count
    MISMATCH = "mismatch"  # money that does not fit its top-off: someone must look


def apply_event(event: StripeEvent, ledger: Ledger, *, price_minor: int) -> EventOutcome:
    """Tell the ledger what an event says. `price_minor` is the default price of a credit.

    Raises redis.RedisError when it cannot be told.
    """
    match event.about:
        case Intent() as intent if event.is_about_topoff:
            return _tell_of_charge(event.type, intent, ledger.topoffs, price_minor)
        case Intent(id=paid_by, purchase_id=purchase) as intent if intent.is_about_purchase:
            if event.type == SUCCEEDED:  # until then the page tells whoever pays
                news = VisitedCheckout(purchase, CheckoutMode.PAYMENT, "")
                return _tell_of_visit(news, ledger.checkouts, paid_by)
        case VisitedCheckout() as news:
            return _tell_of_visit(news, ledger.checkouts)
        case CorrectedPayment() | ChangedSubscription() | ChangedCustomer() as news:
            return _owe_a_look(news, ledger)
    return EventOutcome.IGNORED


def _tell_of_charge(
    event_type: str, intent: Intent, topoffs: Topoffs, price_minor: int
) -> EventOutcome:
    if event_type == PROCESSING:
        return EventOutcome.PENDING
    try:
        if event_type == SUCCEEDED:
            return _settle(topoffs, intent, price_minor)
        return _fail(topoffs, intent)
    except (UnknownTopoff, UnknownAccount):
        return EventOutcome.UNKNOWN_TOPOFF


def _settle(topoffs: Topoffs, intent: Intent, price_minor: int) -> EventOutcome:
    try:
        settled = topoffs.settle_topoff(intent.topoff_id, intent.payment, price_minor=price_minor)
    except PaymentMismatch:
        return EventOutcome.MISMATCH
    return EventOutcome.CREDITED if settled is Settled.SETTLED else EventOutcome.REPEATED


def _fail(topoffs: Topoffs, intent: Intent) -> EventOutcome:
    failure = failure_of(intent)
    if failure is None:
        return EventOutcome.IGNORED
    try:
        failed = fail(topoffs, intent.topoff_id, intent.id, failure)
    except PaymentMismatch:
        return EventOutcome.STRAY
    return EventOutcome.REPEATED if failed is Failed.REPEATED else EventOutcome.FAILED


def _tell_of_visit(
    news: VisitedCheckout, checkouts: Checkouts, payment_intent: str = ""
) -> EventOutcome:
    try:
        noted = checkouts.note_checkout(
            news.id, news.mode, session=news.session, payment_intent=payment_intent
        )
    except UnknownAccount:
        return EventOutcome.UNKNOWN_ACCOUNT
    return _NOTED[noted]


_NOTED: Final = {
    Noted.OWED: EventOutcome.OWED,
    Noted.FINISHED: EventOutcome.REPEATED,
    Noted.UNKNOWN: EventOutcome.IGNORED,
}


def _owe_a_look(
    news: CorrectedPayment | ChangedSubscription | ChangedCustomer, ledger: Ledger
) -> EventOutcome:
    looks = list(_looks_at(news, ledger))
    for subject, task in looks:
        ledger.owed.note_owed(subject, task)
    return EventOutcome.OWED if looks else EventOutcome.IGNORED


def _looks_at(
    news: CorrectedPayment | ChangedSubscription | ChangedCustomer, ledger: Ledger
) -> Iterator[tuple[str, str]]:
    """Yield the subjects that news are of, each with the task of looking into it."""
    match news:
        case CorrectedPayment(payment_intent):
            yield payment_intent, correction_task(payment_intent)
        case ChangedSubscription(subscription):
            account_id = ledger.subscriptions.account_of(subscription)
            if account_id is not None:
                yield account_id, subscription_task(account_id)
        case ChangedCustomer(customer):
            for account_id in ledger.customers.accounts_of(customer):
                yield account_id, card_task(account_id)
