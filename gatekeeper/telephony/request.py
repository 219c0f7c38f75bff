"""What Twilio's voice webhooks and status callbacks say, and whether they say it properly.

Parameters: https://www.twilio.com/docs/voice/twiml#request-parameters. New ones appear without
notice; what is not known here is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import unquote_to_bytes

from gatekeeper.domain.call import CallEnd, CallId, Direction
from gatekeeper.domain.phone import is_e164

#: A voice request has about 30 fields and 1 kB; SIP headers and transcriptions can add to it.
MAX_BODY_BYTES: Final = 65_536
MAX_FIELDS: Final = 256

#: Every CallStatus of https://www.twilio.com/docs/voice/api/call-resource#call-status-values;
#: `answered` and `initiated` come with the events of an outbound call.
TERMINAL_STATUSES: Final[frozenset[str]] = frozenset(end.value for end in CallEnd)
LIVE_STATUSES: Final[frozenset[str]] = frozenset(
    {"queued", "initiated", "ringing", "in-progress", "answered"}
)

_ACCOUNT_SID = re.compile(r"AC[0-9a-fA-F]{32}")
_CALL_SID = re.compile(r"CA[0-9a-fA-F]{32}")
_DURATION_DIGITS_MAX = 9
_READ_NAMES: Final = frozenset(
    {
        "AccountSid",
        "CallSid",
        "From",
        "To",
        "Direction",
        "CallStatus",
        "ParentCallSid",
        "CallDuration",
        "ErrorCode",
        "ErrorUrl",
    }
)


class MisshapenRequest(ValueError):
    """A request is not one that Twilio makes. The message names a parameter, never its value."""


def is_account_sid(text: str) -> bool:
    """Tell whether the text has the shape of a Twilio Account SID."""
    return _ACCOUNT_SID.fullmatch(text) is not None


def parse_form(body: bytes) -> list[tuple[str, str]]:
    """Decode an `application/x-www-form-urlencoded` body, blank values and repeats included.

    Decodes as `urllib.parse.parse_qsl` does, at about half its cost. Raises MisshapenRequest for
    too large a body, too many fields, or what is not UTF-8.
    """
    if len(body) > MAX_BODY_BYTES:
        raise MisshapenRequest(f"the body has more than {MAX_BODY_BYTES} bytes")
    if body.count(b"&") >= MAX_FIELDS:
        raise MisshapenRequest(f"the body has more than {MAX_FIELDS} fields")
    try:
        return [
            # Most fields need no decoding, and looking is cheaper than decoding.
            _decode(item) if "%" in item or "+" in item else item.partition("=")[::2]
            for item in body.decode().split("&")
            if item
        ]
    except UnicodeDecodeError:
        raise MisshapenRequest("the body is not UTF-8") from None


def _decode(item: str) -> tuple[str, str]:
    name, _, value = item.replace("+", " ").partition("=")
    value = value.replace("%2B", "+")  # nearly all that is escaped: every phone number has one
    if "%" in value:
        value = unquote_to_bytes(value).decode()
    return unquote_to_bytes(name).decode() if "%" in name else name, value


@dataclass(frozen=True, slots=True)
class VoiceRequest:
    """One request about one call.

    `from_number` and `to_number` are whatever Twilio sent (`anonymous`, a SIP address); of the two
    only `gate_number` is checked. `duration_s` is None unless the call has ended, `error_code` and
    `error_url` are None unless Twilio came to the fallback URL. `repr` leaves the numbers out:
    they are people's.
    """

    account_sid: str
    call_sid: str
    from_number: str = field(repr=False)
    to_number: str = field(repr=False)
    direction: Direction
    call_status: str
    parent_call_sid: str | None = None
    duration_s: int | None = None
    error_code: str | None = None
    error_url: str | None = field(default=None, repr=False)

    @classmethod
    def from_pairs(cls, pairs: Sequence[tuple[str, str]]) -> Self:
        """Read a request from its form fields. Raises MisshapenRequest.

        Shapes are checked though the request is signed: nothing stands between names and values
        when they are signed, so `AccountSid=AC1&CallSid=CA1` and `AccountSidAC1CallSid=CA1` have
        the same signature.
        """
        fields = dict(pairs)
        if len(fields) < len(pairs):
            _refuse_repeats(pairs)
        request = cls(
            account_sid=_sid(fields, "AccountSid", _ACCOUNT_SID),
            call_sid=_sid(fields, "CallSid", _CALL_SID),
            from_number=fields.get("From", ""),
            to_number=fields.get("To", ""),
            direction=_direction(fields.get("Direction", "")),
            call_status=fields.get("CallStatus", ""),
            parent_call_sid=(
                _sid(fields, "ParentCallSid", _CALL_SID) if fields.get("ParentCallSid") else None
            ),
            duration_s=_whole_number(fields.get("CallDuration", "")),
            error_code=fields.get("ErrorCode") or None,
            error_url=fields.get("ErrorUrl") or None,
        )
        # A child leg pays for nothing, and its numbers may be anything that can be dialled.
        if not request.is_child_leg and not is_e164(request.gate_number):
            name = "From" if request.is_outbound else "To"
            raise MisshapenRequest(f"{name} is missing or not an E.164 number")
        return request

    @property
    def call(self) -> CallId:
        """What identifies the call (R1)."""
        return CallId(self.account_sid, self.call_sid)

    @property
    def is_outbound(self) -> bool:
        """Whether we placed the call."""
        return self.direction is Direction.OUTBOUND

    @property
    def gate_number(self) -> str:
        """The number whose account pays: To when the call came in, From when it went out."""
        return self.from_number if self.is_outbound else self.to_number

    @property
    def is_child_leg(self) -> bool:
        """Whether this is a leg of another call, which was decided and charged itself."""
        return self.parent_call_sid is not None

    @property
    def end(self) -> CallEnd | None:
        """How the call ended; None while it lives. Raises MisshapenRequest for unknown statuses."""
        if self.call_status in TERMINAL_STATUSES:
            return CallEnd(self.call_status)
        if self.call_status in LIVE_STATUSES:
            return None
        raise MisshapenRequest("CallStatus is missing or not a known status")


def _sid(fields: Mapping[str, str], name: str, shape: re.Pattern[str]) -> str:
    value = fields.get(name, "")
    if not shape.fullmatch(value):
        raise MisshapenRequest(f"{name} is missing or not an SID")
    return value


def _direction(text: str) -> Direction:
    """Read Twilio's `inbound`, `outbound-api`, `outbound-dial`; any other is a call to us.

    Source: https://www.twilio.com/docs/voice/api/call-resource#call-properties. A word that
    Twilio adds is no reason to lose a call.
    """
    if not text:
        raise MisshapenRequest("Direction is missing")
    return Direction.OUTBOUND if text.startswith("outbound") else Direction.INBOUND


def _whole_number(text: str) -> int | None:
    # Nothing is decided by the duration, so an odd one is no reason to lose a call's end.
    if text.isascii() and text.isdigit() and len(text) <= _DURATION_DIGITS_MAX:
        return int(text)
    return None


def _refuse_repeats(pairs: Sequence[tuple[str, str]]) -> None:
    seen = set()
    for name, _ in pairs:
        if name in seen and name in _READ_NAMES:
            raise MisshapenRequest(f"{name} is given more than once")
        seen.add(name)
