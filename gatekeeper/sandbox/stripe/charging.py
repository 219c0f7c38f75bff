"""Confirming a PaymentIntent: the one place where the sandbox takes money.

The caller holds the state's lock from the look at the status to its change, so a PaymentIntent
has at most one successful charge, however many confirmations run at once.

Sources: https://docs.stripe.com/payments/paymentintents/lifecycle and
https://docs.stripe.com/payments/save-during-payment (off-session payments).
"""

from typing import Any, Final

from gatekeeper.sandbox.stripe.card_errors import card_error, challenge_record, error_record
from gatekeeper.sandbox.stripe.cards import Behavior
from gatekeeper.sandbox.stripe.declines import Decline, decline
from gatekeeper.sandbox.stripe.errors import (
    Json,
    StripeError,
    invalid_request,
    unexpected_state,
)
from gatekeeper.sandbox.stripe.resources.charges import mark_failed, mark_succeeded, new_charge
from gatekeeper.sandbox.stripe.resources.payment_methods import put_on_file, resolve
from gatekeeper.sandbox.stripe.state import Call, CardOnFile

_CONFIRMABLE: Final = ("requires_payment_method", "requires_confirmation", "requires_action")
_SPENT_MESSAGE: Final = (
    "The provided PaymentMethod was previously used with a PaymentIntent without Customer "
    "attachment, shared with a connected account without Customer attachment, or was detached "
    "from a Customer. It may not be used again. To use a PaymentMethod multiple times, you must "
    "attach it to a Customer first."
)
_RETURN_URL_MESSAGE: Final = (
    "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. "
    "Because some of these payment methods might redirect your customer off of your page, you "
    "must provide a `return_url`. If you don't want to accept redirect-based payment methods, set "
    "`automatic_payment_methods[enabled]` to `true` and "
    "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and "
    "Payment Intents."
)
_AUTHENTICATION_FAILED: Final = (
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or "
    "a new PaymentMethod to attempt to fulfill this PaymentIntent again."
)


def confirm(call: Call, intent: Json) -> Json:
    """Try to charge a PaymentIntent.

    The payment method is the one in the parameters, else the intent's own; the customer's default
    is for invoices and isn't looked at.

    Raises StripeError: 400 when the intent or the payment method doesn't allow it, 402 when the
    card is declined. After a 402 the intent requires a payment method again.
    """
    payment_method = check_confirmable(call, intent)
    intent["last_payment_error"] = None
    intent["payment_method"] = payment_method["id"]
    on_file = call.state.cards[payment_method["id"]]
    off_session = bool(call.params.get("off_session"))
    if _must_authenticate(on_file, off_session=off_session):
        if off_session or call.params.get("error_on_requires_action"):
            reason = decline("authentication_required")
            raise _fail(call, intent, payment_method, reason, charge=None)
        return _require_action(call, intent)
    refusal = _attempt(call, intent, _start(call, intent, payment_method), on_file.behavior)
    if refusal:
        raise refusal
    return intent


def check_confirmable(call: Call, intent: Json) -> Json:
    """Return the payment method that a confirmation would charge.

    Raises StripeError (400) when the intent can't be confirmed, or not like this.
    """
    _check_status(intent)
    payment_method = _payment_method(call, intent)
    _check_return_url(call, intent)
    return payment_method


def _check_status(intent: Json) -> None:
    status = intent["status"]
    if status in _CONFIRMABLE:
        return
    if status == "succeeded":
        message = (
            "You cannot confirm this PaymentIntent because it has already succeeded after being "
            "previously confirmed."
        )
    else:
        message = (
            f"You cannot confirm this PaymentIntent because it has a status of {status}. Only a "
            "PaymentIntent with one of the following statuses may be confirmed: "
            "requires_confirmation, requires_action."
        )
    unexpected_state("payment_intent", message, intent)


def _payment_method(call: Call, intent: Json) -> Json:
    id_ = call.params.get("payment_method") or intent["payment_method"]
    customer = intent["customer"]
    if id_ is None:
        unexpected_state("payment_intent", _missing_message(customer), intent)
    payment_method = resolve(call, id_)
    check_usable(call, payment_method, customer, payment_intent=intent)
    return payment_method


def _missing_message(customer: str | None) -> str:
    missing = "You cannot confirm this PaymentIntent because it's missing a payment method."
    if customer:
        return (
            f"{missing} To confirm the PaymentIntent with {customer}, specify a payment method "
            "attached to this customer along with the customer ID."
        )
    return (
        f"{missing} You can either update the PaymentIntent with a payment method and then "
        "confirm it again, or confirm it again directly with a payment method or "
        "ConfirmationToken."
    )


