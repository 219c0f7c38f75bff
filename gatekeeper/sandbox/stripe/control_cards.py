"""Control of customers and their cards: test cards on file, what they do, and new ones for old."""

from copy import deepcopy
from http import HTTPStatus
from typing import Final

from gatekeeper.sandbox.stripe.app import SandboxApp
from gatekeeper.sandbox.stripe.cards import card_by_name, card_by_number
from gatekeeper.sandbox.stripe.control_bodies import CustomerBody, OutcomeBody, ReissueBody
from gatekeeper.sandbox.stripe.errors import Json
from gatekeeper.sandbox.stripe.resources import customers, payment_methods
from gatekeeper.sandbox.stripe.state import Call


def _create_customer(app: SandboxApp, _: str, body: Json) -> Json:
    wanted = CustomerBody.model_validate(body)
    details = wanted.model_dump(include={"email", "name", "metadata"}, exclude_none=True)
    call = Call(app.state, params=details)
    payment_method = None
    with app.state.lock:
        customer = customers.create(call)
        if wanted.card is not None:
            payment_method = _put_card_on_file(call, customer["id"], wanted.card)
            if wanted.outcome is not None:
                app.state.cards[payment_method["id"]].behavior = wanted.outcome.behavior()
        answer = deepcopy({"customer": customer, "payment_method": payment_method})
    app.publish(call)
    return answer


def _put_card_on_file(call: Call, customer: str, card: str) -> Json:
    """Attach any test card, also those that the API declines to attach, and make it the default."""
    known = card_by_name(card) or card_by_number(card)
    if known is None:
        raise ValueError("card must be a test card's number, tok_… or pm_card_… id")
    payment_method = payment_methods.new_payment_method(call.state, known)
    payment_methods.put_on_file(call, payment_method, customer)
    call.args = {"customer": customer}
    call.params = {"invoice_settings": {"default_payment_method": payment_method["id"]}}
    customers.update(call)
    return payment_method


def _set_outcome(app: SandboxApp, id_: str, body: Json) -> Json:
    outcome = OutcomeBody.model_validate(body)
    with app.state.lock:
        app.state.find("payment_method", id_, param="id", status=HTTPStatus.NOT_FOUND)
        app.state.cards[id_].behavior = outcome.behavior()
    return outcome.model_dump()


def _reissue(app: SandboxApp, id_: str, body: Json) -> Json:
    wanted = ReissueBody.model_validate(body)
    call = Call(app.state)
    with app.state.lock:
        method = app.state.find("payment_method", id_, param="id", status=HTTPStatus.NOT_FOUND)
        payment_methods.reissue(call, method, **wanted.model_dump())
    app.publish(call)
    return {"id": id_}


ROUTES: Final = (
    ("POST", r"customers", _create_customer),
    ("POST", r"payment_methods/(?P<id>[^/]+)/outcome", _set_outcome),
    ("POST", r"payment_methods/(?P<id>[^/]+)/reissue", _reissue),
)
