"""The mailbox's HTTP side: the mail to read, and the control of its behaviour."""

from collections.abc import Callable

from flask import Flask, Response, abort, jsonify, render_template_string, request
from pydantic import ValidationError

from gatekeeper.sandbox.mailbox.behaviour import Behaviour
from gatekeeper.sandbox.mailbox.deliveries import Deliveries, Delivery
from gatekeeper.sandbox.mailbox.pages import LIST_PAGE, MESSAGE_PAGE, OPENING_OUTSIDE, linked
from gatekeeper.sandbox.mailbox.smtp import SmtpServer

# Mail is written by others: no scripts, nothing fetched, only styles and pictures of its own.
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def create_app(deliveries: Deliveries, smtp: SmtpServer) -> Flask:
    """Build the application that shows `deliveries` and steers `smtp`."""
    app = Flask(__name__)
    # A page elsewhere whose host name is pointed at 127.0.0.1 must not read the mail.
    app.config["TRUSTED_HOSTS"] = ["127.0.0.1", "localhost"]
    app.add_template_filter(linked)
    routes: dict[tuple[str, str], Callable[..., Response | str]] = {
        ("GET", "/"): lambda: _list_page(deliveries),
        ("GET", "/messages/<int:number>"): lambda number: _message_page(deliveries, number),
        ("GET", "/messages.json"): lambda: _messages_json(deliveries),
        ("DELETE", "/messages"): lambda: _clear(deliveries),
        ("GET", "/_sandbox/behaviour"): lambda: _state(smtp),
        ("PUT", "/_sandbox/behaviour"): lambda: _set_behaviour(smtp),
    }
    for (method, path), view in routes.items():
        app.add_url_rule(path, endpoint=f"{method} {path}", view_func=view, methods=[method])
    app.after_request(_secure)
    return app


def _secure(response: Response) -> Response:
    response.headers.update(SECURITY_HEADERS)
    return response


def _list_page(deliveries: Deliveries) -> str:
    rows = [(each, deliveries.copies(each)) for each in reversed(deliveries.all())]
    return render_template_string(LIST_PAGE, rows=rows)


def _message_page(deliveries: Deliveries, number: int) -> str:
    delivery = deliveries.find(number)
    if delivery is None:
        abort(404)
    return render_template_string(
        MESSAGE_PAGE,
        message=delivery,
        copies=deliveries.copies(delivery),
        opening_outside=OPENING_OUTSIDE,
    )


def _messages_json(deliveries: Deliveries) -> Response:
    return jsonify([_as_json(each, deliveries.copies(each)) for each in deliveries.all()])


def _as_json(delivery: Delivery, copies: int) -> dict[str, object]:
    return {
        "id": delivery.number,
        "received_at": delivery.received_at.isoformat(),
        "message_id": delivery.message_id,
        "copies": copies,
        "mail_from": delivery.mail_from,
        "recipients": delivery.recipients,
        "from": delivery.header("From"),
        "to": delivery.header("To"),
        "subject": delivery.header("Subject"),
        "headers": delivery.headers,
        "text": delivery.text,
        "html": delivery.html,
    }


def _clear(deliveries: Deliveries) -> Response:
    deliveries.clear()
    return Response(status=204)


def _state(smtp: SmtpServer) -> Response:
    return jsonify(behaviour=smtp.behaviour.model_dump(mode="json"), held=smtp.held)


def _set_behaviour(smtp: SmtpServer) -> Response:
    try:
        smtp.behaviour = Behaviour.model_validate_json(request.get_data())
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        response = jsonify(error="no such behaviour", problems=problems)
        response.status_code = 400
        return response
    return _state(smtp)
