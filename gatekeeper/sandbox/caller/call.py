"""What Twilio knows of a call, and the parameters it sends about it.

Source: https://www.twilio.com/docs/voice/twiml#request-parameters
"""

import base64
import json
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final, Literal
from urllib.parse import quote

Direction = Literal["inbound", "outbound-api"]
TerminalStatus = Literal["completed", "busy", "no-answer", "failed", "canceled"]

API_VERSION: Final = "2010-04-01"
_ACCOUNT_SID: Final = re.compile(r"AC[0-9a-f]{32}")
_CALL_SID: Final = re.compile(r"CA[0-9a-f]{32}")
_SECONDS_A_MINUTE: Final = 60


def require_account_sid(text: str) -> str:
    """Return `text` if it has the shape of an AccountSid. Raises ValueError otherwise."""
    if not _ACCOUNT_SID.fullmatch(text):
        raise ValueError(f"an AccountSid is AC and 32 hexadecimal digits, not {text!r}")
    return text


class CallSids:
    """Makes CallSids: the same ones for the same seed, others for None."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed)  # noqa: S311 - names to tell apart, not secrets

    def next(self) -> str:
        """Return a CallSid; safe to use from threads."""
        return f"CA{self._random.getrandbits(128):032x}"


@dataclass(frozen=True, slots=True)
class Call:
    """A call that reaches our number (inbound), or one that we placed (outbound-api).

    `from_` is what Twilio sends: a number, `anonymous`, a SIP address. `extra` stands for
    parameters that Twilio adds without notice.
    """

    account_sid: str
    call_sid: str
    to: str
    from_: str
    direction: Direction = "inbound"
    caller_name: str | None = None
    forwarded_from: str | None = None
    parent_call_sid: str | None = None
    stir_verstat: str = "TN-Validation-Passed-A"
    extra: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_account_sid(self.account_sid)
        for sid in (self.call_sid, self.parent_call_sid):
            if sid is not None and not _CALL_SID.fullmatch(sid):
                raise ValueError(f"a CallSid is CA and 32 hexadecimal digits, not {sid!r}")

    def ringing_parameters(self) -> dict[str, str]:
        """Return what Twilio sends to ask what to do with the call."""
        # Twilio asks about an outbound call once the other side has picked up.
        status = "ringing" if self.direction == "inbound" else "in-progress"
        return self._parameters(status)

    def ended_parameters(self, status: TerminalStatus, duration_s: int) -> dict[str, str]:
        """Return what Twilio sends to the status callback; only a completed call has lasted."""
        lasted_s = duration_s if status == "completed" else 0
        return self._parameters(status) | {
            "CallDuration": str(lasted_s),
            "Duration": str(-(-lasted_s // _SECONDS_A_MINUTE)),  # begun minutes
            "Timestamp": format_datetime(datetime.now(UTC)),
            "CallbackSource": "call-progress-events",
            "SequenceNumber": "0",
        }

    def _parameters(self, status: str) -> dict[str, str]:
        parameters = {
            "AccountSid": self.account_sid,
            "ApiVersion": API_VERSION,
            "CallSid": self.call_sid,
            "CallStatus": status,
            "Direction": self.direction,
            **_party(self.from_, "From", "Caller"),
            **_party(self.to, "To", "Called"),
        }
        if self.direction == "inbound":
            parameters |= {"CallToken": self._token(), "StirVerstat": self.stir_verstat}
        optional = {
            "CallerName": self.caller_name,
            "CalledVia": self.forwarded_from,
            "ForwardedFrom": self.forwarded_from,
            "ParentCallSid": self.parent_call_sid,
        }
        present = {name: value for name, value in optional.items() if value is not None}
        return parameters | present | dict(self.extra)

    def _token(self) -> str:
        # Twilio's is opaque: escaped JSON around a signed token. Its odd characters matter here.
        inner = base64.b64encode(f"sandbox/{self.call_sid}+".encode()).decode()
        return quote(json.dumps({"parentCallInfoToken": inner, "identityHeaderTokens": []}))


def _party(address: str, *names: str) -> dict[str, str]:
    # Twilio tells the place of North American numbers and leaves the rest of them empty.
    known = address.startswith("+1")
    place = {
        "City": "SAN FRANCISCO" if known else "",
        "State": "CA" if known else "",
        "Zip": "94105" if known else "",
        "Country": "US" if known else "",
    }
    return {
        **dict.fromkeys(names, address),
        **{f"{name}{part}": value for name in names for part, value in place.items()},
    }
