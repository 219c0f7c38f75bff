"""PaymentIntents: https://docs.stripe.com/api/payment_intents."""

from http import HTTPStatus
from typing import Any, Final

from gatekeeper.sandbox.stripe import params
from gatekeeper.sandbox.stripe.charging import check_confirmable, check_usable, confirm
from gatekeeper.sandbox.stripe.checkout.ownership import refuse_checkouts
from gatekeeper.sandbox.stripe.currencies import check_amount
from gatekeeper.sandbox.stripe.errors import Json, invalid_request, unexpected_state
from gatekeeper.sandbox.stripe.rendering import page
from gatekeeper.sandbox.stripe.resources.payment_methods import resolve
from gatekeeper.sandbox.stripe.routing import Route
from gatekeeper.sandbox.stripe.state import Call, new_id

_EDITABLE: Final = ("requires_payment_method", "requires_confirmation", "requires_action")

_WRITABLE: Final = {
    "allowed_payment_method_types": params.allowed_payment_method_types,
    "amount": params.integer(),
    "currency": params.currency,
    "customer": params.identifier,
    "description": params.string(),
    "metadata": params.metadata,
    "payment_method": params.optional_identifier,
    "payment_method_types": params.payment_method_types,
    "receipt_email": params.string(),
    "setup_future_usage": params.choice("off_session", "on_session"),
}
_ON_CONFIRM: Final = {
    "error_on_requires_action": params.boolean,
    "off_session": params.boolean_or("one_off", "recurring"),
    "return_url": params.string(),
}


def create(call: Call) -> Json:
    """Create a PaymentIntent and, with `confirm`, charge it."""
    values: dict[str, Any] = call.params
    if values.get("off_session") and not values.get("confirm"):
        raise invalid_request(
            "`off_session` can only be set when `confirm` is `true`.", param="off_session"
        )
    check_amount(values["amount"], values["currency"])
    customer = values.get("customer")
    if customer is not None:
        call.state.find("customer", customer, param="customer")
    body = new_intent(call, values)
    _set_payment_method(call, body, customer)
    if values.get("confirm"):
        check_confirmable(call, body)  # a 400 leaves nothing behind, a 402 does
    call.state.add(body)
    call.emit("payment_intent.created", body)
    return confirm(call, body) if values.get("confirm") else body


def new_intent(call: Call, values: dict[str, Any]) -> Json:
    """Make a PaymentIntent that nothing was tried with yet."""
    id_ = new_id("pi")
    return {
        "id": id_,
        "object": "payment_intent",
        "allowed_payment_method_types": values.get("allowed_payment_method_types"),
        "amount": values["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": _automatic(values),
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": values.get("capture_method", "automatic_async"),
        "client_secret": f"{id_}_{new_id('secret')}",
        "confirmation_method": "automatic",
        "created": call.now_s(),
        "currency": values["currency"],
        "customer": values.get("customer"),
        "customer_account": None,
        "description": values.get("description"),
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": params.merge_metadata({}, values.get("metadata", {})),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {
            "card": {
                "installments": None,
                "mandate_options": None,
                "network": None,
                "request_three_d_secure": "automatic",
            }
        },
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": values.get("receipt_email"),
        "review": None,
        "setup_future_usage": values.get("setup_future_usage"),
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }


def _automatic(values: dict[str, Any]) -> Json | None:
    """Automatic payment methods are on, unless types are named (since API 2023-08-16)."""
    named = "allowed_payment_method_types" in values
    given = values.get("automatic_payment_methods")
    if named and given:
        raise invalid_request(
            "You may only specify one of these parameters: automatic_payment_methods, "
            "allowed_payment_method_types.",
            param="automatic_payment_methods",
        )
    if named or (given and not given["enabled"]):
        return None
    return {"allow_redirects": "always", "enabled": True, **(given or {})}


def _set_payment_method(call: Call, body: Json, customer: str | None) -> None:
    if "payment_method" not in call.params:
        return
    id_ = call.params["payment_method"]
    if id_ is None:
        body["payment_method"], body["status"] = None, "requires_payment_method"
        return
    payment_method = resolve(call, id_)
    check_usable(call, payment_method, customer)
    # A pm_card_… id made a payment method of its own, which is the one to confirm with.
    call.params["payment_method"] = body["payment_method"] = payment_method["id"]
    body["status"] = "requires_confirmation"


