"""Control of subscriptions: their time, and what follows when nobody pays."""

from http import HTTPStatus
from typing import Final

from gatekeeper.sandbox.stripe.app import SandboxApp
from gatekeeper.sandbox.stripe.billing import lifecycle
from gatekeeper.sandbox.stripe.billing.advancing import move_clock, new_clock, put_on_clock
from gatekeeper.sandbox.stripe.billing.clocks import TEST_CLOCK, follow_clock
from gatekeeper.sandbox.stripe.control_bodies import AdvanceBody, ExhaustRetriesBody
from gatekeeper.sandbox.stripe.errors import Json
from gatekeeper.sandbox.stripe.state import Call


def _advance_clock(app: SandboxApp, _: str, body: Json) -> Json:
    wanted = AdvanceBody.model_validate(body)
    call = Call(app.state)
    with app.state.lock:
        clock = _clock_of(call, wanted.customer) if wanted.customer else None
        move_clock(call, clock, wanted.to_s)
    app.publish(call)
    return {"clock_s": wanted.to_s}


def _clock_of(call: Call, id_: str) -> Json:
    """Return the test clock of a customer, made for them if they have none."""
    customer = call.state.find("customer", id_, param="customer")
    if customer["test_clock"] is None:
        follow_clock(call, customer)
        put_on_clock(call.state, customer, new_clock(call, call.now_s()))
    return call.state.objects[TEST_CLOCK][customer["test_clock"]]


def _exhaust_retries(app: SandboxApp, id_: str, body: Json) -> Json:
    outcome = ExhaustRetriesBody.model_validate(body).outcome
    call = Call(app.state)
    with app.state.lock:
        subscription = app.state.find("subscription", id_, param="id", status=HTTPStatus.NOT_FOUND)
        follow_clock(call, subscription)
        lifecycle.exhaust_retries(call, subscription, outcome)
    app.publish(call)
    return {"id": id_, "status": outcome}


ROUTES: Final = (
    ("POST", r"clock", _advance_clock),
    ("POST", r"subscriptions/(?P<id>[^/]+)/exhaust_retries", _exhaust_retries),
)
