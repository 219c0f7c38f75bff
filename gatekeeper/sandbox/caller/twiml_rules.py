"""The TwiML that may be returned: which element holds what.

Twilio publishes no schema, and its library takes made-up names, so this is a list of what is
allowed: the verbs a gate has a use for, with the attributes and values of Twilio's documentation.
Source: https://www.twilio.com/docs/voice/twiml
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

Check = Callable[[str], bool]

SPOKEN_CHARS_MAX: Final = 4096
PARAMETER_CHARS_MAX: Final = 500
_DIGITS: Final = re.compile(r"[0-9]{1,9}")
_E164: Final = re.compile(r"\+[1-9]\d{6,14}")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_VOICE: Final = re.compile(r"[A-Za-z0-9]+([._-][A-Za-z0-9]+)*")
_SIP_ADDRESS: Final = re.compile(r"sips?:[^\s@]+(@[^\s@]+)?")


@dataclass(frozen=True, slots=True)
class ElementRule:
    """What an element may hold.

    `text` None: none at all. `nouns`: names of child elements, of which there must be exactly
    one, unless text stands in for it. `children`: names of child elements, any number of them.
    `attribute_chars_max` limits all attribute values together.
    """

    attributes: dict[str, Check] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    text: Check | None = None
    nouns: frozenset[str] = frozenset()
    children: frozenset[str] = frozenset()
    attribute_chars_max: int | None = None


def _one_of(*values: str) -> Check:
    return frozenset(values).__contains__


def _integer(minimum: int, maximum: int) -> Check:
    return lambda text: _DIGITS.fullmatch(text) is not None and minimum <= int(text) <= maximum


def _matches(pattern: re.Pattern[str]) -> Check:
    return lambda text: pattern.fullmatch(text) is not None


def _text(chars_max: int) -> Check:
    return lambda text: bool(text.strip()) and len(text) <= chars_max


def _url(text: str) -> bool:
    """Whether `text` is an absolute http(s) URL, or one relative to the document's."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    absolute = parts.scheme in ("http", "https") and bool(parts.hostname)
    relative = not parts.scheme and not parts.netloc and bool(parts.path)
    return (absolute or relative) and not re.search(r"\s", text)


def _wss_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme == "wss" and bool(parts.hostname) and not re.search(r"\s", text)


def _stream_url(text: str) -> bool:
    # Twilio doesn't pass a query on; values travel in <Parameter>.
    return _wss_url(text) and "?" not in text and "#" not in text


_BOOLEAN = _one_of("true", "false")
_METHOD = _one_of("GET", "POST")
_WORD = _text(256)
_ACTION: Final[dict[str, Check]] = {"action": _url, "method": _METHOD}
_STATUS_CALLBACK: Final[dict[str, Check]] = {
    "statusCallback": _url,
    "statusCallbackMethod": _METHOD,
}
_DIALLED_PARTY: Final[dict[str, Check]] = {
    **_STATUS_CALLBACK,
    "url": _url,
    "method": _METHOD,
    "statusCallbackEvent": _matches(
        re.compile(r"(initiated|ringing|answered|completed)( (ringing|answered|completed))*")
    ),
}

RULES: Final[dict[str, ElementRule]] = {
    "Response": ElementRule(
        children=frozenset(
            {"Say", "Play", "Pause", "Hangup", "Reject", "Redirect", "Connect", "Dial"}
        )
    ),
    "Say": ElementRule(
        attributes={
            "voice": _matches(_VOICE),
            "language": _matches(_LANGUAGE),
            "loop": _integer(0, 1000),
        },
        text=_text(SPOKEN_CHARS_MAX),
    ),
    "Play": ElementRule(attributes={"loop": _integer(0, 1000)}, text=_url),
    "Pause": ElementRule(attributes={"length": _integer(0, 180)}),
    "Hangup": ElementRule(),
    "Reject": ElementRule(attributes={"reason": _one_of("rejected", "busy")}),
    "Redirect": ElementRule(attributes={"method": _METHOD}, text=_url),
    "Connect": ElementRule(attributes=_ACTION, nouns=frozenset({"Stream", "ConversationRelay"})),
    "Stream": ElementRule(
        attributes={
            **_STATUS_CALLBACK,
            "url": _stream_url,
            "name": _WORD,
            "connectorName": _WORD,
            "track": _one_of("inbound_track"),  # within <Connect> the only one
        },
        required=frozenset({"url"}),
        children=frozenset({"Parameter"}),
    ),
    "ConversationRelay": ElementRule(
        attributes={
            "url": _wss_url,
            "welcomeGreeting": _text(SPOKEN_CHARS_MAX),
            "welcomeGreetingInterruptible": _one_of("none", "dtmf", "speech", "any"),
            "language": _matches(_LANGUAGE),
            "ttsLanguage": _matches(_LANGUAGE),
            "ttsProvider": _WORD,
            "voice": _WORD,
            "transcriptionLanguage": _matches(_LANGUAGE),
            "transcriptionProvider": _WORD,
            "speechModel": _WORD,
            "interruptible": _one_of("none", "dtmf", "speech", "any"),
            "interruptSensitivity": _one_of("high", "medium", "low"),
            "dtmfDetection": _BOOLEAN,
            "preemptible": _BOOLEAN,
            "profanityFilter": _BOOLEAN,
            "hints": _text(SPOKEN_CHARS_MAX),
            "debug": _WORD,
        },
        required=frozenset({"url"}),
        children=frozenset({"Parameter"}),
    ),
    "Parameter": ElementRule(
        attributes={"name": _WORD, "value": lambda _text: True},
        required=frozenset({"name", "value"}),
        attribute_chars_max=PARAMETER_CHARS_MAX,
    ),
    "Dial": ElementRule(
        attributes={
            **_ACTION,
            "timeout": _integer(5, 600),
            "timeLimit": _integer(1, 86_400),
            "callerId": _matches(_E164),
            "answerOnBridge": _BOOLEAN,
            "hangupOnStar": _BOOLEAN,
            "ringTone": _matches(re.compile(r"[a-z]{2}(-old)?|automatic")),
        },
        text=_matches(_E164),
        nouns=frozenset({"Number", "Sip"}),
    ),
    "Number": ElementRule(
        attributes={**_DIALLED_PARTY, "sendDigits": _matches(re.compile(r"[0-9*#wWA-D]+"))},
        text=_matches(_E164),
    ),
    "Sip": ElementRule(
        attributes={**_DIALLED_PARTY, "username": _WORD, "password": _WORD},
        text=_matches(_SIP_ADDRESS),
    ),
}
