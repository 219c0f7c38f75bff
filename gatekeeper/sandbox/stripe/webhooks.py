"""Delivery of events to a webhook endpoint, signed and retried as Stripe does it.

Sources: https://docs.stripe.com/webhooks and https://docs.stripe.com/webhooks#verify-manually.
Only a 2xx counts as delivered; a redirect is a failure. Events go out one after the other in the
order in which they happened, unless the settings say otherwise.
"""

import heapq
import hmac
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from itertools import count
from threading import Condition, Thread
from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    field_validator,
)

from gatekeeper.sandbox.stripe.errors import Json
from gatekeeper.sandbox.stripe.loopback import check_loopback_url

Mode = Literal["deliver", "hold", "drop"]
DeliveryState = Literal["pending", "held", "acknowledged", "failed", "dropped"]

_LONGEST_BACKOFF_S: Final = 60.0
_LAST_ATTEMPT_S: Final = 1.0


class WebhookSettings(BaseModel):
    """Where and how events are delivered.

    With `first`, the events of a request are delivered and acknowledged before the request itself
    is answered.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str | None = None  # on this machine; without one nothing is delivered
    secret: SecretStr = SecretStr("whsec_sandbox")
    mode: Mode = "deliver"  # "hold" keeps events until they are released
    copies: PositiveInt = 1  # deliveries of each event, besides retries
    delay_s: NonNegativeFloat = 0.0  # before the first attempt
    first: bool = False
    retry_base_s: NonNegativeFloat = 0.1  # the first pause; each further one is twice as long
    max_attempts: PositiveInt = 16
    timeout_s: PositiveFloat = 10.0  # for the endpoint's answer

    @field_validator("url")
    @classmethod
    def _is_local(cls, url: str | None) -> str | None:
        if url is not None:
            check_loopback_url(url)
        return url


@dataclass(slots=True, eq=False)
class Delivery:
    """One event on its way; `attempts` are the statuses answered, `None` for no answer."""

    event: Json
    state: DeliveryState
    attempts: list[int | None] = field(default_factory=list)

    def describe(self) -> Json:
        """Return it as JSON."""
        return {
            "event": self.event["id"],
            "type": self.event["type"],
            "state": self.state,
            "attempts": list(self.attempts),
        }


class Webhooks:
    """The deliveries, and the thread that makes them. Safe to share between threads."""

    def __init__(self, settings: WebhookSettings) -> None:
        self._settings = settings
        self._changed = Condition()
        self._deliveries: list[Delivery] = []
        self._due: list[tuple[float, int, Delivery]] = []
        self._order = count()
        self._closed = False
        self._thread = Thread(target=self._run, name="sandbox-stripe-webhooks", daemon=True)

    def start(self) -> None:
        """Start delivering."""
        self._thread.start()

    def close(self) -> None:
        """Stop delivering; an attempt in flight gets a moment to end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(_LAST_ATTEMPT_S)

    @property
    def settings(self) -> WebhookSettings:
        """The settings in force."""
        return self._settings

    def configure(self, settings: WebhookSettings) -> None:
        """Replace the settings, for events from now on and for retries."""
        with self._changed:
            self._settings = settings

    def publish(self, events: Iterable[Json]) -> list[Delivery]:
        """Send events on their way."""
        with self._changed:
            if self._settings.url is None:
                return []
            made = [self._enqueue(event) for event in events for _ in range(self._settings.copies)]
            self._changed.notify_all()
            return made

    def _enqueue(self, event: Json) -> Delivery:
        states: dict[Mode, DeliveryState] = {
            "deliver": "pending",
            "hold": "held",
            "drop": "dropped",
        }
        delivery = Delivery(event, states[self._settings.mode])
        self._deliveries.append(delivery)
        if delivery.state == "pending":
            self._schedule(delivery, self._settings.delay_s)
        return delivery

    def _schedule(self, delivery: Delivery, delay_s: float) -> None:
        delivery.state = "pending"
        heapq.heappush(self._due, (time.monotonic() + delay_s, next(self._order), delivery))

    def release(self, *, event_ids: Sequence[str] | None = None, backwards: bool = False) -> int:
        """Deliver held events now, and return how many.

        Either those with these ids in that order, or all of them, the newest first if `backwards`.
        """
        with self._changed:
            held = [d for d in self._deliveries if d.state == "held"]
            if event_ids is not None:
                wanted = {id_: place for place, id_ in enumerate(event_ids)}
                held = [d for d in held if d.event["id"] in wanted]
                held.sort(key=lambda d: wanted[d.event["id"]])
            for delivery in reversed(held) if backwards else held:
                self._schedule(delivery, 0)
            self._changed.notify_all()
            return len(held)

    def redeliver(self, event: Json) -> None:
        """Deliver an event once more, whatever became of it."""
        with self._changed:
            delivery = Delivery(event, "pending")
            self._deliveries.append(delivery)
            self._schedule(delivery, 0)
            self._changed.notify_all()

    def wait_settled(self, deliveries: Sequence[Delivery] | None, wait_s: float) -> None:
        """Block until none of these deliveries, or of all, is pending, or time is up."""

        def settled() -> bool:
            chosen = self._deliveries if deliveries is None else deliveries
            return self._closed or all(d.state != "pending" for d in chosen)

        with self._changed:
            self._changed.wait_for(settled, wait_s)

    def describe(self) -> list[Json]:
        """Return all deliveries as JSON."""
        with self._changed:
            return [delivery.describe() for delivery in self._deliveries]

    def clear(self, settings: WebhookSettings) -> None:
        """Forget all deliveries and put these settings in force."""
        with self._changed:
            for delivery in self._deliveries:
                delivery.state = "dropped"
            self._deliveries.clear()
            self._due.clear()
            self._settings = settings
            self._changed.notify_all()

    def _run(self) -> None:
        while delivery := self._next():
            status = post_event(self._settings, delivery.event)
            with self._changed:
                self._note(delivery, status)
                self._changed.notify_all()

    def _next(self) -> Delivery | None:
        with self._changed:
            while not self._closed:
                if self._due and self._due[0][0] <= time.monotonic():
                    return heapq.heappop(self._due)[2]
                pause_s = self._due[0][0] - time.monotonic() if self._due else None
                self._changed.wait(pause_s)
            return None

    def _note(self, delivery: Delivery, status: int | None) -> None:
        delivery.attempts.append(status)
        made = len(delivery.attempts)
        if delivery.state == "dropped":
            return
        if status is not None and HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            delivery.state = "acknowledged"
        elif made >= self._settings.max_attempts:
            delivery.state = "failed"
        else:
            backoff_s = self._settings.retry_base_s * 2 ** (made - 1)
            self._schedule(delivery, min(backoff_s, _LONGEST_BACKOFF_S))


def signature(secret: str, body: bytes, at_s: int) -> str:
    """Return the `Stripe-Signature` header for a body sent at a Unix time."""
    digest = hmac.new(secret.encode(), f"{at_s}.".encode() + body, sha256).hexdigest()
    return f"t={at_s},v1={digest}"


def post_event(settings: WebhookSettings, event: Json) -> int | None:
    """Send an event to the endpoint; return the status answered, or `None` for no answer."""
    if settings.url is None:
        return None
    parts = urlsplit(settings.url)
    body = json.dumps(event, indent=2).encode()
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": signature(settings.secret.get_secret_value(), body, int(time.time())),
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    }
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    connection = HTTPConnection(parts.hostname or "", parts.port or 80, timeout=settings.timeout_s)
    try:
        connection.request("POST", target, body, headers)
        return connection.getresponse().status
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
