"""How a decline is told: the 402, and what the intent remembers of it."""

from copy import deepcopy
from http import HTTPStatus
from typing import Any

from gatekeeper.sandbox.stripe.declines import Decline
from gatekeeper.sandbox.stripe.errors import Json, StripeError, doc_url


def card_error(reason: Decline, **fields: Any) -> StripeError:
    """Build the 402 for a decline; `fields` go into the error beside the reason."""
    return StripeError(
        HTTPStatus.PAYMENT_REQUIRED,
        "card_error",
        reason.message,
        code=reason.code,
        decline_code=reason.decline_code,
        advice_code=reason.advice_code,
        param=reason.param,
        **fields,
    )


def error_record(reason: Decline, payment_method: Json, *, charge: str | None = None) -> Json:
    """Build what an intent remembers of a decline, its last_payment_error or last_setup_error."""
    record = {
        "advice_code": reason.advice_code,
        "charge": charge,
        "code": reason.code,
        "decline_code": reason.decline_code,
        "doc_url": doc_url(reason.code),
        "message": reason.message,
        "param": reason.param,
        "payment_method": deepcopy(payment_method),
        "type": "card_error",
    }
    return {name: value for name, value in record.items() if value is not None}


def challenge_record(code: str, message: str, payment_method: Json) -> Json:
    """Build what an intent remembers of a 3D Secure challenge that wasn't passed."""
    return {
        "code": code,
        "doc_url": doc_url(code),
        "message": message,
        "payment_method": deepcopy(payment_method),
        "type": "invalid_request_error",
    }
