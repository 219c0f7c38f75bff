"""The control interface under `/_sandbox/`: JSON in, JSON out, no key needed.

- `POST customers`: a customer, with a card as its default if asked for
- `POST payment_methods/ID/outcome`: what its card does from now on
- `POST payment_methods/ID/reissue`: a new expiry of its card, or number, as its network tells
- `POST payment_intents/ID/settle`: the end of a processing payment or of a 3D Secure challenge
- `POST setup_intents/ID/settle`: the end of a 3D Secure challenge
- `POST checkout_sessions/ID/expire`: the end of a Checkout Session that nobody paid
- `POST refunds/ID/settle`: the end of a refund, which can fail even after it has succeeded
- `POST charges/ID/dispute`: a dispute over a charge
- `POST disputes/ID/close`: the end of a dispute
- `POST clock`: move the time forward for subscriptions and Checkout Sessions
- `POST subscriptions/ID/exhaust_retries`: what comes after being past due
- `GET faults`, `POST faults`, `DELETE faults`: the queue of faults (see `faults`)
- `GET held?count=N&wait_s=S`: the requests held, after waiting for N of them
- `POST release`: let held requests go on
- `GET requests`: every API request seen
- `GET charges`: how many charges succeeded and failed, in all and by customer
- `GET webhooks?wait_s=S`: settings and deliveries, after waiting until none is pending
- `POST webhooks`: change the settings (see `webhooks.WebhookSettings`)
- `POST webhooks/release`: deliver held events
- `POST events/ID/deliver`: deliver an event once more
- `POST idempotency_keys/prune`: forget a key, or all of them
- `POST reset`: forget everything

`control_bodies` has the bodies, and `client` a Python client.
"""

import json
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

from pydantic import ValidationError

from gatekeeper.sandbox.stripe import (
    charging,
    control_billing,
    control_cards,
    control_checkout,
    control_money_back,
)
from gatekeeper.sandbox.stripe.app import SandboxApp
from gatekeeper.sandbox.stripe.billing import lifecycle
from gatekeeper.sandbox.stripe.checkout import completing
from gatekeeper.sandbox.stripe.control_bodies import (
    FaultBody,
    HeldQuery,
    PruneBody,
    ReleaseBody,
    ReleaseEventsBody,
    SettleBody,
    WebhooksQuery,
)
from gatekeeper.sandbox.stripe.errors import Json, StripeError
from gatekeeper.sandbox.stripe.resources import setup_intents
from gatekeeper.sandbox.stripe.state import Call
from gatekeeper.sandbox.stripe.webhooks import WebhookSettings
from gatekeeper.sandbox.stripe.wire import Reply, Request, json_reply

PREFIX: Final = "/_sandbox/"

# app, id in the path, body or query → answer
_Handler = Callable[[SandboxApp, str, Json], Any]


def handle(app: SandboxApp, request: Request) -> Reply:
    """Answer a request to the control interface; what is wrong with it is a 400 or 404."""
    action = request.path.removeprefix(PREFIX)
    for method, pattern, handler in _ROUTES:
        found = pattern.fullmatch(action)
        if found and method == request.method:
            return _run(app, handler, found.groupdict().get("id", ""), request)
    return json_reply({"error": f"there is no {request.method} {request.path}"}, 404)


def _run(app: SandboxApp, handler: _Handler, id_: str, request: Request) -> Reply:
    try:
        return json_reply(handler(app, id_, _body_or_query(request)))
    except StripeError as error:
        return json_reply({"error": error.message}, error.status)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        return json_reply({"error": "; ".join(problems)}, HTTPStatus.BAD_REQUEST)
    except ValueError as error:
        return json_reply({"error": str(error)}, HTTPStatus.BAD_REQUEST)


def _body_or_query(request: Request) -> Json:
    if not request.body:
        return dict(parse_qsl(request.query))
    body = json.loads(request.body)
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object")  # noqa: TRY004 - becomes a 400
    return body


def _settle_payment(app: SandboxApp, id_: str, body: Json) -> Json:
    reason = SettleBody.model_validate(body).reason()
    call = Call(app.state)
    with app.state.lock:
        intent = app.state.find("payment_intent", id_, param="id", status=HTTPStatus.NOT_FOUND)
        status = charging.settle(call, intent, reason)["status"]
        lifecycle.settle(call, intent)
        completing.follow(call, intent)
    app.publish(call)
    return {"id": id_, "status": status}


