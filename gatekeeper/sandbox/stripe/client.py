"""A client of the sandbox's control interface, for tests and the demo."""

import json
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

Json = dict[str, Any]


class SandboxControlError(Exception):
    """The sandbox refused; the message says why."""


class SandboxControl:
    """Tells a sandbox at `base_url` what to do. Safe to share between threads.

    Every method raises `SandboxControlError` if the sandbox refuses, and `OSError` if it isn't
    there.
    """

    def __init__(self, base_url: str, *, timeout_s: float = 70) -> None:
        self._address = urlsplit(base_url)
        self._timeout_s = timeout_s

    def create_customer(
        self,
        *,
        card: str | None = None,
        outcome: Json | None = None,
        email: str | None = None,
        name: str | None = None,
        metadata: dict[str, str] | None = None,
    ) -> Json:
        """Create a customer, with a test card as its default if given.

        Unlike the API this attaches any test card, also those that decline to be attached.

        Returns both: `{"customer": {…}, "payment_method": {…} or None}`.
        """
        body = {
            "card": card,
            "outcome": outcome,
            "email": email,
            "name": name,
            "metadata": metadata,
        }
        return self._call("POST", "customers", body)

    def set_outcome(self, payment_method: str, outcome: str, **details: str | None) -> None:
        """Let a card `succeed`, `decline`, stay `processing` or `authenticate`.

        `details` of a decline: `decline_code`, `advice_code`, `code`, `message`.
        """
        path = f"payment_methods/{quote(payment_method)}/outcome"
        self._call("POST", path, {"outcome": outcome, **details})

    def reissue_card(
        self, payment_method: str, *, exp_month: int, exp_year: int, last4: str | None = None
    ) -> None:
        """Let a card's network tell of a new expiry, and of a new number if there is one."""
        body = {"exp_month": exp_month, "exp_year": exp_year, "last4": last4}
        self._call("POST", f"payment_methods/{quote(payment_method)}/reissue", body)

    def settle_payment(self, payment_intent: str, outcome: str, **details: str | None) -> None:
        """Let a processing payment, or one that waits for 3D Secure, `succeed` or `decline`."""
        path = f"payment_intents/{quote(payment_intent)}/settle"
        self._call("POST", path, {"outcome": outcome, **details})

    def settle_setup(self, setup_intent: str, outcome: str) -> None:
        """Let the 3D Secure challenge of a SetupIntent `succeed` or `decline`."""
        self._call("POST", f"setup_intents/{quote(setup_intent)}/settle", {"outcome": outcome})

    def expire_checkout(self, session: str) -> None:
        """Let the time of an open Checkout Session be up."""
        self._call("POST", f"checkout_sessions/{quote(session)}/expire")

    def settle_refund(
        self, refund: str, outcome: str, *, failure_reason: str = "expired_or_canceled_card"
    ) -> None:
        """Let a pending refund `succeed`, or let a refund `fail`, also one that has succeeded."""
        body = {"outcome": outcome, "failure_reason": failure_reason}
        self._call("POST", f"refunds/{quote(refund)}/settle", body)

    def open_dispute(
        self,
        charge: str,
        amount_minor: int | None = None,
        *,
        reason: str = "fraudulent",
        inquiry: bool = False,
    ) -> str:
        """Dispute a charge, or what is left of it after refunds, and return the dispute's id.

        An `inquiry` only asks; nothing is withdrawn.
        """
        body = {"amount_minor": amount_minor, "reason": reason, "inquiry": inquiry}
        dispute: str = self._call("POST", f"charges/{quote(charge)}/dispute", body)["id"]
        return dispute

    def close_dispute(self, dispute: str, outcome: str) -> None:
        """Let a dispute be `won` or `lost`; an inquiry can only be `warning_closed`."""
        self._call("POST", f"disputes/{quote(dispute)}/close", {"outcome": outcome})

    def advance_clock(self, to_s: int, *, customer: str | None = None) -> None:
        """Move the time of subscriptions forward to a Unix time; all that falls due happens.

        Checkout Sessions that would have expired by then do.

        With a `customer` only theirs: the test clock that they are on, or one made for them.
        Without, the time of all who are on no test clock. An invoice is paid an hour after its
        period began.
        """
        self._call("POST", "clock", {"to_s": to_s, "customer": customer})

    def exhaust_retries(self, subscription: str, outcome: str) -> None:
        """Let a subscription that is past due become `unpaid` or `canceled`."""
        path = f"subscriptions/{quote(subscription)}/exhaust_retries"
        self._call("POST", path, {"outcome": outcome})

    def add_fault(self, kind: str, **settings: Any) -> str:
        """Queue a fault and return its id; see `faults` for kinds and settings."""
        fault: str = self._call("POST", "faults", {"kind": kind, **settings})["id"]
        return fault

    def faults(self) -> list[Json]:
        """Return the faults still in the queue."""
        waiting: list[Json] = self._call("GET", "faults")["faults"]
        return waiting

    def clear_faults(self) -> None:
        """Empty the queue of faults."""
        self._call("DELETE", "faults")

    def held(self, *, count: int = 0, wait_s: float = 0) -> list[Json]:
        """Return the requests held, after waiting for `count` of them for at most `wait_s`."""
        query = urlencode({"count": count, "wait_s": wait_s})
        held: list[Json] = self._call("GET", f"held?{query}")["held"]
        return held

    def release(self, request_id: str | None = None) -> int:
        """Let one held request go on, or all of them; return how many."""
        released: int = self._call("POST", "release", {"request_id": request_id})["released"]
        return released

    def requests(self, *, path: str | None = None) -> list[Json]:
        """Return the API requests seen, oldest first; those to one path if given."""
        seen: list[Json] = self._call("GET", "requests")["requests"]
        return [entry for entry in seen if path in (None, entry["path"])]

    def charges(self) -> Json:
        """Return counts and amounts of charges, in all and under `customers` by customer."""
        return self._call("GET", "charges")

    def webhooks(self, *, wait_s: float = 0) -> list[Json]:
        """Return the deliveries, after waiting until none is pending for at most `wait_s`."""
        answer = self._call("GET", f"webhooks?{urlencode({'wait_s': wait_s})}")
        deliveries: list[Json] = answer["deliveries"]
        return deliveries

    def configure_webhooks(self, **settings: Any) -> None:
        """Change settings of the deliveries; see `webhooks.WebhookSettings`."""
        self._call("POST", "webhooks", settings)

    def release_webhooks(self, *, events: list[str] | None = None, order: str = "created") -> int:
        """Deliver held events, in the order given, `created` or `reversed`; say how many."""
        body = {"events": events, "order": order}
        released: int = self._call("POST", "webhooks/release", body)["released"]
        return released

    def deliver_event(self, event: str) -> None:
        """Deliver an event once more."""
        self._call("POST", f"events/{quote(event)}/deliver")

    def prune_idempotency_keys(self, key: str | None = None) -> None:
        """Forget an idempotency key, or all of them."""
        self._call("POST", "idempotency_keys/prune", {"key": key})

    def reset(self) -> None:
        """Forget everything and go back to the settings of the start."""
        self._call("POST", "reset")

    def _call(self, method: str, path: str, body: Json | None = None) -> Json:
        connection = HTTPConnection(
            self._address.hostname or "", self._address.port, timeout=self._timeout_s
        )
        try:
            connection.request(method, f"/_sandbox/{path}", json.dumps(body) if body else None)
            response = connection.getresponse()
            answer: Json = json.loads(response.read())
        finally:
            connection.close()
        if response.status != HTTPStatus.OK:
            raise SandboxControlError(answer["error"])
        return answer
