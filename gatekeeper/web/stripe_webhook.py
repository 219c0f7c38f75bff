"""POST /stripe/webhook: what Stripe tells on its own.

| answer | when |
|---|---|
| 200 | told to the ledger, known before, written down as owed, or nothing to us |
| 400 | not an event signed by Stripe |
| 409 | money that does not fit its top-off; Stripe shows it as failing and repeats it for days |
| 413 | longer than any event |
| 503 | the ledger cannot be reached; Stripe repeats it |
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import structlog
from flask import Blueprint, Response, request

from gatekeeper.ledger.ledger import Ledger
from gatekeeper.payments.events import BadEvent, StripeEvent, parse_event
from gatekeeper.payments.telling import EventOutcome, apply_event
from gatekeeper.web.bodies import BodyTooLarge, read_body
from gatekeeper.web.metrics import count_stripe_webhook
from gatekeeper.web.outage import LedgerUnreachable, Outage

MAX_BODY_BYTES: Final = 1024 * 1024

_log = structlog.get_logger()

_STATUS: Final = {EventOutcome.MISMATCH: HTTPStatus.CONFLICT}
_LEVEL: Final = {
    EventOutcome.MISMATCH: "error",
    EventOutcome.UNKNOWN_ACCOUNT: "error",
    EventOutcome.UNKNOWN_TOPOFF: "warning",
    EventOutcome.STRAY: "warning",
}


def stripe_webhook_blueprint(
    ledger: Ledger, secrets: Sequence[str], outage: Outage, *, price_minor: int
) -> Blueprint:
    """Make the blueprint. An event signed with any of the `secrets` is Stripe's.

    `price_minor` is the default price of a credit.

    It asks the ledger as calls do: it must not hold their threads while the ledger stalls.
    """
    blueprint = Blueprint("stripe_webhook", __name__)

    def tell(event: StripeEvent) -> EventOutcome:
        return apply_event(event, ledger, price_minor=price_minor)

    @blueprint.post("/stripe/webhook")
    def receive() -> Response:
        try:
            payload = read_body(request.environ, MAX_BODY_BYTES)
        except BodyTooLarge:
            return _refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too long")
        try:
            event = parse_event(payload, request.headers.get("Stripe-Signature", ""), secrets)
        except BadEvent as problem:
            return _refuse(HTTPStatus.BAD_REQUEST, str(problem))
        try:
            return _told(event, outage.ask(lambda: tell(event)))
        except LedgerUnreachable:
            return _untold(event)

    return blueprint


def _told(event: StripeEvent, outcome: EventOutcome) -> Response:
    level = _LEVEL.get(outcome, "info")
    getattr(_log, level)("stripe_event", **event.facts, outcome=outcome.value)
    count_stripe_webhook(event.type, outcome.value)
    return _answer(_STATUS.get(outcome, HTTPStatus.OK), outcome.value)


def _untold(event: StripeEvent) -> Response:
    outcome: Final = "ledger_unreachable"
    _log.error("stripe_event", **event.facts, outcome=outcome)
    count_stripe_webhook(event.type, outcome)
    return _answer(HTTPStatus.SERVICE_UNAVAILABLE, outcome)


def _refuse(status: HTTPStatus, problem: str) -> Response:
    _log.warning("stripe_event_refused", status=status.value, problem=problem)
    count_stripe_webhook(None, "refused")
    return _answer(status, problem)


def _answer(status: HTTPStatus, words: str) -> Response:
    return Response(f"{words}\n", status, mimetype="text/plain")
