"""Stripe's events: checked, read, and told to the ledger.

Events may come twice, late, and in any order; the ledger's verbs let the first that ends a top-off
win. A PaymentIntent is stored before it is confirmed, so its success always finds its top-off.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

import stripe
from stripe import SignatureVerificationError, WebhookSignature

from gatekeeper.ledger.errors import PaymentMismatch, UnknownAccount, UnknownTopoff
from gatekeeper.ledger.keys import account_of, is_record_id
from gatekeeper.ledger.topoffs import Failed, Settled, Topoffs
from gatekeeper.payments.intents import Intent, UnreadableIntent
from gatekeeper.payments.outcomes import fail, failure_of

#: How old a signature may be; Stripe's own default.
TOLERANCE_S: Final = stripe.Webhook.DEFAULT_TOLERANCE

SUCCEEDED: Final = "payment_intent.succeeded"
PAYMENT_FAILED: Final = "payment_intent.payment_failed"
CANCELED: Final = "payment_intent.canceled"
PROCESSING: Final = "payment_intent.processing"
_ABOUT_PAYMENTS: Final = frozenset({SUCCEEDED, PAYMENT_FAILED, CANCELED, PROCESSING})


class BadEvent(ValueError):
    """What came is not an event signed by Stripe. The message has nothing of what was sent."""


class EventOutcome(StrEnum):
    """What an event changed."""

    CREDITED = "credited"
    FAILED = "failed"
    REPEATED = "repeated"  # known before
    PENDING = "pending"  # Stripe is not done
    IGNORED = "ignored"  # not about a top-off
    UNKNOWN_TOPOFF = "unknown_topoff"  # about a top-off that this ledger does not have
    STRAY = "stray"  # a failure of a PaymentIntent that its top-off does not count
    MISMATCH = "mismatch"  # money that does not fit its top-off: someone must look


@dataclass(frozen=True, slots=True)
class StripeEvent:
    """An event whose signature is right. `intent` is None unless it is about a PaymentIntent."""

    id: str
    type: str
    intent: Intent | None

    @property
    def account_id(self) -> str:
        """The account it is about, "" when about none."""
        return account_of(self.intent.topoff_id) if self.is_about_topoff and self.intent else ""

    @property
    def is_about_topoff(self) -> bool:
        """Whether a charge of ours caused it."""
        intent = self.intent
        return (
            intent is not None
            and is_record_id(intent.topoff_id)
            and account_of(intent.topoff_id) == intent.account_id
        )

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> Self:
        """Read Stripe's JSON. Raises BadEvent."""
        try:
            is_event = fields["object"] == "event"
            event_id, event_type, data = fields["id"], fields["type"], fields["data"]["object"]
        except (KeyError, TypeError):
            raise BadEvent("this is not an event") from None
        if not (
            is_event
            and isinstance(event_id, str)
            and isinstance(event_type, str)
            and event_id.isascii()
            and event_type.isascii()
            and isinstance(data, Mapping)
        ):
            raise BadEvent("this is not an event")
        if event_type not in _ABOUT_PAYMENTS:
            return cls(event_id, event_type, None)
        try:
            return cls(event_id, event_type, Intent.read(data))
        except UnreadableIntent:
            raise BadEvent("the event's PaymentIntent cannot be read") from None


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


def apply_event(event: StripeEvent, topoffs: Topoffs) -> EventOutcome:
    """Tell the ledger what an event says. Raises redis.RedisError when it cannot be told."""
    if event.intent is None or not event.is_about_topoff:
        return EventOutcome.IGNORED
    if event.type == PROCESSING:
        return EventOutcome.PENDING
    try:
        tell = _settle if event.type == SUCCEEDED else _fail
        return tell(topoffs, event.intent)
    except (UnknownTopoff, UnknownAccount):
        return EventOutcome.UNKNOWN_TOPOFF


def _settle(topoffs: Topoffs, intent: Intent) -> EventOutcome:
    try:
        settled = topoffs.settle_topoff(intent.topoff_id, intent.payment)
    except PaymentMismatch:
        return EventOutcome.MISMATCH
    return EventOutcome.CREDITED if settled is Settled.SETTLED else EventOutcome.REPEATED


def _fail(topoffs: Topoffs, intent: Intent) -> EventOutcome:
    failure = failure_of(intent)
    if failure is None:
        return EventOutcome.IGNORED
    try:
        failed = fail(topoffs, intent.topoff_id, intent.id, failure)
    except PaymentMismatch:
        return EventOutcome.STRAY
    return EventOutcome.REPEATED if failed is Failed.REPEATED else EventOutcome.FAILED
