"""Checkout Sessions: https://docs.stripe.com/api/checkout/sessions."""

from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final

from gatekeeper.sandbox.stripe import params
from gatekeeper.sandbox.stripe.checkout import expiring
from gatekeeper.sandbox.stripe.checkout.line_items import make_line_items, read_basket
from gatekeeper.sandbox.stripe.checkout.session_bodies import new_session
from gatekeeper.sandbox.stripe.checkout.session_params import CREATE, LIST, check_together
from gatekeeper.sandbox.stripe.errors import Json
from gatekeeper.sandbox.stripe.rendering import having, page
from gatekeeper.sandbox.stripe.resources import setup_intents
from gatekeeper.sandbox.stripe.routing import Route
from gatekeeper.sandbox.stripe.state import Call, CheckoutNotes

KIND: Final = "checkout.session"


def create(call: Call) -> Json:
    """Create a session; Stripe has no event for that.

    In setup mode its SetupIntent is made at once. In payment mode the PaymentIntent is only made
    when somebody pays. Source: https://docs.stripe.com/changelog/2022-08-01/
    deferred-paymentintent-checkout-session.
    """
    values: dict[str, Any] = call.params
    check_together(values, now_s=call.now_s())
    if "customer" in values:
        call.state.find("customer", values["customer"], param="customer")
    if values["mode"] == "setup":
        return _create_setup(call, values)
    basket = read_basket(call, values["line_items"], currency=values.get("currency"))
    session = new_session(call, values, basket)
    call.state.checkouts[session["id"]] = CheckoutNotes(
        line_items=make_line_items(call, basket), intent_data=values.get("payment_intent_data", {})
    )
    return call.state.add(session)


def _create_setup(call: Call, values: dict[str, Any]) -> Json:
    session = new_session(call, values, None)
    shared = {n: values[n] for n in ("allowed_payment_method_types", "customer") if n in values}
    data = {**shared, **values.get("setup_intent_data", {})}
    session["setup_intent"] = setup_intents.create(replace(call, params=data))["id"]
    call.state.checkouts[session["id"]] = CheckoutNotes()
    return call.state.add(session)


def retrieve(call: Call) -> Json:
    """Return a session, expired if its time is up."""
    session = call.state.find(
        KIND, call.args["session"], param="session", status=HTTPStatus.NOT_FOUND
    )
    return expiring.expire_if_due(call, session)


def expire(call: Call) -> Json:
    """Close an open session."""
    return expiring.expire(call, retrieve(call))


def list_line_items(call: Call) -> Json:
    """List what is bought in a session, in the order in which it was given."""
    session = retrieve(call)["id"]
    items = call.state.checkouts[session].line_items
    limit = call.params.get("limit", len(items))
    return {
        "object": "list",
        "data": items[:limit],
        "has_more": len(items) > limit,
        "url": f"/v1/checkout/sessions/{session}/line_items",
    }


def list_all(call: Call) -> Json:
    """List sessions."""
    for session in call.state.all(KIND):
        expiring.expire_if_due(call, session)
    keep = having(call, "customer", "payment_intent", "status")
    return page(call, KIND, "/v1/checkout/sessions", keep=keep)


ROUTES: Final = (
    Route("POST", "/v1/checkout/sessions", create, CREATE, KIND),
    Route("GET", "/v1/checkout/sessions", list_all, LIST, KIND, listing=True),
    Route("GET", "/v1/checkout/sessions/{session}", retrieve, params.fields({}), KIND),
    Route("POST", "/v1/checkout/sessions/{session}/expire", expire, params.fields({}), KIND),
    Route(
        "GET",
        "/v1/checkout/sessions/{session}/line_items",
        list_line_items,
        params.fields({"limit": params.integer(minimum=1, maximum=100)}),
        "item",
        listing=True,
    ),
)