def _settle_setup(app: SandboxApp, id_: str, body: Json) -> Json:
    passed = SettleBody.model_validate(body).reason() is None
    call = Call(app.state)
    with app.state.lock:
        intent = app.state.find("setup_intent", id_, param="id", status=HTTPStatus.NOT_FOUND)
        status = setup_intents.settle(call, intent, passed=passed)["status"]
        completing.follow(call, intent)
    app.publish(call)
    return {"id": id_, "status": status}


def _add_fault(app: SandboxApp, _: str, body: Json) -> Json:
    wanted = FaultBody.model_validate(body)
    settings = wanted.model_dump(exclude={"path"})
    return app.faults.add(path=re.compile(wanted.path), **settings).describe()


def _list_faults(app: SandboxApp, _id: str, _body: Json) -> Json:
    return {"faults": app.faults.waiting()}


def _clear_faults(app: SandboxApp, _id: str, _body: Json) -> Json:
    app.faults.clear()
    return {"faults": []}


def _held(app: SandboxApp, _: str, body: Json) -> Json:
    query = HeldQuery.model_validate(body)
    return {"held": app.holds.held(count=query.count, wait_s=query.wait_s)}


def _release(app: SandboxApp, _: str, body: Json) -> Json:
    return {"released": app.holds.release(ReleaseBody.model_validate(body).request_id)}


def _requests(app: SandboxApp, _id: str, _body: Json) -> Json:
    return {"requests": app.journal.entries()}


def _charges(app: SandboxApp, _id: str, _body: Json) -> Json:
    by_customer: dict[str, Json] = {}
    total = _no_charges()
    with app.state.lock:
        for charge in app.state.all("charge"):
            mine = by_customer.setdefault(charge["customer"] or "", _no_charges())
            for sums in (total, mine):
                _count(sums, charge)
    return {**total, "customers": by_customer}


def _no_charges() -> Json:
    return {"succeeded": 0, "succeeded_minor": 0, "failed": 0, "pending": 0}


def _count(sums: Json, charge: Json) -> None:
    sums[charge["status"]] += 1
    if charge["status"] == "succeeded":
        sums["succeeded_minor"] += charge["amount"]


def _webhooks(app: SandboxApp, _: str, body: Json) -> Json:
    wait_s = WebhooksQuery.model_validate(body).wait_s
    if wait_s:
        app.webhooks.wait_settled(None, wait_s)
    settings = app.webhooks.settings.model_dump(exclude={"secret"})
    return {"settings": settings, "deliveries": app.webhooks.describe()}


def _configure_webhooks(app: SandboxApp, _: str, body: Json) -> Json:
    current = app.webhooks.settings.model_dump()
    app.webhooks.configure(WebhookSettings.model_validate({**current, **body}))
    return app.webhooks.settings.model_dump(exclude={"secret"})


def _release_events(app: SandboxApp, _: str, body: Json) -> Json:
    wanted = ReleaseEventsBody.model_validate(body)
    released = app.webhooks.release(event_ids=wanted.events, backwards=wanted.order == "reversed")
    return {"released": released}


def _deliver_event(app: SandboxApp, id_: str, _: Json) -> Json:
    with app.state.lock:
        event = app.state.find("event", id_, param="id", status=HTTPStatus.NOT_FOUND)
    app.webhooks.redeliver(event)
    return {"event": id_}


def _prune(app: SandboxApp, _: str, body: Json) -> Json:
    app.keys.prune(PruneBody.model_validate(body).key)
    return {}


def _reset(app: SandboxApp, _id: str, _body: Json) -> Json:
    app.reset()
    return {}


_ROUTES: Final[tuple[tuple[str, re.Pattern[str], _Handler], ...]] = tuple(
    (method, re.compile(pattern), handler)
    for method, pattern, handler in (
        ("POST", r"payment_intents/(?P<id>[^/]+)/settle", _settle_payment),
        ("POST", r"setup_intents/(?P<id>[^/]+)/settle", _settle_setup),
        *control_cards.ROUTES,
        *control_checkout.ROUTES,
        *control_money_back.ROUTES,
        *control_billing.ROUTES,
        ("GET", r"faults", _list_faults),
        ("POST", r"faults", _add_fault),
        ("DELETE", r"faults", _clear_faults),
        ("GET", r"held", _held),
        ("POST", r"release", _release),
        ("GET", r"requests", _requests),
        ("GET", r"charges", _charges),
        ("GET", r"webhooks", _webhooks),
        ("POST", r"webhooks", _configure_webhooks),
        ("POST", r"webhooks/release", _release_events),
        ("POST", r"events/(?P<id>[^/]+)/deliver", _deliver_event),
        ("POST", r"idempotency_keys/prune", _prune),
        ("POST", r"reset", _reset),
    )
)
