"""Reads a request of Twilio's off the wire: its body, its signature, its shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from flask import Response
from werkzeug.exceptions import BadRequest, Forbidden, HTTPException, RequestEntityTooLarge

from gatekeeper.telephony.request import (
    MAX_BODY_BYTES,
    MisshapenRequest,
    VoiceRequest,
    parse_form,
)
from gatekeeper.telephony.signature import SIGNATURE_HEADER, SignatureChecker
from gatekeeper.web.metrics import RefusedWhy, count_refused_request

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_SIGNATURE: Final = "HTTP_" + SIGNATURE_HEADER.upper().replace("-", "_")
_LENGTH_DIGITS_MAX: Final = 12

log = structlog.get_logger()


def read_voice_request(environ: WSGIEnvironment, signatures: SignatureChecker) -> VoiceRequest:
    """Read a signed voice request.

    Raises Forbidden for what Twilio did not sign, BadRequest for what it signed but never sends,
    RequestEntityTooLarge; each is logged and counted, and has a short text as its response.

    The content type is not looked at: a body that has the signature of its form fields is a form.
    """
    signature = environ.get(_SIGNATURE)
    if not signature:  # whoever sends the body slowly holds a thread: not without a signature
        raise refusal(Forbidden, "bad_signature", problem="the signature header is missing")
    try:
        pairs = parse_form(_read_body(environ))
    except MisshapenRequest as error:
        raise refusal(Forbidden, "bad_signature", problem=str(error)) from None
    account_sid = next((value for name, value in pairs if name == "AccountSid"), "")
    if not signatures.check(account_sid, raw_target(environ), pairs, signature):
        raise refusal(Forbidden, "bad_signature", problem="the signature does not match")
    try:
        return VoiceRequest.from_pairs(pairs)
    except MisshapenRequest as error:
        raise refusal(BadRequest, "misshapen", problem=str(error)) from None


def refusal(kind: type[HTTPException], why: RefusedWhy, *, problem: str) -> HTTPException:
    """Log and count a refused request; `problem` never holds what was sent."""
    log.warning("voice_request_refused", why=why, problem=problem)
    count_refused_request(why)
    name = f"{kind.code} {why.replace('_', ' ')}\n"
    return kind(response=Response(name, kind.code, content_type="text/plain"))


def raw_target(environ: WSGIEnvironment) -> str:
    """Return the request target as it was sent, which is what Twilio signed.

    Servers that keep it call it RAW_URI or REQUEST_URI. Granian 2.8 keeps neither: it decodes the
    path and leaves the query as it came. The paths served here have nothing to decode, so one
    that reads the same was sent the same, or was not signed by Twilio.
    """
    raw = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    if raw:
        return str(raw)
    path = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
    query = environ.get("QUERY_STRING")
    return f"{path}?{query}" if query else path


def _read_body(environ: WSGIEnvironment) -> bytes:
    """Read the body, and never more of it than is allowed.

    Without a length it can be read only from a server that ends the stream (a chunked body).
    """
    declared = environ.get("CONTENT_LENGTH") or ""
    stream = environ["wsgi.input"]
    body: bytes = b""
    if declared.isascii() and declared.isdigit():
        size = int(declared[:_LENGTH_DIGITS_MAX])
        if size <= MAX_BODY_BYTES:
            body = stream.read(size)
    elif environ.get("wsgi.input_terminated"):
        body = stream.read(MAX_BODY_BYTES + 1)
        size = len(body)
    else:
        size = 0
    if size > MAX_BODY_BYTES:
        raise refusal(RequestEntityTooLarge, "misshapen", problem="the body is too large")
    return body