def update(call: Call) -> Json:
    """Change a PaymentIntent; Stripe has no event for that."""
    body = retrieve(call)
    values: dict[str, Any] = dict(call.params)
    for name in ("amount", "currency", "payment_method", "customer"):
        if name in values and body["status"] not in _EDITABLE:
            unexpected_state("payment_intent", _not_editable(name, body), body, param=name)
    changed = {**body, **values}
    check_amount(changed["amount"], changed["currency"])
    if "customer" in values:
        call.state.find("customer", values["customer"], param="customer")
    _set_payment_method(call, body, values.get("customer", body["customer"]))
    values.pop("payment_method", None)
    body["metadata"] = params.merge_metadata(body["metadata"], values.pop("metadata", {}))
    body.update(values)
    return body


def _not_editable(name: str, body: Json) -> str:
    return (
        f"This PaymentIntent's {name} could not be updated because it has a status of "
        f"{body['status']}. You may only update the {name} of a PaymentIntent with one of the "
        f"following statuses: {', '.join(_EDITABLE)}."
    )


def retrieve(call: Call) -> Json:
    """Return a PaymentIntent."""
    return call.state.find(
        "payment_intent", call.args["intent"], param="intent", status=HTTPStatus.NOT_FOUND
    )


def confirm_one(call: Call) -> Json:
    """Charge a PaymentIntent that exists."""
    body = retrieve(call)
    refuse_checkouts(call.state, body)
    for name in ("allowed_payment_method_types", "receipt_email", "setup_future_usage"):
        if name in call.params:
            body[name] = call.params[name]
    return confirm(call, body)


def cancel(call: Call) -> Json:
    """Cancel a PaymentIntent that has not been paid."""
    body = retrieve(call)
    refuse_checkouts(call.state, body)
    if body["status"] not in _EDITABLE:
        unexpected_state(
            "payment_intent",
            f"You cannot cancel this PaymentIntent because it has a status of {body['status']}. "
            "Only a PaymentIntent with one of the following statuses may be canceled: "
            "requires_payment_method, requires_capture, requires_confirmation, requires_action.",
            body,
        )
    mark_canceled(call, body, call.params.get("cancellation_reason"))
    return body


def mark_canceled(call: Call, body: Json, reason: str | None) -> None:
    """Cancel a PaymentIntent for a reason, whoever gives it."""
    body |= {
        "canceled_at": call.now_s(),
        "cancellation_reason": reason,
        "next_action": None,
        "status": "canceled",
    }
    call.emit("payment_intent.canceled", body)


def list_all(call: Call) -> Json:
    """List PaymentIntents."""
    customer = call.params.get("customer")

    def keep(body: Json) -> bool:
        return customer in (None, body["customer"])

    return page(call, "payment_intent", "/v1/payment_intents", keep=keep)


ROUTES: Final = (
    Route(
        "POST",
        "/v1/payment_intents",
        create,
        params.fields(
            {
                **_WRITABLE,
                **_ON_CONFIRM,
                "automatic_payment_methods": params.fields(
                    {
                        "enabled": params.boolean,
                        "allow_redirects": params.choice("always", "never"),
                    },
                    required=("enabled",),
                ),
                "capture_method": params.choice("automatic", "automatic_async"),
                "confirm": params.boolean,
            },
            required=("amount", "currency"),
        ),
        "payment_intent",
    ),
    Route(
        "GET",
        "/v1/payment_intents",
        list_all,
        params.list_fields({"customer": params.identifier, "created": params.time_range}),
        "payment_intent",
        listing=True,
    ),
    Route(
        "GET",
        "/v1/payment_intents/{intent}",
        retrieve,
        params.fields({"client_secret": params.string()}),
        "payment_intent",
    ),
    Route(
        "POST",
        "/v1/payment_intents/{intent}",
        update,
        params.fields(_WRITABLE),
        "payment_intent",
    ),
    Route(
        "POST",
        "/v1/payment_intents/{intent}/confirm",
        confirm_one,
        params.fields(
            {
                **_ON_CONFIRM,
                "allowed_payment_method_types": params.allowed_payment_method_types,
                "payment_method": params.identifier,
                "payment_method_types": params.payment_method_types,
                "receipt_email": params.string(),
                "setup_future_usage": params.choice("off_session", "on_session"),
            }
        ),
        "payment_intent",
    ),
    Route(
        "POST",
        "/v1/payment_intents/{intent}/cancel",
        cancel,
        params.fields(
            {
                "cancellation_reason": params.choice(
                    "abandoned", "duplicate", "fraudulent", "requested_by_customer"
                )
            }
        ),
        "payment_intent",
    ),
)
