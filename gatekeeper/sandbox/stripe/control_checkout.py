"""Control of Checkout: sessions whose time is up."""

from http import HTTPStatus
from typing import Final

from gatekeeper.sandbox.stripe.app import SandboxApp
from gatekeeper.sandbox.stripe.checkout import expiring
from gatekeeper.sandbox.stripe.errors import Json
from gatekeeper.sandbox.stripe.state import Call


def _expire(app: SandboxApp, id_: str, _: Json) -> Json:
    call = Call(app.state)
    with app.state.lock:
        session = app.state.find("checkout.session", id_, param="id", status=HTTPStatus.NOT_FOUND)
        status = expiring.expire(call, session)["status"]
    app.publish(call)
    return {"id": id_, "status": status}


ROUTES: Final = (("POST", r"checkout_sessions/(?P<id>[^/]+)/expire", _expire),)
