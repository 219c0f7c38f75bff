"""Stripe's events: checked, and read as far as anything here depends on them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import stripe
from stripe import SignatureVerificationError, WebhookSignature

from gatekeeper.domain.checkout import CheckoutMode
from gatekeeper.jobs import is_payment_intent
from gatekeeper.ledger.keys import is_record_id
from gatekeeper.payments.intents import Intent, UnreadableIntent

#: How old a signature may be; Stripe's own default.
TOLERANCE_S: Final = stripe.Webhook.DEFAULT_TOLERANCE

SUCCEEDED: Final = "payment_intent.succeeded"
PAYMENT_FAILED: Final = "payment_intent.payment_failed"
CANCELED: Final = "payment_intent.canceled"
PROCESSING: Final = "payment_intent.processing"
_CARD_DETACHED: Final = "payment_method.detached"


class BadEvent(ValueError):
    """What came is not an event signed by Stripe. The message has nothing of what was sent."""


@dataclass(frozen=True, slots=True)
class CorrectedPayment:
    """Money of a payment went back, or came again: a refund or a dispute has news."""

    payment_intent: str


@dataclass(frozen=True, slots=True)
class ChangedSubscription:
    """A subscription, or an invoice of it, has news."""

    subscription: str


@dataclass(frozen=True, slots=True)
class VisitedCheckout:
    """A visit to Checkout that began here has news. `id` is our own, `session` is Stripe's."""

    id: str
    mode: CheckoutMode
    session: str


@dataclass(frozen=True, slots=True)
class ChangedCustomer:
    """A customer was deleted, or a card of theirs was detached or reissued."""

    customer: str


#: What an event may be about.
Subject = Intent | CorrectedPayment | ChangedSubscription | VisitedCheckout | ChangedCustomer
_Reader = Callable[[Mapping[str, Any]], Subject | None]


@dataclass(frozen=True, slots=True)
class StripeEvent:
    """An event whose signature is right. `about` is None when it is nothing to us."""

    id: str
    type: str
    about: Subject | None

    @property
    def is_about_topoff(self) -> bool:
        """Whether a charge of ours caused it."""
        return isinstance(self.about, Intent) and self.about.is_about_topoff

    @property
    def facts(self) -> dict[str, str]:
        """What the log says of it."""
        facts = {"stripe_event": self.id, "type": self.type}
        match self.about:
            case Intent(id=payment_intent, account_id=account_id):
                facts["payment_intent"] = payment_intent
                facts["account"] = account_id if self._is_ours else ""
            case CorrectedPayment(payment_intent):
                facts["payment_intent"] = payment_intent
            case ChangedSubscription(subscription):
                facts["subscription"] = subscription
            case ChangedCustomer(customer):
                facts["customer"] = customer
            case VisitedCheckout(id=checkout_id):
                facts["checkout"] = checkout_id
        return facts

    @property
    def _is_ours(self) -> bool:
        return isinstance(self.about, Intent) and (
            self.about.is_about_topoff or self.about.is_about_purchase
        )

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> Self:
        """Read Stripe's JSON. Raises BadEvent."""
        try:
            is_event = fields["object"] == "event"
            event_id, event_type, data = fields["id"], fields["type"], fields["data"]
            subject, before = data["object"], data.get("previous_attributes")
        except (KeyError, TypeError, AttributeError):
            raise BadEvent("this is not an event") from None
        if not (
            is_event
            and isinstance(event_id, str)
            and isinstance(event_type, str)
            and event_id.isascii()
            and event_type.isascii()
            and isinstance(subject, Mapping)
        ):
            raise BadEvent("this is not an event")
        return cls(event_id, event_type, _read_about(event_type, subject, before))


def parse_event(payload: bytes, signature: str, secrets: Sequence[str]) -> StripeEvent:
    """Read a webhook's raw body, signed with any of the secrets (two during a rotation).

    Raises BadEvent for a wrong or old signature, and what is not UTF-8, JSON or an event.
    """
    if not any(_is_signed(payload, signature, secret) for secret in secrets):
        raise BadEvent("no signature of this age and content")
    try:
        fields = json.loads(payload)
    except (ValueError, RecursionError):
        raise BadEvent("this is not JSON") from None
    return StripeEvent.read(fields)


def _is_signed(payload: bytes, signature: str, secret: str) -> bool:
    try:
        return bool(WebhookSignature.verify_header(payload, signature, secret, TOLERANCE_S))
    except (SignatureVerificationError, UnicodeDecodeError):
        return False
    except TypeError:  # the library compares texts, which must be ASCII
        return False


def _read_about(
    event_type: str, data: Mapping[str, Any], before: Mapping[str, Any] | None
) -> Subject | None:
    """Read what an event is about; `before` are the values of what changed, as they were."""
    if event_type == _CARD_DETACHED:  # it is nobody's now
        return _customer(_id_at(before or {}, "customer"))
    for types, read in _READERS:
        if event_type.startswith(types):
            return read(data)
    return None


def _intent(data: Mapping[str, Any]) -> Intent:
    try:
        return Intent.read(data)
    except UnreadableIntent:
        raise BadEvent("the event's PaymentIntent cannot be read") from None


def _correction(data: Mapping[str, Any]) -> CorrectedPayment | None:
    payment_intent = _id_at(data, "payment_intent")
    return CorrectedPayment(payment_intent) if is_payment_intent(payment_intent) else None


def _visit(data: Mapping[str, Any]) -> VisitedCheckout | None:
    metadata = data.get("metadata")
    if not isinstance(metadata, Mapping):
        return None
    for name, mode in (("purchase", CheckoutMode.PAYMENT), ("setup", CheckoutMode.SETUP)):
        checkout_id = metadata.get(name)
        if isinstance(checkout_id, str) and is_record_id(checkout_id):
            return VisitedCheckout(checkout_id, mode, _id_at(data, "id"))
    return None


def _subscription(subscription: str) -> ChangedSubscription | None:
    return ChangedSubscription(subscription) if subscription else None


def _customer(customer: str) -> ChangedCustomer | None:
    return ChangedCustomer(customer) if customer else None


def _id_at(data: Mapping[str, Any], *path: str) -> str:
    """Read an id, of an object that may be expanded; "" where there is none. Raises BadEvent."""
    found: Any = data
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    if isinstance(found, Mapping):
        found = found.get("id")
    if found is not None and not (isinstance(found, str) and found.isascii()):
        raise BadEvent("the event names its object in an odd way")
    return found or ""


#: How the object of each type, or of all types that begin so, is read.
_READERS: Final[tuple[tuple[str | tuple[str, ...], _Reader], ...]] = (
    ((SUCCEEDED, PAYMENT_FAILED, CANCELED, PROCESSING), _intent),
    (("charge.refund", "refund.", "charge.dispute."), _correction),
    ("customer.subscription.", lambda data: _subscription(_id_at(data, "id"))),
    (
        "invoice.",
        lambda data: _subscription(_id_at(data, "parent", "subscription_details", "subscription")),
    ),
    ("checkout.session.", _visit),
    (
        ("payment_method.automatically_updated", "payment_method.updated"),
        lambda data: _customer(_id_at(data, "customer")),
    ),
    ("customer.deleted", lambda data: _customer(_id_at(data, "id"))),
)
