"""Correcting an account's credits when money of a payment went back, or came again (R13).

An event only says that there is news (see telling.py). Here Stripe is asked how the payment stands
as a whole, and the ledger makes the credits follow: whatever runs twice, late, at once or after a
crash ends in the same balance.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stripe import StripeClient

from gatekeeper.domain.checkout import Checkout, CheckoutState
from gatekeeper.domain.topoff import Topoff, TopoffState
from gatekeeper.jobs import correction_task
from gatekeeper.ledger.checkouts import PaidPurchase
from gatekeeper.ledger.corrections import CreditedPayment
from gatekeeper.ledger.errors import UnknownAccount, UnknownPurchase, UnknownTopoff
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.payments.checkout_sessions import read_standing
from gatekeeper.payments.intents import Intent
from gatekeeper.payments.reversals import read_payment, read_reversals


class CorrectionOutcome(StrEnum):
    """What a run came to."""

    CLAWED_BACK = "clawed_back"  # money went back: auto top-off is off
    RETURNED = "returned"
    UNCHANGED = "unchanged"  # nothing new, or nothing that is worth a credit
    NOT_CREDITED = "not_credited"  # this payment gave no credits
    NOT_OURS = "not_ours"  # of another product, or of an account that is not here


@dataclass(frozen=True, slots=True)
class CorrectionResult:
    """The result of a job: by how many credits whose balance changed."""

    outcome: CorrectionOutcome
    account: str = ""
    credits: int = 0


def correct_payment(
    payment_intent: str, *, ledger: Ledger, stripe: StripeClient
) -> CorrectionResult:
    """Make the credits of a payment follow from its refunds and disputes; strike the work off.

    News that come while this runs leave it owed. Raises PaymentUnreadable, CheckoutUnreadable,
    PaymentMismatch, and redis.RedisError; it is then still owed.
    """
    task = correction_task(payment_intent)
    since_ms = ledger.owed.owed_since(payment_intent, task)
    result = _correct(read_payment(stripe, payment_intent), ledger, stripe)
    if since_ms is not None:
        ledger.owed.strike_owed(payment_intent, task, since_ms=since_ms)
    return result


def _correct(payment: Intent, ledger: Ledger, stripe: StripeClient) -> CorrectionResult:
    if not (payment.is_about_topoff or payment.is_about_purchase):
        return CorrectionResult(CorrectionOutcome.NOT_OURS)
    if payment.status != "succeeded":
        return CorrectionResult(CorrectionOutcome.NOT_CREDITED, payment.account_id)
    try:
        if payment.is_about_topoff:
            paid: Topoff | Checkout = _settled(payment, ledger)
        else:
            paid = _credited(payment, ledger, stripe)
        return _correct_paid(paid, payment, ledger, stripe)
    except (UnknownTopoff, UnknownAccount, UnknownPurchase):
        return CorrectionResult(CorrectionOutcome.NOT_OURS)


def _correct_paid(
    paid: Topoff | Checkout, payment: Intent, ledger: Ledger, stripe: StripeClient
) -> CorrectionResult:
    if paid.payment_intent != payment.id:  # it was paid by another
        return CorrectionResult(CorrectionOutcome.NOT_CREDITED, paid.account_id)
    correction = ledger.corrections.correct_payment(
        paid.account_id,
        CreditedPayment(
            reference=paid.id,
            payment_intent=payment.id,
            credits=paid.credits,
            amount_minor=payment.amount_received_minor,
            currency=payment.currency,
            is_purchase=isinstance(paid, Checkout),
        ),
        read_reversals(stripe, payment),
    )
    outcome = CorrectionOutcome(correction.outcome)
    return CorrectionResult(outcome, paid.account_id, correction.credits)


def _settled(payment: Intent, ledger: Ledger) -> Topoff:
    """Read the top-off that was paid, after crediting it if this overtook the news of that."""
    topoff = ledger.topoffs.topoff(payment.topoff_id)
    if topoff.state is TopoffState.SUCCEEDED:
        return topoff
    ledger.topoffs.settle_topoff(topoff.id, payment.payment)
    return ledger.topoffs.topoff(topoff.id)


def _credited(payment: Intent, ledger: Ledger, stripe: StripeClient) -> Checkout:
    """Read the purchase that was paid, after crediting it if this overtook the news of that."""
    purchase = ledger.checkouts.find(payment.purchase_id)
    if purchase is not None and purchase.state is CheckoutState.OPEN:
        standing = read_standing(stripe, purchase)
        if isinstance(standing, PaidPurchase):
            ledger.checkouts.credit_purchase(standing)
        purchase = ledger.checkouts.find(purchase.id)
    if purchase is None:
        raise UnknownPurchase(payment.purchase_id)
    return purchase
