"""Payment methods, of which the sandbox has cards: https://docs.stripe.com/api/payment_methods."""

from copy import deepcopy
from hashlib import sha256
from http import HTTPStatus
from typing import Final

from gatekeeper.sandbox.stripe import params
from gatekeeper.sandbox.stripe.card_details import card_by_details
from gatekeeper.sandbox.stripe.card_errors import card_error
from gatekeeper.sandbox.stripe.cards import SandboxCard, card_by_name
from gatekeeper.sandbox.stripe.errors import (
    Json,
    invalid_request,
    missing,
)
from gatekeeper.sandbox.stripe.rendering import page
from gatekeeper.sandbox.stripe.routing import Route
from gatekeeper.sandbox.stripe.state import Call, CardOnFile, State, new_id, now_s

_BILLING: Final = params.fields(
    {
        "address": params.address,
        "email": params.string(),
        "name": params.string(),
        "phone": params.string(),
    }
)
_CARD: Final = params.fields(
    {
        "number": params.identifier,
        "exp_month": params.integer(),
        "exp_year": params.integer(),
        "cvc": params.string(),
        "token": params.identifier,
    }
)


def create(call: Call) -> Json:
    """Create a payment method from a test card's number or token."""
    details = call.params.get("card")
    if details is None:
        raise params.missing_param("card")
    if "token" in details:
        card = card_by_name(details["token"])
        if card is None:
            raise missing("token", details["token"], param="card[token]")
        body = new_payment_method(call.state, card)
    else:
        card = card_by_details(details)
        body = new_payment_method(call.state, card, details["exp_month"], details["exp_year"])
    body["billing_details"] |= call.params.get("billing_details", {})
    body["metadata"] = params.merge_metadata({}, call.params.get("metadata", {}))
    return body


def new_payment_method(
    state: State, card: SandboxCard, exp_month: int = 12, exp_year: int = 2034
) -> Json:
    """Make a payment method that belongs to nobody yet."""
    body: Json = {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": {
            "address": params.address({}, "address"),
            "email": None,
            "name": None,
            "phone": None,
            "tax_id": None,
        },
        "card": {
            "brand": card.brand,
            "checks": {
                "address_line1_check": None,
                "address_postal_code_check": None,
                "cvc_check": "unchecked",
            },
            "country": card.country,
            "display_brand": card.brand,
            "exp_month": exp_month,
            "exp_year": exp_year,
            "fingerprint": sha256(card.number.encode()).hexdigest()[:16],
            "funding": card.funding,
            "generated_from": None,
            "last4": card.last4,
            "networks": {"available": [card.brand], "preferred": None},
            "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
        "created": now_s(),
        "customer": None,
        "livemode": False,
        "metadata": {},
        "type": "card",
    }
    state.cards[body["id"]] = CardOnFile(card, card.behavior)
    return state.add(body)


def resolve(call: Call, id_: str, *, status: int = HTTPStatus.BAD_REQUEST) -> Json:
    """Return a payment method; Stripe's `pm_card_…` ids make a new one each time.

    Raises StripeError (resource_missing) when there is none.
    """
    card = card_by_name(id_) if id_.startswith("pm_card_") else None
    if card is not None:
        return new_payment_method(call.state, card)
    return call.state.find("payment_method", id_, param="payment_method", status=status)


def attach(call: Call) -> Json:
    """Attach a payment method to a customer.

    Raises StripeError when it belongs to a customer already, was used up or detached (400), or
    when its card is one of those that Stripe declines to attach (402).
    """
    body = resolve(call, call.args["payment_method"], status=HTTPStatus.NOT_FOUND)
    customer = call.state.find("customer", call.params["customer"], param="customer")
    on_file = call.state.cards[body["id"]]
    if on_file.spent:
        raise invalid_request(
            "This PaymentMethod was previously used without being attached to a Customer or was "
            "detached from a Customer, and may not be used again."
        )
    if body["customer"] is not None:
        raise invalid_request(
            "The payment method you provided has already been attached to a customer."
        )
    if on_file.behavior.decline is not None and not on_file.behavior.attachable:
        raise card_error(on_file.behavior.decline)
    return put_on_file(call, body, customer["id"])


