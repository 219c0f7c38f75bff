"""How an answered call goes on (`Route`), and how a dropped one is told (`DropMessage`).

Both are stored as one text field. Both are checked when they are made, so that whatever is stored
turns into TwiML that Twilio accepts, far below its limit of 64 kB (Twilio error 11750).
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self
from urllib.parse import urlsplit

from gatekeeper.domain.phone import is_e164

MAX_URL_CHARS: Final = 2048
#: https://www.twilio.com/docs/voice/twiml/sip: a URI under 255 characters, headers under 1024.
MAX_SIP_URI_CHARS: Final = 254
MAX_SIP_HEADERS_CHARS: Final = 1023
#: https://www.twilio.com/docs/voice/twiml/stream#custom-parameters: name and value of one
#: parameter together stay under 500 characters. The number of parameters is our own limit.
MAX_PARAMETER_CHARS: Final = 499
MAX_PARAMETERS: Final = 10
#: Spoken, this is about half a minute; nobody listens to more before a hang-up.
MAX_SPOKEN_CHARS: Final = 500

_CACHED_TEXTS: Final = 2048

# Characters that RFC 3986 lets a URL have; anything else must arrive percent-encoded.
_URL_CHARS = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
# Twilio refuses callback host names with underscores, so they are not allowed here either.
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?"
_HOST_NAME = re.compile(_HOST)
# RFC 3261 §25.1, without the rare `?` in a user name: it would make the headers ambiguous.
_SIP_URI = re.compile(
    rf"sips?:(?:[A-Za-z0-9\-_.!~*'()&=+$,;/%:]+@)?(?:{_HOST}|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{1,5}})?"
    r"(?:;[A-Za-z0-9\-_.!~*'()\[\]/:&+$%=]+)*"
    r"(?:\?[A-Za-z0-9\-_.!~*'()\[\]/?:+$%=&]+)?",
    re.IGNORECASE,
)
# BCP 47 in shape only: Twilio's list of languages and voices grows without notice.
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,3}")
# `alice`, `Polly.Joanna-Neural`, `Google.en-US-Chirp3-HD-Aoede`, ElevenLabs ids with `_`.
_VOICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# Control characters, and the code points that XML 1.0 cannot carry at all.
_UNSPEAKABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_LINE_BREAKS_AND_TABS = str.maketrans("\r\n\t", "   ")


class InvalidRoute(ValueError):
    """A route cannot be used. The message says what is wrong and never repeats what was given."""


class InvalidDropMessage(ValueError):
    """A drop message cannot be used. The message never repeats what was given."""


class RouteKind(StrEnum):
    """The ways an answered call can go on; the TwiML that does it."""

    REDIRECT = "redirect"  # <Redirect>: the receptionist's own TwiML URL
    STREAM = "stream"  # <Connect><Stream>: audio over a WebSocket
    CONVERSATION_RELAY = "conversation_relay"  # <Connect><ConversationRelay>: text over one
    SIP = "sip"  # <Dial><Sip>
    NUMBER = "number"  # <Dial><Number>


_WITH_PARAMETERS = frozenset({RouteKind.STREAM, RouteKind.CONVERSATION_RELAY})
_WITH_DIAL = frozenset({RouteKind.SIP, RouteKind.NUMBER})
_RELAY_PREFIX = f"{RouteKind.CONVERSATION_RELAY}:"
_KIND_BY_SCHEME = {
    "http": RouteKind.REDIRECT,
    "https": RouteKind.REDIRECT,
    "wss": RouteKind.STREAM,
    "sip": RouteKind.SIP,
    "sips": RouteKind.SIP,
}


@dataclass(frozen=True, slots=True)
class Route:
    """Where an answered call goes. Raises InvalidRoute when Twilio could not follow it.

    `parameters` reach a stream's or relay's server with its first message. `welcome_greeting`,
    `language` and `voice` are a relay's; empty means Twilio's default. `answer_on_bridge` is a
    dialled route's, see `gatekeeper.telephony.twiml`.

    Target and parameters may hold credentials (user information, tokens), so `repr` leaves them
    out.
    """

    kind: RouteKind
    target: str = field(repr=False)
    parameters: tuple[tuple[str, str], ...] = field(default=(), repr=False, kw_only=True)
    welcome_greeting: str = field(default="", kw_only=True)
    language: str = field(default="", kw_only=True)
    voice: str = field(default="", kw_only=True)
    answer_on_bridge: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        _CHECK_TARGET[self.kind](self.target)
        if self.parameters:
            _check_parameters(self.kind, self.parameters)
        if self.welcome_greeting or self.language or self.voice:
            _check_speech(self)
        if not self.answer_on_bridge and self.kind not in _WITH_DIAL:
            raise InvalidRoute("answer_on_bridge belongs to sip and number routes only")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what a person writes: a target whose form tells the kind.

        `https://…` redirects, `wss://…` streams, `sip:…` and `+15551234567` dial. A relay's URL
        looks like a stream's, so it is written `conversation_relay:wss://…`. Raises InvalidRoute.
        """
        target = text.strip()
        if target.startswith(_RELAY_PREFIX):
            return cls(RouteKind.CONVERSATION_RELAY, target.removeprefix(_RELAY_PREFIX))
        if target.startswith("+"):
            return cls(RouteKind.NUMBER, target)
        kind = _KIND_BY_SCHEME.get(target.partition(":")[0].lower())
        if kind is None:
            raise InvalidRoute(
                "a route must be an http://, https:// or wss:// URL, a sip: URI, a phone number"
                " such as +15551234567, or conversation_relay: and a wss:// URL"
            )
        return cls(kind, target)

    def to_text(self) -> str:
        """Write the route as compact JSON, defaults left out."""
        fields: dict[str, Any] = {"kind": self.kind.value, "target": self.target}
        if self.parameters:
            fields["parameters"] = dict(self.parameters)
        for name in ("welcome_greeting", "language", "voice"):
            if value := getattr(self, name):
                fields[name] = value
        if not self.answer_on_bridge:
            fields["answer_on_bridge"] = False
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    @functools.lru_cache(maxsize=_CACHED_TEXTS)
    def from_text(cls, text: str) -> Self:
        """Read what `to_text` wrote. Raises InvalidRoute. Cached: each call's route passes here."""
        try:
            fields = _load(text, _ROUTE_FIELDS)
            kind = RouteKind(fields.pop("kind", ""))
        except _UNREADABLE:
            raise InvalidRoute("the stored route is not one that to_text wrote") from None
        parameters = tuple(fields.pop("parameters", {}).items())
        return cls(kind, fields.pop("target", ""), parameters=parameters, **fields)


