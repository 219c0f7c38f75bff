"""Customers: https://docs.stripe.com/api/customers."""

from copy import deepcopy
from http import HTTPStatus
from typing import Any, Final

from gatekeeper.sandbox.stripe import params
from gatekeeper.sandbox.stripe.billing import lifecycle
from gatekeeper.sandbox.stripe.billing.clocks import TEST_CLOCK, follow_clock
from gatekeeper.sandbox.stripe.errors import Json, invalid_request
from gatekeeper.sandbox.stripe.rendering import page
from gatekeeper.sandbox.stripe.routing import Route
from gatekeeper.sandbox.stripe.state import Call, new_id

_WRITABLE: Final = {
    "address": params.address,
    "description": params.string(),
    "email": params.string(max_length=512),
    "invoice_settings": params.fields({"default_payment_method": params.optional_identifier}),
    "metadata": params.metadata,
    "name": params.string(max_length=256),
    "phone": params.string(max_length=20),
    "preferred_locales": params.list_of(params.identifier),
}


def create(call: Call) -> Json:
    """Create a customer, on a test clock if one is named."""
    clock = call.params.pop("test_clock", None)
    if clock is not None:
        call.state.find(TEST_CLOCK, clock, param="test_clock")
        follow_clock(call, {"test_clock": clock})
    body: Json = {
        "id": new_id("cus", 14),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": call.now_s(),
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": new_id("", 8)[1:].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": clock,
    }
    _write(call, body)
    call.state.add(body)
    call.emit("customer.created", body)
    return body


def update(call: Call) -> Json:
    """Change a customer."""
    body = retrieve(call)
    before = deepcopy(body)
    _write(call, body)
    call.emit_update("customer.updated", before, body)
    return body


def _write(call: Call, body: Json) -> None:
    values: dict[str, Any] = dict(call.params)
    settings = values.pop("invoice_settings", {})
    default = settings.get("default_payment_method")
    if default is not None:
        _check_default(call, body, default)
    body["metadata"] = params.merge_metadata(body["metadata"], values.pop("metadata", {}))
    body["invoice_settings"] |= settings
    body.update(values)


def _check_default(call: Call, body: Json, payment_method: str) -> None:
    known = call.state.objects["payment_method"].get(payment_method)
    if known is None or known["customer"] != body["id"]:
        raise invalid_request(
            f"The customer does not have a payment method with the ID {payment_method}. "
            "The payment method must be attached to the customer.",
            code="resource_missing",
            param="invoice_settings[default_payment_method]",
        )


def retrieve(call: Call) -> Json:
    """Return a customer; a deleted one is only its id."""
    return call.state.find(
        "customer", call.args["customer"], param="id", status=HTTPStatus.NOT_FOUND
    )


def delete(call: Call) -> Json:
    """Delete a customer, cancel its subscriptions and detach its payment methods."""
    body = call.state.find("customer", call.args["customer"], param="id")
    follow_clock(call, body)
    for subscription in call.state.all("subscription"):
        if subscription["customer"] == body["id"] and subscription["status"] not in lifecycle.ENDED:
            lifecycle.cancel(call, subscription, "cancellation_requested")
    for payment_method in call.state.all("payment_method"):
        if payment_method["customer"] == body["id"]:
            payment_method["customer"] = None
            call.state.cards[payment_method["id"]].spent = True
    call.emit("customer.deleted", body)
    stub = {"id": body["id"], "object": "customer", "deleted": True}
    return call.state.add(stub)


def list_all(call: Call) -> Json:
    """List customers."""
    email = call.params.get("email")

    def keep(body: Json) -> bool:
        return not body.get("deleted") and email in (None, body["email"])

    return page(call, "customer", "/v1/customers", keep=keep)


def list_payment_methods(call: Call) -> Json:
    """List the payment methods of a customer."""
    customer = retrieve(call)["id"]

    def keep(body: Json) -> bool:
        return bool(body["customer"] == customer)

    return page(call, "payment_method", f"/v1/customers/{customer}/payment_methods", keep=keep)


ROUTES: Final = (
    Route(
        "POST",
        "/v1/customers",
        create,
        params.fields({**_WRITABLE, "test_clock": params.identifier}),
        "customer",
    ),
    Route(
        "GET",
        "/v1/customers",
        list_all,
        params.list_fields({"email": params.string(), "created": params.time_range}),
        "customer",
        listing=True,
    ),
    Route("GET", "/v1/customers/{customer}", retrieve, params.fields({}), "customer"),
    Route("POST", "/v1/customers/{customer}", update, params.fields(_WRITABLE), "customer"),
    Route("DELETE", "/v1/customers/{customer}", delete, params.fields({}), "customer"),
    Route(
        "GET",
        "/v1/customers/{customer}/payment_methods",
        list_payment_methods,
        params.list_fields({"type": params.choice("card")}),
        "payment_method",
        listing=True,
    ),
)
