"""The hosted pages: paying or saving a card, the 3D Secure challenge, and receipts.

- `GET /c/pay/ID`, `POST /c/pay/ID`: the page of a Checkout Session, and its form
- `GET /c/pay/ID/authenticate`, `POST /c/pay/ID/authenticate`: the challenge of the card's bank
- `GET /receipts/payment/ID`: the receipt of a charge

They need no key: whoever has the address may pay.
"""

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

from gatekeeper.sandbox.stripe.app import SandboxApp
from gatekeeper.sandbox.stripe.checkout import completing
from gatekeeper.sandbox.stripe.checkout.expiring import expire_if_due
from gatekeeper.sandbox.stripe.checkout.forms import Submission, problems_of
from gatekeeper.sandbox.stripe.checkout.session_params import offers_saving
from gatekeeper.sandbox.stripe.checkout.views import html_page, redirect, stylesheet
from gatekeeper.sandbox.stripe.errors import Json, StripeError
from gatekeeper.sandbox.stripe.state import Call
from gatekeeper.sandbox.stripe.wire import Reply, Request

PREFIXES: Final = ("/c/", "/receipts/")

# call, the object that the path names, the request → answer
_View = Callable[[Call, Json, Request], Reply]


def handle(app: SandboxApp, request: Request) -> Reply:
    """Answer a browser."""
    if request.path == "/c/checkout.css":
        return stylesheet()
    for method, pattern, kind, view in _ROUTES:
        found = pattern.fullmatch(request.path)
        if found and method == request.method:
            return _show(app, kind, found["id"], view, request)
    return _missing()


def _show(app: SandboxApp, kind: str, id_: str, view: _View, request: Request) -> Reply:
    call = Call(app.state)
    with app.state.lock:
        body = app.state.objects[kind].get(id_)
        reply = view(call, body, request) if body is not None else _missing()
    app.publish(call)
    return reply


def _missing() -> Reply:
    return html_page("missing.html", HTTPStatus.NOT_FOUND)


def _see_session(call: Call, session: Json, _: Request) -> Reply:
    if expire_if_due(call, session)["status"] != "open":
        return _closed(session)
    return _form(call, session, Submission())


def _submit(call: Call, session: Json, request: Request) -> Reply:
    if expire_if_due(call, session)["status"] != "open":
        return _closed(session, HTTPStatus.CONFLICT)
    submission = Submission.read(request.body)
    email = completing.known_email(call, session)
    if email is not None:
        submission = submission.with_email(email)
    if problems := submission.problems():
        return _form(call, session, submission, problems, HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        completing.submit(call, session, submission)
    except StripeError as error:
        return _form(call, session, submission, problems_of(error), error.status)
    if session["status"] == "complete":
        return _to_success(session)
    return redirect(f"/c/pay/{session['id']}/authenticate")


def _see_challenge(call: Call, session: Json, _: Request) -> Reply:
    if expire_if_due(call, session)["status"] != "open":
        return _closed(session)
    if not completing.is_challenged(call, session):
        return redirect(f"/c/pay/{session['id']}")
    return html_page("authenticate.html", leads_to=session["success_url"], session=session)


def _end_challenge(call: Call, session: Json, request: Request) -> Reply:
    if expire_if_due(call, session)["status"] != "open":
        return _closed(session, HTTPStatus.CONFLICT)
    if not completing.is_challenged(call, session):
        return redirect(f"/c/pay/{session['id']}")
    passed = parse_qs(request.body.decode(errors="replace")).get("outcome") == ["complete"]
    message = completing.authenticate(call, session, passed=passed)
    if message is None:
        return _to_success(session)
    again = completing.last_submission(call, session)
    return _form(call, session, again, {"": message}, HTTPStatus.PAYMENT_REQUIRED)


def _to_success(session: Json) -> Reply:
    return redirect(_success_url(session))


def _success_url(session: Json) -> str:
    url: str = session["success_url"]
    return url.replace("{CHECKOUT_SESSION_ID}", session["id"])


def _form(
    call: Call,
    session: Json,
    submission: Submission,
    problems: Mapping[str, str] | None = None,
    status: int = HTTPStatus.OK,
) -> Reply:
    """Show the form. The card's number and code are never sent back, as they may be real ones."""
    notes = call.state.checkouts[session["id"]]
    products = call.state.objects["product"]
    return html_page(
        "pay.html",
        status,
        leads_to=session["success_url"],
        session=session,
        items=[(item, products[item["price"]["product"]]) for item in notes.line_items],
        known_email=completing.known_email(call, session),
        offers_saving=offers_saving(session),
        saves=session["mode"] == "setup" or bool(notes.intent_data.get("setup_future_usage")),
        submission=submission,
        problems=problems or {},
    )


def _closed(session: Json, status: int = HTTPStatus.OK) -> Reply:
    return html_page("closed.html", status, session=session, success_url=_success_url(session))


def _receipt(_call: Call, charge: Json, _: Request) -> Reply:
    if not charge["paid"]:
        return _missing()
    return html_page("receipt.html", charge=charge, card=charge["payment_method_details"]["card"])


_ROUTES: Final[tuple[tuple[str, re.Pattern[str], str, _View], ...]] = tuple(
    (method, re.compile(pattern), kind, view)
    for method, pattern, kind, view in (
        ("GET", r"/c/pay/(?P<id>[^/]+)", "checkout.session", _see_session),
        ("POST", r"/c/pay/(?P<id>[^/]+)", "checkout.session", _submit),
        ("GET", r"/c/pay/(?P<id>[^/]+)/authenticate", "checkout.session", _see_challenge),
        ("POST", r"/c/pay/(?P<id>[^/]+)/authenticate", "checkout.session", _end_challenge),
        ("GET", r"/receipts/payment/(?P<id>[^/]+)", "charge", _receipt),
    )
)