@dataclass(frozen=True, slots=True)
class DropMessage:
    """What a caller hears before the hang-up. Raises InvalidDropMessage.

    Line breaks and tabs become spaces: they mean nothing when spoken. `language` and `voice` are
    those of https://www.twilio.com/docs/voice/twiml/say.
    """

    text: str
    language: str = "en-US"
    voice: str = "Polly.Joanna-Neural"

    def __post_init__(self) -> None:
        text = self.text.translate(_LINE_BREAKS_AND_TABS)
        if _UNSPEAKABLE.search(text):
            raise InvalidDropMessage("the message must not have control characters")
        text = text.strip()
        if not 1 <= len(text) <= MAX_SPOKEN_CHARS:
            raise InvalidDropMessage(f"the message must have 1 to {MAX_SPOKEN_CHARS} characters")
        if not _LANGUAGE.fullmatch(self.language):
            raise InvalidDropMessage("the language must be a tag such as en-US")
        if not _VOICE.fullmatch(self.voice):
            raise InvalidDropMessage("the voice must be a name such as Polly.Joanna-Neural")
        object.__setattr__(self, "text", text)

    def to_text(self) -> str:
        """Write the message as compact JSON."""
        fields = {"text": self.text, "language": self.language, "voice": self.voice}
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    @functools.lru_cache(maxsize=_CACHED_TEXTS)
    def from_text(cls, text: str) -> Self:
        """Read what `to_text` wrote. Raises InvalidDropMessage. Cached like `Route.from_text`."""
        try:
            fields = _load(text, _DROP_MESSAGE_FIELDS)
        except _UNREADABLE:
            raise InvalidDropMessage("the stored message is not one that to_text wrote") from None
        return cls(fields.pop("text", ""), **fields)


#: Callers hear nothing about billing (R14).
DEFAULT_DROP_MESSAGE: Final = DropMessage(
    "We are sorry, this call can't be taken right now. Goodbye."
)

_ROUTE_FIELDS: dict[str, type] = {
    "kind": str,
    "target": str,
    "parameters": dict,
    "welcome_greeting": str,
    "language": str,
    "voice": str,
    "answer_on_bridge": bool,
}
_DROP_MESSAGE_FIELDS: dict[str, type] = {"text": str, "language": str, "voice": str}
_UNREADABLE = (ValueError, TypeError, RecursionError)


