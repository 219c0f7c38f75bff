"""Which PaymentIntent pays which invoice: https://docs.stripe.com/api/invoice-payment."""

from http import HTTPStatus
from typing import Final

from gatekeeper.sandbox.stripe import params
from gatekeeper.sandbox.stripe.errors import Json
from gatekeeper.sandbox.stripe.rendering import having, page
from gatekeeper.sandbox.stripe.routing import Route
from gatekeeper.sandbox.stripe.state import Call


def retrieve(call: Call) -> Json:
    """Return the payment of an invoice."""
    id_ = call.args["payment"]
    return call.state.find("invoice_payment", id_, param="id", status=HTTPStatus.NOT_FOUND)


def list_all(call: Call) -> Json:
    """List the payments of invoices."""
    intent = call.params.get("payment", {}).get("payment_intent")
    fits = having(call, "invoice", "status")

    def keep(body: Json) -> bool:
        return fits(body) and intent in (None, body["payment"]["payment_intent"])

    return page(call, "invoice_payment", "/v1/invoice_payments", keep=keep)


ROUTES: Final = (
    Route(
        "GET",
        "/v1/invoice_payments",
        list_all,
        params.list_fields(
            {
                "created": params.time_range,
                "invoice": params.identifier,
                "payment": params.fields(
                    {
                        "payment_intent": params.identifier,
                        "type": params.choice("payment_intent"),
                    }
                ),
                "status": params.choice("canceled", "open", "paid"),
            }
        ),
        "invoice_payment",
        listing=True,
    ),
    Route(
        "GET",
        "/v1/invoice_payments/{payment}",
        retrieve,
        params.fields({}),
        "invoice_payment",
    ),
)
