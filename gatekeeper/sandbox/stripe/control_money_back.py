"""Control of what takes money back: how refunds end, and disputes."""

from http import HTTPStatus
from typing import Final

from gatekeeper.sandbox.stripe.app import SandboxApp
from gatekeeper.sandbox.stripe.control_bodies import CloseDisputeBody, DisputeBody, SettleRefundBody
from gatekeeper.sandbox.stripe.errors import Json
from gatekeeper.sandbox.stripe.resources import disputes, refunds
from gatekeeper.sandbox.stripe.state import Call


def _settle_refund(app: SandboxApp, id_: str, body: Json) -> Json:
    wanted = SettleRefundBody.model_validate(body)
    reason = wanted.failure_reason if wanted.outcome == "fail" else None
    call = Call(app.state)
    with app.state.lock:
        refund = app.state.find("refund", id_, param="id", status=HTTPStatus.NOT_FOUND)
        status = refunds.settle(call, refund, reason)["status"]
    app.publish(call)
    return {"id": id_, "status": status}


def _open_dispute(app: SandboxApp, id_: str, body: Json) -> Json:
    wanted = DisputeBody.model_validate(body)
    call = Call(app.state)
    with app.state.lock:
        charge = app.state.find("charge", id_, param="id", status=HTTPStatus.NOT_FOUND)
        dispute = disputes.open_dispute(call, charge, **wanted.model_dump())["id"]
    app.publish(call)
    return {"id": dispute}


def _close_dispute(app: SandboxApp, id_: str, body: Json) -> Json:
    outcome = CloseDisputeBody.model_validate(body).outcome
    call = Call(app.state)
    with app.state.lock:
        dispute = app.state.find("dispute", id_, param="id", status=HTTPStatus.NOT_FOUND)
        status = disputes.close(call, dispute, outcome)["status"]
    app.publish(call)
    return {"id": id_, "status": status}


ROUTES: Final = (
    ("POST", r"refunds/(?P<id>[^/]+)/settle", _settle_refund),
    ("POST", r"charges/(?P<id>[^/]+)/dispute", _open_dispute),
    ("POST", r"disputes/(?P<id>[^/]+)/close", _close_dispute),
)