def _load(text: str, types: dict[str, type]) -> dict[str, Any]:
    """Read a JSON object that has fields of these types only. Raises what _UNREADABLE lists."""
    fields = json.loads(text)
    if not isinstance(fields, dict):
        raise TypeError("not an object")
    for name, value in fields.items():
        if not isinstance(value, types.get(name, type(None))):
            raise TypeError("an unknown field, or one of the wrong type")
    return fields


def _check_url(target: str, schemes: tuple[str, ...], what: str) -> None:
    if len(target) > MAX_URL_CHARS or not _URL_CHARS.fullmatch(target):
        raise InvalidRoute(
            f"the target must be {what} of at most {MAX_URL_CHARS} characters, percent-encoded"
            " where it has spaces, quotes or letters beyond ASCII"
        )
    try:
        parts = urlsplit(target)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise InvalidRoute("the target's host or port is not valid") from None
    if parts.scheme not in schemes or not host:
        raise InvalidRoute(f"the target must be {what}")
    if port == 0 or (":" not in host and not _HOST_NAME.fullmatch(host)):
        raise InvalidRoute("the target's host may have letters, digits, dots and hyphens only")


def _check_redirect(target: str) -> None:
    _check_url(target, ("http", "https"), "an http:// or https:// URL")


def _check_websocket(target: str) -> None:
    # wss is all that Twilio connects to (error 31922).
    _check_url(target, ("wss",), "a wss:// URL")
    if "#" in target:
        raise InvalidRoute("a WebSocket's URL cannot have a fragment (#)")


def _check_stream(target: str) -> None:
    _check_websocket(target)
    if "?" in target:
        # https://www.twilio.com/docs/api/errors/31920
        raise InvalidRoute("Twilio drops the query of a stream's URL: use parameters instead")


def _check_sip(target: str) -> None:
    uri, _, headers = target.partition("?")
    if len(uri) > MAX_SIP_URI_CHARS or len(headers) > MAX_SIP_HEADERS_CHARS:
        raise InvalidRoute(
            f"a SIP URI may have {MAX_SIP_URI_CHARS} characters"
            f" and {MAX_SIP_HEADERS_CHARS} of headers"
        )
    if not _SIP_URI.fullmatch(target):
        raise InvalidRoute("the target must be a SIP URI such as sip:reception@example.com")


def _check_number(target: str) -> None:
    if not is_e164(target):
        raise InvalidRoute("the target must be a phone number such as +15551234567")


_CHECK_TARGET: dict[RouteKind, Callable[[str], None]] = {
    RouteKind.REDIRECT: _check_redirect,
    RouteKind.STREAM: _check_stream,
    RouteKind.CONVERSATION_RELAY: _check_websocket,
    RouteKind.SIP: _check_sip,
    RouteKind.NUMBER: _check_number,
}


def _check_parameters(kind: RouteKind, parameters: tuple[tuple[str, str], ...]) -> None:
    if kind not in _WITH_PARAMETERS:
        raise InvalidRoute("parameters belong to stream and conversation_relay routes only")
    if len(parameters) > MAX_PARAMETERS:
        raise InvalidRoute(f"a route may have {MAX_PARAMETERS} parameters")
    if len({name for name, _ in parameters}) < len(parameters):
        raise InvalidRoute("a parameter's name must not occur twice")
    for position, (name, value) in enumerate(parameters, start=1):
        if not isinstance(name, str) or not isinstance(value, str) or not name:
            raise InvalidRoute(f"parameter {position} must have a name and a text as its value")
        if len(name) + len(value) > MAX_PARAMETER_CHARS:
            raise InvalidRoute(
                f"parameter {position} is longer than {MAX_PARAMETER_CHARS} characters,"
                " name and value together"
            )
        if _UNSPEAKABLE.search(name) or _UNSPEAKABLE.search(value):
            raise InvalidRoute(f"parameter {position} must not have control characters")


def _check_speech(route: Route) -> None:
    if route.kind is not RouteKind.CONVERSATION_RELAY:
        raise InvalidRoute(
            "welcome_greeting, language and voice belong to conversation_relay routes only"
        )
    if len(route.welcome_greeting) > MAX_SPOKEN_CHARS:
        raise InvalidRoute(f"welcome_greeting may have {MAX_SPOKEN_CHARS} characters")
    if _UNSPEAKABLE.search(route.welcome_greeting):
        raise InvalidRoute("welcome_greeting must not have control characters")
    if route.language and not _LANGUAGE.fullmatch(route.language):
        raise InvalidRoute("language must be a tag such as en-US")
    if route.voice and not _VOICE.fullmatch(route.voice):
        raise InvalidRoute("voice must be a name such as en-US-Journey-O")
