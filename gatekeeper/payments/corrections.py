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
    UNKNOWN_TOPOFF = "unknown_topoff"  # of an account that is here; its top-off is not
    UNKNOWN_PURCHASE = "unknown_purchase"  # the same of a purchase
    NOT_AT_STRIPE = "not_at_stripe"  # another Stripe account's or mode's, by what our key can see

    @property
    def needs_a_person(self) -> bool:
        """Whether credits may have to be taken back by hand."""
        return self in (self.UNKNOWN_TOPOFF, self.UNKNOWN_PURCHASE, self.NOT_AT_STRIPE)


@dataclass(frozen=True, slots=True)
class CorrectionResult:
    """The result of a job: by how many credits whose balance changed.

    `reference` is the top-off or purchase that was paid.
    """

    outcome: CorrectionOutcome
    account: str = ""
    credits: int = 0
    reference: str = ""


def correct_payment(
    payment_intent: str, *, ledger: Ledger, stripe: StripeClient, price_minor: int
) -> CorrectionResult:
    """Make the credits of a payment follow from its refunds and disputes; strike the work off.

    News that come while this runs leave it owed. `price_minor` is the default price of a credit.
    Raises PaymentUnreadable, CheckoutUnreadable, PaymentMismatch, and redis.RedisError; it is then
    still owed.
    """
    task = correction_task(payment_intent)
    mark = ledger.owed.mark(payment_intent, task)
    payment = read_payment(stripe, payment_intent)
    if payment is None:
        result = CorrectionResult(CorrectionOutcome.NOT_AT_STRIPE)
    else:
        result = _correct(payment, ledger, stripe, price_minor)
    if mark is not None:
        ledger.owed.strike_owed(payment_intent, task, mark=mark)
    return result


def _correct(
    payment: Intent, ledger: Ledger, stripe: StripeClient, price_minor: int
) -> CorrectionResult:
    if not (payment.is_about_topoff or payment.is_about_purchase):
        return CorrectionResult(CorrectionOutcome.NOT_OURS)
    if payment.status != "succeeded":
        return _without_credits(CorrectionOutcome.NOT_CREDITED, payment)
    try:
        if payment.is_about_topoff:
            paid: Topoff | Checkout = _settled(payment, ledger, price_minor)
        else:
            paid = _credited(payment, ledger, stripe)
        return _correct_paid(paid, payment, ledger, stripe)
    except UnknownAccount:
        return CorrectionResult(CorrectionOutcome.NOT_OURS)
    except UnknownTopoff:
        return _unknown(CorrectionOutcome.UNKNOWN_TOPOFF, payment, ledger)
    except UnknownPurchase:
        return _unknown(CorrectionOutcome.UNKNOWN_PURCHASE, payment, ledger)


def _unknown(outcome: CorrectionOutcome, payment: Intent, ledger: Ledger) -> CorrectionResult:
    """Tell a payment that this ledger lost from one that belongs to another deployment."""
    try:
        ledger.accounts.account(payment.account_id)
    except UnknownAccount:
        return CorrectionResult(CorrectionOutcome.NOT_OURS)
    return _without_credits(outcome, payment)


def _without_credits(outcome: CorrectionOutcome, payment: Intent) -> CorrectionResult:
    reference = payment.topoff_id if payment.is_about_topoff else payment.purchase_id
    return CorrectionResult(outcome, payment.account_id, reference=reference)


def _correct_paid(
    paid: Topoff | Checkout, payment: Intent, ledger: Ledger, stripe: StripeClient
) -> CorrectionResult:
    if paid.payment_intent != payment.id:  # it was paid by another
        return _without_credits(CorrectionOutcome.NOT_CREDITED, payment)
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
    return CorrectionResult(outcome, paid.account_id, correction.credits, paid.id)


def _settled(payment: Intent, ledger: Ledger, price_minor: int) -> Topoff:
    """Read the top-off that was paid, after crediting it if this overtook the news of that."""
    topoff = ledger.topoffs.topoff(payment.topoff_id)
    if topoff.state is TopoffState.SUCCEEDED:
        return topoff
    ledger.topoffs.settle_topoff(topoff.id, payment.payment, price_minor=price_minor)
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
