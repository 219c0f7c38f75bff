"""Requests about new calls, signed as Twilio signs them, made before the clock starts."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote_plus

from gatekeeper.sandbox.caller import IDEMPOTENCY_HEADER, SIGNATURE_HEADER, Call, sign
from gatekeeper.sandbox.caller.call import CallSids
from gatekeeper.sandbox.stack import ACCOUNT_SID, AUTH_TOKEN

#: What Twilio calls and signs. A platform's proxy passes its requests on over plain HTTP, and
#: says so in X-Forwarded-Proto.
PUBLIC_URL: Final = "https://gate.example.com"
PATH: Final = "/voice/incoming"
_CALLER: Final = "+14155550123"
_HEAD: Final = f"""\
POST {PATH} HTTP/1.1
Host: {PUBLIC_URL.removeprefix("https://")}
X-Forwarded-For: 203.0.113.7
X-Forwarded-Proto: https
User-Agent: TwilioProxy/1.1
Accept: */*
Content-Type: application/x-www-form-urlencoded; charset=UTF-8
{IDEMPOTENCY_HEADER}: 0c6d2f7e-6f0c-4a8d-9a37-3f1f6f0f5d11
""".replace("\n", "\r\n")


class Switchboard:
    """Makes requests about calls to some numbers in turn, each with a CallSid of its own."""

    def __init__(self, numbers: list[str]) -> None:
        self._sids = CallSids()
        self._calls = [Call(ACCOUNT_SID, self._sids.next(), to, _CALLER) for to in numbers]
        self._templates = [call.ringing_parameters() for call in self._calls]

    def requests(self, count: int) -> list[bytes]:
        """Make so many HTTP requests, head and body."""
        templates = self._templates
        return [self._request(templates[n % len(templates)]) for n in range(count)]

    def _request(self, template: dict[str, str]) -> bytes:
        parameters = {**template, "CallSid": self._sids.next()}
        signature = sign(PUBLIC_URL + PATH, parameters, AUTH_TOKEN)
        body = "&".join([f"{name}={_quoted(text)}" for name, text in parameters.items()])
        head = f"{_HEAD}{SIGNATURE_HEADER}: {signature}\r\nContent-Length: {len(body)}\r\n\r\n"
        return (head + body).encode()


_quoted_texts: dict[str, str] = {}


def _quoted(text: str) -> str:
    """Escape as forms do. All but the CallSid, which needs no escaping, comes again and again."""
    if text.isalnum():
        return text
    if text not in _quoted_texts:
        _quoted_texts[text] = quote_plus(text)
    return _quoted_texts[text]
