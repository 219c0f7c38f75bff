"""Test clocks: https://docs.stripe.com/api/test_clocks.

Unlike Stripe's, a clock has arrived when the request to advance it is answered, and it may be
advanced by any time at once.
"""

from http import HTTPStatus
from typing import Final

from gatekeeper.sandbox.stripe import params
from gatekeeper.sandbox.stripe.billing.advancing import move_clock, new_clock, put_on_clock
from gatekeeper.sandbox.stripe.billing.clocks import TEST_CLOCK
from gatekeeper.sandbox.stripe.errors import Json, invalid_request
from gatekeeper.sandbox.stripe.rendering import page
from gatekeeper.sandbox.stripe.routing import Route
from gatekeeper.sandbox.stripe.state import Call

_URL: Final = "/v1/test_helpers/test_clocks"


def create(call: Call) -> Json:
    """Create a test clock, and put a customer on it if one is named."""
    customer = None
    if "customer" in call.params:
        customer = call.state.find("customer", call.params["customer"], param="customer")
        if customer["test_clock"] is not None:
            raise invalid_request("The customer is on a test clock already.", param="customer")
    body = new_clock(call, call.params["frozen_time"], name=call.params.get("name"))
    if customer is not None:
        put_on_clock(call.state, customer, body)
    return body


def advance(call: Call) -> Json:
    """Move a test clock forward, with all that falls due until then."""
    body = retrieve(call)
    move_clock(call, body, call.params["frozen_time"])
    return body


def retrieve(call: Call) -> Json:
    """Return a test clock."""
    return call.state.find(TEST_CLOCK, call.args["clock"], param="id", status=HTTPStatus.NOT_FOUND)


def list_all(call: Call) -> Json:
    """List test clocks."""
    return page(call, TEST_CLOCK, _URL)


ROUTES: Final = (
    Route(
        "POST",
        _URL,
        create,
        params.fields(
            {
                "customer": params.identifier,
                "frozen_time": params.integer(minimum=0),
                "name": params.string(max_length=300),
            },
            required=("frozen_time",),
        ),
        TEST_CLOCK,
    ),
    Route("GET", _URL, list_all, params.list_fields({}), TEST_CLOCK, listing=True),
    Route("GET", f"{_URL}/{{clock}}", retrieve, params.fields({}), TEST_CLOCK),
    Route(
        "POST",
        f"{_URL}/{{clock}}/advance",
        advance,
        params.fields({"frozen_time": params.integer(minimum=0)}, required=("frozen_time",)),
        TEST_CLOCK,
    ),
)