def check_usable(call: Call, payment_method: Json, customer: str | None, **intent: Any) -> None:
    """Refuse a payment method that is used up, detached, or another customer's.

    The customer is the intent's, if it has one. Raises StripeError (400), with the intent in it if
    it is given under its kind.
    """
    id_, owner = payment_method["id"], payment_method["customer"]
    if call.state.cards[id_].spent:
        raise invalid_request(
            _SPENT_MESSAGE, code="resource_missing", param="payment_method", **intent
        )
    if owner is not None and customer is None:
        raise invalid_request(
            f"The `payment_method` parameter supplied {id_} belongs to the Customer {owner}. "
            "Please include the Customer in the `customer` parameter on the PaymentIntent.",
            code="parameter_missing",
            param="source",
            **intent,
        )
    if owner not in (None, customer):
        raise invalid_request(
            f"The PaymentMethod {id_} does not belong to the Customer you supplied {customer}. "
            "Please use this PaymentMethod with the Customer that it belongs to instead.",
            param="payment_method",
            **intent,
        )


def _check_return_url(call: Call, intent: Json) -> None:
    automatic = intent["automatic_payment_methods"] or {"allow_redirects": "never"}
    named = intent["allowed_payment_method_types"] or "allowed_payment_method_types" in call.params
    redirects = automatic["allow_redirects"] != "never" and not named
    if redirects and "return_url" not in call.params:
        raise invalid_request(_RETURN_URL_MESSAGE, payment_intent=intent)


def _must_authenticate(on_file: CardOnFile, *, off_session: bool) -> bool:
    when = on_file.behavior.authentication
    return (
        when == "always"
        or (when == "unless_set_up" and not on_file.set_up)
        or (when == "unless_off_session" and not off_session)
    )


def _require_action(call: Call, intent: Json) -> Json:
    intent["status"] = "requires_action"
    intent["next_action"] = {"type": "use_stripe_sdk", "use_stripe_sdk": {}}
    call.emit("payment_intent.requires_action", intent)
    return intent


def _start(call: Call, intent: Json, payment_method: Json) -> Json:
    charge = new_charge(call, intent, payment_method)
    intent["latest_charge"] = charge["id"]
    return charge


def _attempt(call: Call, intent: Json, charge: Json, behavior: Behavior) -> StripeError | None:
    """Let a charge end as its card behaves; return the 402 if that is a decline."""
    payment_method = call.state.objects["payment_method"][charge["payment_method"]]
    if behavior.decline is not None:
        return _fail(call, intent, payment_method, behavior.decline, charge=charge)
    if behavior.processing:
        intent["status"] = "processing"
        call.emit("payment_intent.processing", intent)
    else:
        _succeed(call, intent, charge, payment_method)
    return None


def _succeed(call: Call, intent: Json, charge: Json, payment_method: Json) -> None:
    on_file = call.state.cards[payment_method["id"]]
    if payment_method["customer"] is None:
        if intent["customer"] and intent["setup_future_usage"]:
            put_on_file(call, payment_method, intent["customer"])
            on_file.set_up = on_file.set_up or intent["setup_future_usage"] == "off_session"
        else:
            on_file.spent = True
    mark_succeeded(call, charge)
    intent |= {"amount_received": intent["amount"], "next_action": None, "status": "succeeded"}
    call.emit("payment_intent.succeeded", intent)


def _fail(
    call: Call, intent: Json, payment_method: Json, reason: Decline, *, charge: Json | None
) -> StripeError:
    """Put a declined intent back to the start, and return the 402 to raise."""
    charge_id = charge["id"] if charge else None
    if charge:
        mark_failed(call, charge, reason)
    _back_to_start(call, intent, error_record(reason, payment_method, charge=charge_id))
    return card_error(
        reason, charge=charge_id, payment_intent=intent, payment_method=payment_method
    )


def _back_to_start(call: Call, intent: Json, error: Json) -> None:
    intent |= {
        "last_payment_error": error,
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    call.emit("payment_intent.payment_failed", intent)


def settle(call: Call, intent: Json, reason: Decline | None) -> Json:
    """End what is out of the API's hands: a processing payment, or a 3D Secure challenge.

    With a `reason` a processing payment fails for it, and a challenge isn't passed; without one
    the payment succeeds, unless the card declines after the challenge.

    Raises StripeError (400) when the intent waits for neither.
    """
    if intent["status"] == "processing":
        charge = call.state.objects["charge"][intent["latest_charge"]]
        _attempt(call, intent, charge, Behavior(decline=reason))
    elif intent["status"] == "requires_action":
        _end_challenge(call, intent, passed=reason is None)
    else:
        message = f"This PaymentIntent has nothing to settle: its status is {intent['status']}."
        unexpected_state("payment_intent", message, intent)
    return intent


def _end_challenge(call: Call, intent: Json, *, passed: bool) -> None:
    payment_method = call.state.objects["payment_method"][intent["payment_method"]]
    if passed:
        behavior = call.state.cards[payment_method["id"]].behavior
        _attempt(call, intent, _start(call, intent, payment_method), behavior)
    else:
        code = "payment_intent_authentication_failure"
        record = challenge_record(code, _AUTHENTICATION_FAILED, payment_method)
        _back_to_start(call, intent, record)
