"""What the sandbox remembers: every object, in memory, behind one lock."""

import secrets
import string
import time
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from http import HTTPStatus
from threading import RLock
from typing import Any, Final

from gatekeeper.sandbox.stripe.cards import Behavior, SandboxCard
from gatekeeper.sandbox.stripe.errors import Json, missing

# The version whose shapes the sandbox speaks, which is the one that stripe-python 16.1 asks for.
API_VERSION: Final = "2026-10-28.endive"

_ALPHABET: Final = string.ascii_letters + string.digits

# What Stripe calls each kind of object when one can't be found.
_NOUNS: Final = {
    "customer": "customer",
    "payment_method": "PaymentMethod",
    "payment_intent": "payment_intent",
    "setup_intent": "setupintent",
    "charge": "charge",
    "refund": "refund",
    "dispute": "dispute",
    "product": "product",
    "price": "price",
    "subscription": "subscription",
    "invoice": "invoice",
    "invoice_payment": "invoice payment",
    "checkout.session": "checkout.session",
    "test_helpers.test_clock": "test clock",
    "event": "event",
}


def new_id(prefix: str, length: int = 24) -> str:
    """Make an id such as `pi_…`."""
    return f"{prefix}_{''.join(secrets.choice(_ALPHABET) for _ in range(length))}"


def now_s() -> int:
    """Return the Unix time in seconds."""
    return int(time.time())


@dataclass(slots=True)
class CardOnFile:
    """What is known about a payment method and never sent: the card and how it behaves.

    `set_up` is true once a SetupIntent authenticated the card, or a payment that saved it for use
    off-session. `spent` is true once the payment method was detached, or used without belonging to
    a customer: it may not be used again.
    """

    card: SandboxCard
    behavior: Behavior
    set_up: bool = False
    spent: bool = False


@dataclass(slots=True)
class SubscriptionNotes:
    """What is known about a subscription and never sent.

    `pending_lines` wait for its next invoice. `resumes_on_attempt`: while it is paused with an
    invoice to pay, a payment that fails ends the pause too.
    """

    pending_lines: list[Json] = field(default_factory=list)
    trial_end_announced: bool = False
    resumes_on_attempt: bool = False


@dataclass(slots=True)
class CheckoutNotes:
    """What is known about a Checkout Session and never sent.

    `intent_data` goes into its PaymentIntent, which is only made when somebody pays. `email`,
    `name` and `save` (the tick box) are what was last submitted on its page.
    """

    line_items: list[Json] = field(default_factory=list)
    intent_data: Json = field(default_factory=dict)
    email: str | None = None
    name: str | None = None
    save: bool = False


@dataclass(slots=True)
class State:
    """All objects by kind and id, oldest first. Hold `lock` while touching any of them.

    `clock_s` is the time for the subscriptions of customers without a test clock, once it has been
    moved; until then that is the real time. `origin` is where the sandbox's own pages are, without
    a slash at the end.
    """

    lock: RLock = field(default_factory=RLock)
    objects: dict[str, dict[str, Json]] = field(default_factory=lambda: {k: {} for k in _NOUNS})
    cards: dict[str, CardOnFile] = field(default_factory=dict)
    notes: dict[str, SubscriptionNotes] = field(default_factory=dict)
    checkouts: dict[str, CheckoutNotes] = field(default_factory=dict)
    clock_s: int | None = None
    origin: str = ""

    def clear(self) -> None:
        """Forget everything but where the pages are."""
        with self.lock:
            for objects in self.objects.values():
                objects.clear()
            self.cards.clear()
            self.notes.clear()
            self.checkouts.clear()
            self.clock_s = None

    def add(self, body: Json) -> Json:
        """Keep a new object under its kind and id, and return it."""
        self.objects[body["object"]][body["id"]] = body
        return body

    def find(
        self, kind: str, id_: str, *, param: str, status: int = HTTPStatus.BAD_REQUEST
    ) -> Json:
        """Return an object by its id.

        Raises StripeError (resource_missing) when there is none, and for a deleted customer in a
        parameter; `param` is what the error blames. Its status is 400 for an id in a parameter and
        404 for one in the path.
        """
        body = self.objects[kind].get(id_)
        deleted = body is not None and body.get("deleted") and status == HTTPStatus.BAD_REQUEST
        if body is None or deleted:
            raise missing(_NOUNS[kind], id_, param=param, status=status)
        return body

    def all(self, kind: str) -> Iterable[Json]:
        """Return every object of a kind, newest first."""
        return reversed(self.objects[kind].values())


@dataclass(slots=True)
class Call:
    """One execution of a request: what was asked, and the events it caused.

    `args` are the ids in the path, `params` the parameters as their readers left them. `clock_s` is
    when it happens, if a clock that was moved says so.
    """

    state: State
    args: dict[str, str] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    request_id: str | None = None
    idempotency_key: str | None = None
    events: list[Json] = field(default_factory=list)
    clock_s: int | None = None

    def now_s(self) -> int:
        """Return when this happens, in Unix seconds."""
        return now_s() if self.clock_s is None else self.clock_s

    def emit(self, type_: str, body: Json, *, previous: Json | None = None) -> None:
        """Record an event with a snapshot of an object, and what changed in it."""
        data: Json = {"object": deepcopy(body)}
        if previous is not None:
            data["previous_attributes"] = previous
        event = {
            "id": new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self.now_s(),
            "data": data,
            "livemode": False,
            "pending_webhooks": 0,
            "request": {"id": self.request_id, "idempotency_key": self.idempotency_key},
            "type": type_,
        }
        self.events.append(self.state.add(event))

    def emit_update(self, type_: str, before: Json, after: Json) -> None:
        """Record an event about a change, unless nothing changed."""
        previous = _changed(before, after)
        if previous:
            self.emit(type_, after, previous=previous)


def _changed(before: Json, after: Json) -> Json:
    """Return what was other before, and of an object within only what was other in it."""
    previous: Json = {}
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            old, new = _changed(old, new), {}
        if old != new:
            previous[name] = old
    return previous
