"""Invoices, which subscriptions make: https://docs.stripe.com/api/invoices."""

from http import HTTPStatus
from typing import Final

from gatekeeper.sandbox.stripe import params
from gatekeeper.sandbox.stripe.billing import invoicing, lifecycle
from gatekeeper.sandbox.stripe.billing.clocks import follow_clock
from gatekeeper.sandbox.stripe.billing.invoice_bodies import subscription_of
from gatekeeper.sandbox.stripe.errors import Json, invalid_request
from gatekeeper.sandbox.stripe.rendering import having, page
from gatekeeper.sandbox.stripe.routing import Route
from gatekeeper.sandbox.stripe.state import Call


def pay(call: Call) -> Json:
    """Have an invoice paid now, with another payment method if one is given.

    A draft is finalized first. Raises StripeError: 400 when there is nothing to be paid or nothing
    to pay with, 402 when the card is declined.
    """
    body = retrieve(call)
    follow_clock(call, body)
    call.state.find("customer", body["customer"], param="customer")  # deleted ones pay nothing
    if body["status"] == "draft":
        invoicing.finalize(call, body)
    if body["status"] not in {"open", "uncollectible"}:
        message = "Invoice is already paid" if body["status"] == "paid" else "Invoice is void"
        raise invalid_request(message)
    refusal = lifecycle.collect(call, body, call.params.get("payment_method"))
    if refusal is not None:
        raise refusal
    return body


def retrieve(call: Call) -> Json:
    """Return an invoice."""
    return call.state.find("invoice", call.args["invoice"], param="id", status=HTTPStatus.NOT_FOUND)


def list_all(call: Call) -> Json:
    """List invoices."""
    subscription = call.params.get("subscription")
    fits = having(call, "customer", "status")

    def keep(body: Json) -> bool:
        return fits(body) and subscription in (None, subscription_of(body))

    return page(call, "invoice", "/v1/invoices", keep=keep)


ROUTES: Final = (
    Route(
        "GET",
        "/v1/invoices",
        list_all,
        params.list_fields(
            {
                "created": params.time_range,
                "customer": params.identifier,
                "status": params.choice("draft", "open", "paid", "uncollectible", "void"),
                "subscription": params.identifier,
            }
        ),
        "invoice",
        listing=True,
    ),
    Route("GET", "/v1/invoices/{invoice}", retrieve, params.fields({}), "invoice"),
    Route(
        "POST",
        "/v1/invoices/{invoice}/pay",
        pay,
        params.fields({"payment_method": params.identifier}),
        "invoice",
    ),
)
