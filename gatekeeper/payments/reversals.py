"""What went back of a payment, as Stripe has it: its refunds and disputes.

A refund is gone as soon as it is pending, and may come back even after it succeeded. A dispute
takes its amount when it opens, unless it is an inquiry, and gives it back if it is won; each of
these is a balance transaction of its own.

Sources: https://docs.stripe.com/refunds#failed-refunds,
https://docs.stripe.com/api/refunds/object#refund_object-status,
https://docs.stripe.com/api/disputes/object#dispute_object-balance_transactions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import stripe
from stripe import StripeClient, StripeError

from gatekeeper.domain.correction import CorrectionCause, Reversal
from gatekeeper.payments.intents import Intent, UnreadableIntent
from gatekeeper.payments.stripe_errors import describe

_PAGE: Final = 100
_NO_SUCH_PAYMENT: Final = "resource_missing"
_GONE: Final = 1
_RANK_OF_REFUND: Final = {
    "requires_action": 0,
    "pending": _GONE,
    "succeeded": _GONE,
    "failed": 2,
    "canceled": 2,
}
_ID: Final = re.compile(r"[a-z]+_[A-Za-z0-9_]{1,100}")


class PaymentUnreadable(Exception):
    """Stripe did not say how a payment stands. The message has no word of Stripe's."""


def read_payment(api: StripeClient, payment_intent: str) -> Intent | None:
    """Ask Stripe for a payment; None when it has no such payment. Raises PaymentUnreadable."""
    with _in_our_words(payment_intent):
        try:
            found = api.v1.payment_intents.retrieve(payment_intent, {"expand": ["latest_charge"]})
        except stripe.InvalidRequestError as error:
            if error.error and error.error.code == _NO_SUCH_PAYMENT:
                return None
            raise
        return Intent.read(found.to_dict())


def read_reversals(api: StripeClient, payment: Intent) -> list[Reversal]:
    """Ask Stripe for all refunds and disputes of a payment. Raises PaymentUnreadable."""
    with _in_our_words(payment.id):
        refunds = api.v1.refunds.list({"payment_intent": payment.id, "limit": _PAGE})
        disputes = api.v1.disputes.list({"payment_intent": payment.id, "limit": _PAGE})
        return [
            *(_refund(each.to_dict(), payment) for each in refunds.auto_paging_iter()),
            *(_dispute(each.to_dict(), payment) for each in disputes.auto_paging_iter()),
        ]


def _refund(fields: Mapping[str, Any], payment: Intent) -> Reversal:
    rank = _RANK_OF_REFUND[fields["status"]]
    return _reversal(fields, CorrectionCause.REFUND, payment, rank, is_out=rank == _GONE)


def _dispute(fields: Mapping[str, Any], payment: Intent) -> Reversal:
    moves = len(fields["balance_transactions"])
    return _reversal(fields, CorrectionCause.DISPUTE, payment, moves, is_out=moves % 2 == 1)


def _reversal(
    fields: Mapping[str, Any], cause: CorrectionCause, payment: Intent, rank: int, *, is_out: bool
) -> Reversal:
    reversal_id, amount_minor = fields["id"], fields["amount"]
    if not _ID.fullmatch(reversal_id) or not isinstance(amount_minor, int) or amount_minor < 0:
        raise ValueError("this is no refund or dispute")
    if fields["currency"] != payment.currency:
        raise ValueError("it is in another currency than its payment")
    return Reversal(reversal_id, cause, rank, amount_minor, is_out)


@contextmanager
def _in_our_words(payment_intent: str) -> Iterator[None]:
    """Raise PaymentUnreadable for what Stripe's library raises, and for odd answers."""
    try:
        yield
    except StripeError as error:
        problem = f"{payment_intent} cannot be read: {describe(error)}"
        raise PaymentUnreadable(problem) from None
    except (UnreadableIntent, KeyError, TypeError, ValueError):
        problem = f"what Stripe says of {payment_intent} cannot be understood"
        raise PaymentUnreadable(problem) from None
