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
    is_account_sid,
    parse_form,
)
from gatekeeper.telephony.signature import SIGNATURE_HEADER, SignatureChecker
from gatekeeper.web.bodies import BodyTooLarge, read_body
from gatekeeper.web.metrics import RefusedWhy, count_refused_request

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_SIGNATURE: Final = "HTTP_" + SIGNATURE_HEADER.upper().replace("-", "_")

log = structlog.get_logger()


def read_voice_request(environ: WSGIEnvironment, signatures: SignatureChecker) -> VoiceRequest:
    """Read a signed voice request.

    Raises Forbidden for what Twilio did not sign, BadRequest for what it signed but never sends,
    RequestEntityTooLarge; each is logged and counted, and has a short text as its response.

    The content type is not looked at: a body that has the signature of its form fields is a form.
    """
    signature = environ.get(_SIGNATURE)
    if not signature:
        raise refusal(Forbidden, "bad_signature", problem="the signature header is missing")
    try:
        pairs = parse_form(read_body(environ, MAX_BODY_BYTES))
    except MisshapenRequest as error:
        raise refusal(Forbidden, "bad_signature", problem=str(error)) from None
    except BodyTooLarge:
        raise refusal(RequestEntityTooLarge, "misshapen", problem="the body is too large") from None
    account_sid = next((value for name, value in pairs if name == "AccountSid"), "")
    if not signatures.check(account_sid, raw_target(environ), pairs, signature):
        raise _unsigned(account_sid, environ, signatures)
    try:
        return VoiceRequest.from_pairs(pairs)
    except MisshapenRequest as error:
        raise refusal(BadRequest, "misshapen", problem=str(error)) from None


def _unsigned(
    account_sid: str, environ: WSGIEnvironment, signatures: SignatureChecker
) -> HTTPException:
    """Refuse a wrong signature, with what on-call compares when it is their own mistake."""
    known = signatures.knows(account_sid)
    problem = "the signature does not match" if known else "no token for this AccountSid"
    return refusal(
        Forbidden,
        "bad_signature",
        problem=problem,
        account_sid=account_sid if is_account_sid(account_sid) else "misshapen",
        checked_url=f"{signatures.public_url}{environ.get('PATH_INFO', '')}",
    )


def refusal(
    kind: type[HTTPException], why: RefusedWhy, *, problem: str, **facts: str
) -> HTTPException:
    """Log and count a refused request; `problem` and `facts` hold nothing misshapen."""
    log.warning("voice_request_refused", why=why, problem=problem, **facts)
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
