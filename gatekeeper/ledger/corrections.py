"""Corrections: what refunds and disputes take back, and what is returned (R13)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from gatekeeper.domain.correction import Reversal
from gatekeeper.ledger.store import Store


class Corrected(StrEnum):
    """What a look at a payment's refunds and disputes came to."""

    CLAWED_BACK = "clawed_back"  # money went out: auto top-off is off
    RETURNED = "returned"
    UNCHANGED = "unchanged"
    NOT_CREDITED = "not_credited"  # this payment gave no credits


@dataclass(frozen=True, slots=True)
class CreditedPayment:
    """A payment and what it gave.

    `reference` is what it was credited by: the id of a top-off, or of a purchase.
    """

    reference: str
    payment_intent: str
    credits: int
    amount_minor: int
    currency: str
    is_purchase: bool = False


@dataclass(frozen=True, slots=True)
class Correction:
    """The outcome, by how many credits the balance changed, and the balance after."""

    outcome: Corrected
    credits: int
    balance: int


class Corrections:
    """The verb on payments whose money went back."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def correct_payment(
        self, account_id: str, payment: CreditedPayment, reversals: Sequence[Reversal]
    ) -> Correction:
        """Make the credits taken follow from a payment's refunds and disputes.

        Harmless in any order and number: what is older than what is known changes nothing. Raises
        UnknownAccount; redis.RedisError: the outcome is unknown.
        """
        own = self._store.keys.of_account(account_id)
        record = own.checkout if payment.is_purchase else own.topoff
        told = [
            field
            for each in reversals
            for field in (each.id, each.cause, each.rank, each.amount_minor, int(each.is_out))
        ]
        status, credits, allotment, purchased = self._store.run(
            "correct_payment",
            account_id,
            payment.reference,
            payment.credits,
            payment.amount_minor,
            payment.currency,
            *told,
            keys=(own.clawback(payment.payment_intent), record(payment.reference)),
        )
        return Correction(Corrected(status), credits, allotment + purchased)
