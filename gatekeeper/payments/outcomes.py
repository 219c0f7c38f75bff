"""How a charge ended, in the ledger's terms. The worker and the webhook both end here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gatekeeper.domain.incident import INTERNAL_ERROR_COOL_DOWNS_S, FailureReason
from gatekeeper.ledger.topoffs import Failed, Topoffs
from gatekeeper.payments.declines import decline_of, shown_code
from gatekeeper.payments.intents import Intent, PaymentError

_CARD_ERROR: Final = "card_error"
#: Errors with a code of their own that are declines under another name.
#: Source: https://docs.stripe.com/error-codes.
_DECLINE_OF_ERROR: Final = {
    "payment_intent_authentication_failure": "authentication_required",
    "card_declined": "generic_decline",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a top-off certainly was not paid, and what may follow.

    `code` is Stripe's name for a decline, for on-call's eyes alone. The others are fail_topoff's.
    """

    reason: FailureReason
    code: str = ""
    card_refused: bool = False
    cool_downs_s: tuple[int, ...] = ()


def declined(code: str, advice_code: str = "") -> Failure:
    """Make the failure of a card that was declined."""
    decline = decline_of(code, advice_code)
    return Failure(FailureReason.DECLINED, code, decline.card_refused, decline.cool_downs_s)


NO_PAYMENT_METHOD: Final = Failure(FailureReason.NO_PAYMENT_METHOD)
INTERNAL_ERROR: Final = Failure(
    FailureReason.INTERNAL_ERROR, cool_downs_s=INTERNAL_ERROR_COOL_DOWNS_S
)
#: The cardholder would have to be asked, and is not there.
AUTHENTICATION_REQUIRED: Final = declined("authentication_required")


def failure_of(intent: Intent) -> Failure | None:
    """Read from a PaymentIntent that it failed; None while it may still succeed, or did."""
    if intent.status == "canceled":
        return _failure_of(intent.error) if intent.error else INTERNAL_ERROR
    if intent.status == "requires_payment_method" and intent.error:
        return _failure_of(intent.error)
    return None


def fail(topoffs: Topoffs, topoff_id: str, payment_intent: str, failure: Failure) -> Failed:
    """Record a failure. Raises what fail_topoff raises."""
    return topoffs.fail_topoff(
        topoff_id,
        payment_intent=payment_intent,
        reason=failure.reason,
        decline_code=shown_code(failure.code) if failure.code else "",
        card_refused=failure.card_refused,
        cool_downs_s=failure.cool_downs_s,
    )


def _failure_of(error: PaymentError) -> Failure:
    code = error.decline_code or _DECLINE_OF_ERROR.get(error.code, error.code)
    if error.type == _CARD_ERROR or error.code in _DECLINE_OF_ERROR:
        return declined(code or "generic_decline", error.advice_code)
    return INTERNAL_ERROR
