"""The voice webhook: POST /voice/incoming, /voice/fallback and /voice/status.

A number's voice URL, fallback URL and status callback, in this order. The first two do the same: a
call is decided once, whoever asks and how often. Twilio comes to the fallback URL when it got no
answer in time or could not carry the TwiML out.
https://www.twilio.com/docs/usage/webhooks/voice-webhooks
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import structlog
from werkzeug.exceptions import BadRequest, HTTPException, MethodNotAllowed
from werkzeug.wrappers import Response

from gatekeeper.domain.phone import mask
from gatekeeper.ledger.store import wall_clock_ms
from gatekeeper.telephony.request import MisshapenRequest, VoiceRequest
from gatekeeper.telephony.signature import SignatureChecker
from gatekeeper.telephony.twiml import TWIML_CONTENT_TYPE, empty_twiml
from gatekeeper.web.journal import Ending, Unrecorded
from gatekeeper.web.metrics import count_decision, count_refused_request
from gatekeeper.web.outage import LedgerUnreachable, Outage
from gatekeeper.web.reception import Reception, Reply
from gatekeeper.web.twilio_request import read_voice_request, refusal

#: Decides what one request is answered with. Raises HTTPException to refuse it.
View = Callable[[WSGIEnvironment], WSGIApplication]
#: Views by path.
Views = Mapping[str, View]

_CONTENT_TYPE: Final = f"{TWIML_CONTENT_TYPE}; charset=utf-8"
_HOST_CHARS_MAX: Final = 253
_ERROR_CODE_DIGITS_MAX: Final = 6


def serve_voice(app: WSGIApplication, views: Views) -> WSGIApplication:
    """Serve the voice views, and leave every other path to `app`.

    They are served before Flask begins: they use none of its request, session and routing, which
    would take a third of a call's time (docs/performance.md).
    """

    def served(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        view = views.get(environ.get("PATH_INFO", ""))
        answer = app if view is None else _answer(view, environ)
        return answer(environ, start_response)

    return served


def _answer(view: View, environ: WSGIEnvironment) -> WSGIApplication:
    try:
        if environ["REQUEST_METHOD"] != "POST":
            return MethodNotAllowed(["POST"])
        return view(environ)
    except HTTPException as refused:
        return refused


def voice_views(signatures: SignatureChecker, reception: Reception, outage: Outage) -> Views:
    """Make the view of each of the three paths."""
    log = structlog.get_logger().bind()  # once, and not for each line: see gatekeeper/logs.py

    def decide(environ: WSGIEnvironment) -> WSGIApplication:
        started_ns = time.perf_counter_ns()
        call = read_voice_request(environ, signatures)
        if call.is_child_leg:
            return _twiml(empty_twiml())
        reply = reception.decide(call)
        _report(log, call, reply, time.perf_counter_ns() - started_ns)
        return _twiml(reply.twiml)

    def settle(environ: WSGIEnvironment) -> WSGIApplication:
        call = read_voice_request(environ, signatures)
        try:
            end = call.end
        except MisshapenRequest as error:
            raise refusal(BadRequest, "misshapen", problem=str(error)) from None
        if end is None or call.is_child_leg:
            return _twiml(empty_twiml())
        ending = Ending(end, call.duration_s, wall_clock_ms())
        facts = {"call": call.call_sid, "number": mask(call.gate_number), "end": end}
        try:
            line = Unrecorded(call.call, call.gate_number, None, ending, call.direction)
            recorded = outage.record(line)
        except LedgerUnreachable:
            # It is kept and settled later. Saying so lets Twilio try again where it is told to.
            log.warning("call_end_kept", **facts)
            return Response("503 ledger unreachable\n", 503, content_type="text/plain")
        if recorded is None:
            count_refused_request("unknown_number")
            log.warning("call_end_of_unknown_number", **facts)
        else:
            log.info(
                "call_settled",
                account=recorded.account_id,
                settlement=recorded.settlement,
                duration_s=call.duration_s,
                **facts,
            )
        # Twilio accepts any 2xx; empty TwiML is what raises no warning in its debugger.
        return _twiml(empty_twiml())

    return {"/voice/incoming": decide, "/voice/fallback": decide, "/voice/status": settle}


def _twiml(document: bytes) -> WSGIApplication:
    headers = [("Content-Type", _CONTENT_TYPE), ("Content-Length", str(len(document)))]

    def answer(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", headers)
        return [document]

    return answer


def _report(log: Any, call: VoiceRequest, reply: Reply, taken_ns: int) -> None:
    """Count a decision, and log it in one line."""
    if reply.decision is None:
        count_refused_request("unknown_number")
        line = log.warning
    else:
        count_decision(reply.decision, reply.reason, taken_ns / 1e9)
        line = log.info
    line(
        "call_decided",
        account=reply.account_id,
        call=call.call_sid,
        direction=call.direction,
        number=mask(call.gate_number),
        caller=mask(call.to_number if call.is_outbound else call.from_number),
        decision=reply.decision or "reject",
        reason=reply.reason,
        balance=reply.balance,
        repeated=reply.repeated,
        micros=taken_ns // 1000,
        **_fallback_facts(call),
    )


def _fallback_facts(call: VoiceRequest) -> dict[str, str]:
    """Say why Twilio came to the fallback URL. Of a URL the host alone: the rest may be secret."""
    if call.error_code is None and call.error_url is None:
        return {}
    code = call.error_code or ""
    if not (code.isascii() and code.isdigit() and len(code) <= _ERROR_CODE_DIGITS_MAX):
        code = "unknown"
    try:
        host = urlsplit(call.error_url or "").hostname or ""
    except ValueError:
        host = ""
    return {"error_code": code, "error_host": host[:_HOST_CHARS_MAX]}
