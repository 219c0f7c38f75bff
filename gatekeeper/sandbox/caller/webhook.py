"""One webhook as Twilio sends it: signed, limited in time, retried, redirected, recorded."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urldefrag, urlencode, urljoin, urlsplit

from gatekeeper.sandbox.caller.policy import ConnectionPolicy
from gatekeeper.sandbox.caller.signature import SIGNATURE_HEADER, sign
from gatekeeper.sandbox.caller.transport import (
    Failure,
    Limits,
    LoopbackClient,
    TransportError,
)

IDEMPOTENCY_HEADER: Final = "I-Twilio-Idempotency-Token"
REDIRECTS_MAX: Final = 10
# Source: https://www.twilio.com/docs/api/errors/11216
REDIRECT_STATUSES: Final = frozenset({301, 302, 303, 307})

# Source: https://www.twilio.com/docs/api/errors
RETRIEVAL_ERROR: Final = 11200
CONNECTION_ERROR: Final = 11205
PROTOCOL_ERROR: Final = 11206
TOO_MANY_REDIRECTS_ERROR: Final = 11215
INVALID_REDIRECT_ERROR: Final = 11216

_FAILURE_ERRORS: Final = {
    Failure.CONNECTION: CONNECTION_ERROR,
    Failure.TIMEOUT: RETRIEVAL_ERROR,
    Failure.PROTOCOL: PROTOCOL_ERROR,
}
_FAILURE_REASONS: Final = {
    Failure.CONNECTION: "ct",
    Failure.TIMEOUT: "rt",
    Failure.PROTOCOL: "protocol",  # only `rp=all` tries it again
}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP request and what came of it: either a `status` or a `failure`."""

    method: str
    url: str
    idempotency_token: str
    elapsed_s: float
    status: int | None = None
    failure: Failure | None = None
    detail: str = ""
    content_type: str = ""
    location: str = ""
    body: bytes = field(default=b"", repr=False)

    @property
    def redirects(self) -> bool:
        """Whether the answer sends Twilio to another URL."""
        return self.status in REDIRECT_STATUSES and bool(self.location)

    @property
    def retry_reason(self) -> str | None:
        """The word of Twilio's retry policy for what went wrong, or None."""
        if self.failure is not None:
            return _FAILURE_REASONS[self.failure]
        kind = (self.status or 0) // 100
        return f"{kind}xx" if kind in (4, 5) else None

    @property
    def error_code(self) -> int | None:
        """Twilio's error code when this is where a webhook ended, or None when it went well."""
        if self.failure is not None:
            return _FAILURE_ERRORS[self.failure]
        if self.redirects:
            return TOO_MANY_REDIRECTS_ERROR
        match (self.status or 0) // 100:
            case 2:
                return None
            case 3:
                return INVALID_REDIRECT_ERROR
            case _:
                return RETRIEVAL_ERROR


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook with every exchange it took, in order; the last one decided."""

    url: str
    exchanges: tuple[Exchange, ...]

    @property
    def final(self) -> Exchange:
        """The exchange that decided."""
        return self.exchanges[-1]

    @property
    def error_code(self) -> int | None:
        """Twilio's error code, or None when it was answered with a 2xx."""
        return self.final.error_code


class WebhookSender:
    """Sends webhooks signed with one auth token. Safe to use from threads.

    With `public_url` (such as `https://gate.example`) URLs are signed as if they stood there: what
    a gate sees that is configured for a proxy in front of it.
    """

    def __init__(
        self, auth_token: str, policy: ConnectionPolicy, public_url: str | None = None
    ) -> None:
        self._auth_token = auth_token
        self._policy = policy
        self._public_url = public_url
        self._client = LoopbackClient()

    def send(self, url: str, parameters: Mapping[str, str]) -> Delivery:
        """POST `parameters` to `url`, with the retries and redirects that its policy allows.

        The URL's fragment overrides the policy. Raises NotLoopbackError rather than follow a
        redirect away from this machine.
        """
        url, fragment = urldefrag(url)
        policy = self._policy.overridden_by(fragment)
        limits = Limits(
            connect_timeout_s=policy.connect_timeout_s,
            read_timeout_s=policy.read_timeout_s,
            deadline_s=time.monotonic() + policy.total_timeout_s,
        )
        token = str(uuid.uuid4())
        exchanges: list[Exchange] = []
        for _attempt in range(1 + policy.retry_count):
            exchanges += self._follow(url, parameters, token, limits)
            time_is_up = time.monotonic() >= limits.deadline_s
            if time_is_up or not policy.retries(exchanges[-1].retry_reason):
                break
        return Delivery(self.signed_url(url), tuple(exchanges))

    def signed_url(self, url: str) -> str:
        """Return the URL as Twilio knows it."""
        if self._public_url is None:
            return url
        parts = urlsplit(url)
        path_and_query = url.removeprefix(f"{parts.scheme}://{parts.netloc}")
        return self._public_url.rstrip("/") + path_and_query

    def close(self) -> None:
        """Close the connections that are kept."""
        self._client.close()

    def _follow(
        self, url: str, parameters: Mapping[str, str], token: str, limits: Limits
    ) -> list[Exchange]:
        exchanges = [self._exchange("POST", url, parameters, token, limits)]
        while exchanges[-1].redirects and len(exchanges) <= REDIRECTS_MAX:
            last = exchanges[-1]
            url = urljoin(url, last.location)
            # As in a browser, only 307 keeps the method and the body.
            method = last.method if last.status == 307 else "GET"  # noqa: PLR2004 - the status
            exchanges.append(self._exchange(method, url, parameters, token, limits))
        return exchanges

    def _exchange(
        self, method: str, url: str, parameters: Mapping[str, str], token: str, limits: Limits
    ) -> Exchange:
        posted = parameters if method == "POST" else {}
        headers = self._headers(url, posted, token)
        body = urlencode(posted).encode() if posted else None
        started_s = time.monotonic()
        try:
            reply = self._client.request(method, url, headers, body, limits)
        except TransportError as error:
            return Exchange(
                method,
                url,
                token,
                elapsed_s=time.monotonic() - started_s,
                failure=error.failure,
                detail=str(error),
            )
        return Exchange(
            method,
            url,
            token,
            elapsed_s=time.monotonic() - started_s,
            status=reply.status,
            content_type=reply.headers.get("Content-Type", ""),
            location=reply.headers.get("Location", ""),
            body=reply.body,
        )

    def _headers(self, url: str, posted: Mapping[str, str], token: str) -> dict[str, str]:
        headers = {
            SIGNATURE_HEADER: sign(self.signed_url(url), posted, self._auth_token),
            IDEMPOTENCY_HEADER: token,
            "User-Agent": "TwilioProxy/1.1",
            "Accept": "*/*",
        }
        if posted:
            headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
        return headers