def update(call: Call) -> Json:
    """Change a customer's payment method. Raises StripeError (400) when it is nobody's."""
    body = retrieve(call)
    if body["customer"] is None:
        raise invalid_request(
            "You must save this PaymentMethod to a customer before you can update it."
        )
    before = deepcopy(body)
    for name in ("card", "billing_details"):
        body[name] |= call.params.get(name, {})
    body["metadata"] = params.merge_metadata(body["metadata"], call.params.get("metadata", {}))
    body["allow_redisplay"] = call.params.get("allow_redisplay", body["allow_redisplay"])
    call.emit_update("payment_method.updated", before, body)
    return body


def reissue(call: Call, body: Json, exp_month: int, exp_year: int, last4: str | None) -> None:
    """Let a card's network tell of a new expiry, and of a new number if there is one.

    It tells of cards of deleted customers too: https://github.com/mozilla/fxa/pull/12433.
    """
    before = deepcopy(body)
    body["card"] |= {"exp_month": exp_month, "exp_year": exp_year}
    if last4 is not None:
        fingerprint = sha256(f"{body['id']} {last4}".encode()).hexdigest()[:16]
        body["card"] |= {"last4": last4, "fingerprint": fingerprint}
    call.emit_update("payment_method.automatically_updated", before, body)


def put_on_file(call: Call, body: Json, customer: str) -> Json:
    """Make a payment method a customer's, whatever its card."""
    body["customer"] = customer
    body["card"]["checks"]["cvc_check"] = "pass"
    call.emit("payment_method.attached", body)
    return body


def detach(call: Call) -> Json:
    """Detach a payment method for good; it stops being the customer's default."""
    body = retrieve(call)
    if body["customer"] is None:
        raise invalid_request(
            "The payment method you provided is not attached to a customer so detachment is "
            "impossible."
        )
    customer = call.state.objects["customer"][body["customer"]]
    body["customer"] = None
    call.state.cards[body["id"]].spent = True
    call.emit("payment_method.detached", body, previous={"customer": customer["id"]})
    before = deepcopy(customer)
    if customer["invoice_settings"]["default_payment_method"] == body["id"]:
        customer["invoice_settings"]["default_payment_method"] = None
    call.emit_update("customer.updated", before, customer)
    return body


def retrieve(call: Call) -> Json:
    """Return a payment method."""
    return call.state.find(
        "payment_method",
        call.args["payment_method"],
        param="payment_method",
        status=HTTPStatus.NOT_FOUND,
    )


def list_all(call: Call) -> Json:
    """List the payment methods of a customer."""
    customer = call.params.get("customer")

    def keep(body: Json) -> bool:
        return bool(body["customer"] == customer) if customer else body["customer"] is not None

    return page(call, "payment_method", "/v1/payment_methods", keep=keep)


ROUTES: Final = (
    Route(
        "POST",
        "/v1/payment_methods",
        create,
        params.fields(
            {
                "type": params.choice("card"),
                "card": _CARD,
                "billing_details": _BILLING,
                "metadata": params.metadata,
            },
            required=("type",),
        ),
        "payment_method",
    ),
    Route(
        "GET",
        "/v1/payment_methods",
        list_all,
        params.list_fields({"customer": params.identifier, "type": params.choice("card")}),
        "payment_method",
        listing=True,
    ),
    Route(
        "GET",
        "/v1/payment_methods/{payment_method}",
        retrieve,
        params.fields({}),
        "payment_method",
    ),
    Route(
        "POST",
        "/v1/payment_methods/{payment_method}",
        update,
        params.fields(
            {
                "allow_redisplay": params.choice("always", "limited", "unspecified"),
                "billing_details": _BILLING,
                "card": params.fields(
                    {"exp_month": params.integer(), "exp_year": params.integer()}
                ),
                "metadata": params.metadata,
            }
        ),
        "payment_method",
    ),
    Route(
        "POST",
        "/v1/payment_methods/{payment_method}/attach",
        attach,
        params.fields({"customer": params.identifier}, required=("customer",)),
        "payment_method",
    ),
    Route(
        "POST",
        "/v1/payment_methods/{payment_method}/detach",
        detach,
        params.fields({}),
        "payment_method",
    ),
)
