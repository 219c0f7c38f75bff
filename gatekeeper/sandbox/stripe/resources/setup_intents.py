"""SetupIntents, which save a card without charging it: https://docs.stripe.com/api/setup_intents."""

from http import HTTPStatus
from typing import Any, Final

from gatekeeper.sandbox.stripe import params
from gatekeeper.sandbox.stripe.card_errors import card_error, challenge_record, error_record
from gatekeeper.sandbox.stripe.charging import check_usable
from gatekeeper.sandbox.stripe.declines import Decline
from gatekeeper.sandbox.stripe.errors import Json, StripeError, unexpected_state
from gatekeeper.sandbox.stripe.resources.payment_methods import put_on_file, resolve
from gatekeeper.sandbox.stripe.routing import Route
from gatekeeper.sandbox.stripe.state import Call, new_id, now_s

_CONFIRMABLE: Final = ("requires_payment_method", "requires_confirmation", "requires_action")


def create(call: Call) -> Json:
    """Create a SetupIntent and, with `confirm`, save the card."""
    values: dict[str, Any] = call.params
    customer = values.get("customer")
    if customer is not None:
        call.state.find("customer", customer, param="customer")
    body = _new_intent(values)
    if "payment_method" in values:
        payment_method = resolve(call, values["payment_method"])
        check_usable(call, payment_method, customer)
        values["payment_method"] = body["payment_method"] = payment_method["id"]
        body["status"] = "requires_confirmation"
    if values.get("confirm"):
        _check_confirmable(call, body)
    call.state.add(body)
    call.emit("setup_intent.created", body)
    return confirm(call, body) if values.get("confirm") else body


def _new_intent(values: dict[str, Any]) -> Json:
    id_ = new_id("seti")
    return {
        "id": id_,
        "object": "setup_intent",
        "allowed_payment_method_types": values.get("allowed_payment_method_types"),
        "application": None,
        "automatic_payment_methods": None,
        "cancellation_reason": None,
        "client_secret": f"{id_}_{new_id('secret')}",
        "created": now_s(),
        "customer": values.get("customer"),
        "customer_account": None,
        "description": values.get("description"),
        "excluded_payment_method_types": None,
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "mandate": None,
        "metadata": params.merge_metadata({}, values.get("metadata", {})),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_options": {
            "card": {
                "mandate_options": None,
                "network": None,
                "request_three_d_secure": "automatic",
            }
        },
        "payment_method_types": ["card"],
        "single_use_mandate": None,
        "status": "requires_payment_method",
        "usage": values.get("usage", "off_session"),
    }


def retrieve(call: Call) -> Json:
    """Return a SetupIntent."""
    return call.state.find(
        "setup_intent", call.args["intent"], param="intent", status=HTTPStatus.NOT_FOUND
    )


def confirm_one(call: Call) -> Json:
    """Save the card of a SetupIntent that exists."""
    return confirm(call, retrieve(call))


def _check_confirmable(call: Call, intent: Json) -> Json:
    if intent["status"] not in _CONFIRMABLE:
        unexpected_state(
            "setup_intent",
            "You cannot confirm this SetupIntent because it has already "
            f"{intent['status']}. Only a SetupIntent with one of the following statuses may be "
            f"confirmed: {', '.join(_CONFIRMABLE)}.",
            intent,
        )
    id_ = call.params.get("payment_method") or intent["payment_method"]
    if id_ is None:
        unexpected_state(
            "setup_intent",
            "You cannot confirm this SetupIntent because it's missing a payment method. Update "
            "the SetupIntent with a payment method and then confirm it again.",
            intent,
        )
    payment_method = resolve(call, id_)
    check_usable(call, payment_method, intent["customer"], setup_intent=intent)
    return payment_method


def confirm(call: Call, intent: Json) -> Json:
    """Save the card in the parameters, else the intent's own.

    Raises StripeError: 400 when the intent or the payment method doesn't allow it, 402 when the
    card is declined.
    """
    payment_method = _check_confirmable(call, intent)
    intent |= {"last_setup_error": None, "payment_method": payment_method["id"]}
    on_file = call.state.cards[payment_method["id"]]
    if on_file.behavior.decline is not None and not on_file.behavior.attachable:
        raise _fail(call, intent, payment_method, on_file.behavior.decline)
    if on_file.behavior.authentication in {"always", "unless_set_up"}:
        intent["status"] = "requires_action"
        intent["next_action"] = {"type": "use_stripe_sdk", "use_stripe_sdk": {}}
        call.emit("setup_intent.requires_action", intent)
    else:
        _succeed(call, intent, payment_method)
    return intent


def _succeed(call: Call, intent: Json, payment_method: Json) -> None:
    call.state.cards[payment_method["id"]].set_up = True
    if intent["customer"] is not None and payment_method["customer"] is None:
        put_on_file(call, payment_method, intent["customer"])
    intent |= {"next_action": None, "status": "succeeded"}
    call.emit("setup_intent.succeeded", intent)


def _fail(call: Call, intent: Json, payment_method: Json, reason: Decline) -> StripeError:
    _back_to_start(call, intent, error_record(reason, payment_method))
    return card_error(reason, setup_intent=intent, payment_method=payment_method)


def _back_to_start(call: Call, intent: Json, error: Json) -> None:
    intent |= {
        "last_setup_error": error,
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    call.emit("setup_intent.setup_failed", intent)


def cancel(call: Call, intent: Json) -> None:
    """Cancel a SetupIntent that nobody is going to confirm any more."""
    intent |= {"cancellation_reason": "abandoned", "next_action": None, "status": "canceled"}
    call.emit("setup_intent.canceled", intent)


def settle(call: Call, intent: Json, *, passed: bool) -> Json:
    """End the 3D Secure challenge that a SetupIntent waits for.

    Raises StripeError (400) when it doesn't wait for one.
    """
    if intent["status"] != "requires_action":
        message = f"This SetupIntent has nothing to settle: its status is {intent['status']}."
        unexpected_state("setup_intent", message, intent)
    payment_method = call.state.objects["payment_method"][intent["payment_method"]]
    if passed:
        _succeed(call, intent, payment_method)
    else:
        record = challenge_record(
            "setup_intent_authentication_failure",
            "The latest attempt to set up the payment method has failed because authentication "
            "failed.",
            payment_method,
        )
        _back_to_start(call, intent, record)
    return intent


ROUTES: Final = (
    Route(
        "POST",
        "/v1/setup_intents",
        create,
        params.fields(
            {
                "allowed_payment_method_types": params.allowed_payment_method_types,
                "confirm": params.boolean,
                "customer": params.identifier,
                "description": params.string(),
                "metadata": params.metadata,
                "payment_method": params.identifier,
                "payment_method_types": params.payment_method_types,
                "return_url": params.string(),
                "usage": params.choice("off_session", "on_session"),
            }
        ),
        "setup_intent",
    ),
    Route(
        "GET",
        "/v1/setup_intents/{intent}",
        retrieve,
        params.fields({"client_secret": params.string()}),
        "setup_intent",
    ),
    Route(
        "POST",
        "/v1/setup_intents/{intent}/confirm",
        confirm_one,
        params.fields(
            {
                "allowed_payment_method_types": params.allowed_payment_method_types,
                "payment_method": params.identifier,
                "return_url": params.string(),
            }
        ),
        "setup_intent",
    ),
)
