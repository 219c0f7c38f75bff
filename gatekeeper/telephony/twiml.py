"""The TwiML that requests are answered with: https://www.twilio.com/docs/voice/twiml.

Documents are built with Twilio's library once for each route and message, and then reused. The
library checks nothing; what goes in was checked by `gatekeeper.domain.route`, which also bounds
its size: every document is far smaller than Twilio's limit of 64 kB.
"""

from __future__ import annotations

import functools
from typing import Any, Final

# The library has neither type hints nor stubs.
from twilio.twiml.voice_response import VoiceResponse  # type: ignore[import-untyped]

from gatekeeper.domain.route import DropMessage, Route, RouteKind

#: Twilio speaks text/plain to the caller, and takes this for TwiML.
TWIML_CONTENT_TYPE: Final = "text/xml"

_CACHED_DOCUMENTS: Final = 2048


@functools.lru_cache(maxsize=_CACHED_DOCUMENTS)
def answer_twiml(route: Route) -> bytes:
    """Build the document that lets an answered call go on its way."""
    response = VoiceResponse()
    match route.kind:
        case RouteKind.REDIRECT:
            response.redirect(route.target, method="POST")
        case RouteKind.STREAM:
            stream = response.connect().stream(url=route.target)
            _add_parameters(stream, route)
        case RouteKind.CONVERSATION_RELAY:
            relay = response.connect().conversation_relay(
                url=route.target,
                welcome_greeting=route.welcome_greeting or None,
                language=route.language or None,
                voice=route.voice or None,
            )
            _add_parameters(relay, route)
        case RouteKind.SIP:
            _dial(response, route).sip(route.target)
        case RouteKind.NUMBER:
            _dial(response, route).number(route.target)
    return _to_bytes(response)


@functools.lru_cache(maxsize=_CACHED_DOCUMENTS)
def drop_twiml(message: DropMessage) -> bytes:
    """Build the document that says a call can't be taken, and hangs up."""
    response = VoiceResponse()
    response.say(message.text, voice=message.voice, language=message.language)
    response.hangup()
    return _to_bytes(response)


@functools.cache
def reject_twiml() -> bytes:
    """Build the document that leaves a call unanswered, so that it costs nobody anything."""
    response = VoiceResponse()
    response.reject()
    return _to_bytes(response)


@functools.cache
def empty_twiml() -> bytes:
    """Build the document without instructions: a child leg goes on as it was, uncharged."""
    return _to_bytes(VoiceResponse())


def _dial(response: VoiceResponse, route: Route) -> Any:
    """Add a <Dial>, by default with `answerOnBridge`.

    With it Twilio answers the caller only once the far end has picked up. So when nobody does, the
    caller's own call ends `no-answer`, `busy` or `failed`, and its credit is given back (R2).
    Without it Twilio answers at once: every dialled call ends `completed` and keeps its credit,
    and the caller's carrier bills the ringing too. It has no effect on a call that is answered
    already, such as an outbound one.
    """
    return response.dial(answer_on_bridge=True if route.answer_on_bridge else None)


def _add_parameters(noun: Any, route: Route) -> None:
    for name, value in route.parameters:
        noun.parameter(name=name, value=value)


def _to_bytes(response: VoiceResponse) -> bytes:
    return str(response).encode()
