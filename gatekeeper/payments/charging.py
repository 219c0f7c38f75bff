"""Charging a card for a top-off, once, however often and wherever this runs.

Why there is never a second charge, whatever dies, hangs or runs twice:

- Only the PaymentIntent that the ledger stored is ever confirmed, and Stripe lets one PaymentIntent
  succeed once. It is stored before it is confirmed; the ledger stores none for a top-off that has
  ended.
- All runs of one attempt confirm under one idempotency key, so Stripe executes one of them and
  answers the others with its outcome. A new attempt, under a new key, begins only after Stripe
  has answered from what it kept under the old one: the old one is then spent, for a run that
  froze before confirming too.
- A top-off is failed only when its PaymentIntent can't succeed any more: none was stored, its
  attempt was declined or waits for a cardholder who is never asked, its card no longer exists, or
  it was canceled. Everything else is unknown, stays in flight, and is looked up by the next run
  (R10).
- A ledger that was restored from a backup has forgotten what happened since, and Stripe forgets
  keys after a day. So before an old top-off is charged, or given up, its PaymentIntent is looked
  for at Stripe.

Sources: https://docs.stripe.com/api/idempotent_requests, https://docs.stripe.com/error-low-level,
https://docs.stripe.com/payments/paymentintents/lifecycle,
https://docs.stripe.com/api/payment_intents/list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import stripe
from stripe import StripeClient, StripeError, StripeObject

from gatekeeper.domain.incident import FailureReason
from gatekeeper.domain.topoff import Topoff
from gatekeeper.ledger.errors import UnknownTopoff
from gatekeeper.ledger.store import Clock
from gatekeeper.ledger.topoffs import Charge, Topoffs
from gatekeeper.payments.cards import CardNotUsable, fetch_card
from gatekeeper.payments.intents import Intent, PaymentError, UnreadableIntent
from gatekeeper.payments.outcomes import (
    AUTHENTICATION_REQUIRED,
    INTERNAL_ERROR,
    NO_PAYMENT_METHOD,
    Failure,
    fail,
    failure_of,
)
from gatekeeper.payments.stripe_errors import describe, is_kept

#: How long a charge whose PaymentIntent Stripe never got to is pursued. Far below the 24 h for
#: which Stripe keeps idempotency keys.
GIVE_UP_AFTER_S: Final = 2 * 3600

#: How old a top-off without a PaymentIntent may be for its charge to begin without looking for one
#: at Stripe first. No later than anything is given up, and far below those 24 h: after them the
#: key of a charge that the ledger lost with a restored backup would charge a second time.
LOOK_FIRST_AFTER_S: Final = GIVE_UP_AFTER_S
#: How far our clock may be ahead of Stripe's.
_CLOCKS_DIFFER_S: Final = 60
_PAGE: Final = 100
#: A top-off's PaymentIntents in these may have taken money, or may still: they count before others.
_MAY_BE_PAID: Final = ("succeeded", "processing", "requires_action")

_UNEXPECTED_STATE: Final = "payment_intent_unexpected_state"
_NO_SUCH_CUSTOMER: Final = "resource_missing"


class ChargeOutcome(StrEnum):
    """What a run of a charge came to."""

    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    NO_PAYMENT_METHOD = "no_payment_method"
    INTERNAL_ERROR = "internal_error"
    PROCESSING = "processing"  # Stripe is not done; the top-off stays in flight
    CANCELED = "canceled"  # auto top-off was switched off before Stripe was reached
    FINISHED = "finished"  # another run, or the webhook, came first


@dataclass(frozen=True, slots=True)
class ChargeResult:
    """The result of a job. `decline_code` is Stripe's own, for on-call."""

    outcome: ChargeOutcome
    decline_code: str = ""


class ChargeFault(Exception):
    """On-call should see this. The message has no card data, key or word of Stripe's."""


class OutcomeUnknown(ChargeFault):
    """Stripe did not say how it ended. The top-off stays in flight and is looked up later.

    `kept`: the answer is the one that Stripe keeps under the idempotency key.
    """

    def __init__(self, message: str, *, kept: bool = False) -> None:
        self.kept = kept
        super().__init__(message)


class ChargeRefused(ChargeFault):
    """Stripe refuses such a request: something is configured or built wrongly here."""


class _Refused(Exception):
    """Stripe refused one request and did nothing."""

    def __init__(self, error: StripeError) -> None:
        self.code = error.error.code if error.error else None
        self.may_be_the_card = isinstance(error, stripe.InvalidRequestError)
        super().__init__(describe(error))


def charge_topoff(
    topoff_id: str,
    *,
    topoffs: Topoffs,
    stripe: StripeClient,
    price_minor: int,
    currency: str,
    clock: Clock,
) -> ChargeResult:
    """Charge a top-off, or take up its charge where another run left it.

    `price_minor` is the default price of a credit in minor units of `currency`, a code in lower
    case. A decline is a result. Raises ChargeFault, UnknownTopoff, PaymentMismatch, and
    redis.RedisError; the ledger then still owes the work unless the top-off ended.
    """
    begun, topoff = topoffs.begin_charge(topoff_id, price_minor=price_minor, currency=currency)
    run = _Run(topoff, topoffs, stripe, clock, price_minor)
    match begun:
        case Charge.CHARGE:
            return run.charge()
        case Charge.NO_PAYMENT_METHOD:
            return run.fail("", NO_PAYMENT_METHOD)
        case Charge.CARD_REFUSED:
            code = topoff.decline_code
            return run.fail("", Failure(FailureReason.DECLINED, code, card_refused=True))
        case Charge.CANCELED:
            return ChargeResult(ChargeOutcome.CANCELED)
        case Charge.FINISHED:
            return ChargeResult(ChargeOutcome.FINISHED)


class _Run:
    """One run of one charge."""

    def __init__(
        self,
        topoff: Topoff,
        topoffs: Topoffs,
        stripe: StripeClient,
        clock: Clock,
        price_minor: int,
    ) -> None:
        self._topoff = topoff
        self._topoffs = topoffs
        self._intents = stripe.v1.payment_intents
        self._stripe = stripe
        self._clock = clock
        self._price_minor = price_minor

    def charge(self) -> ChargeResult:
        """Begin, or take up what is stored."""
        try:
            if self._topoff.payment_intent:
                return self._pursue(self._look_up(self._topoff.payment_intent))
            return self._begin()
        except UnknownTopoff:  # another run ended it while this one was on its way
            return ChargeResult(ChargeOutcome.FINISHED)

    def fail(self, payment_intent: str, failure: Failure) -> ChargeResult:
        """Record that the charge certainly did not happen."""
        fail(self._topoffs, self._topoff.id, payment_intent, failure)
        return ChargeResult(ChargeOutcome(failure.reason), failure.code)

    def _begin(self) -> ChargeResult:
        intent = self._find() if self._is_old else None
        if intent is None:
            if self._is_overdue:
                return self.fail("", INTERNAL_ERROR)
            try:
                intent = self._create()
            except _Refused as refusal:
                return self._end_refused("", refusal)
        stored = self._topoffs.record_intent(self._topoff.id, intent.id)
        return self._pursue(intent if stored == intent.id else self._look_up(stored))

    def _pursue(self, intent: Intent) -> ChargeResult:
        if not intent.is_untouched:
            return self._report(intent)
        if self._is_overdue:
            return self._report(self._cancel(intent.id))
        try:
            return self._report(self._confirm(intent))
        except _Refused as refusal:
            if refusal.code == _UNEXPECTED_STATE:  # another run was faster
                return self._report(self._look_up(intent.id))
            return self._end_refused(intent.id, refusal)

    def _report(self, intent: Intent) -> ChargeResult:
        """Tell the ledger how the PaymentIntent stands."""
        if intent.status == "succeeded":
            self._topoffs.settle_topoff(
                self._topoff.id, intent.payment, price_minor=self._price_minor
            )
            return ChargeResult(ChargeOutcome.SUCCEEDED)
        if intent.status == "processing":
            return ChargeResult(ChargeOutcome.PROCESSING)
        if intent.status == "requires_action":
            # Only the cardholder can take it further, and is never asked to.
            result = self.fail(intent.id, AUTHENTICATION_REQUIRED)
            self._cancel(intent.id)
            return result
        failure = failure_of(intent)
        if failure is None:
            raise OutcomeUnknown(f"{intent.id} is left in status {intent.status}")
        return self.fail(intent.id, failure)

    def _end_refused(self, payment_intent: str, refusal: _Refused) -> ChargeResult:
        """End a charge that Stripe refused to make, once it cannot be made by anyone else."""
        if refusal.may_be_the_card and not self._card_exists():
            # A detached card can never be attached again, so no other run can charge it either.
            return self.fail(payment_intent, NO_PAYMENT_METHOD)
        if payment_intent:
            intent = self._cancel(payment_intent)
            if intent.status != "canceled":
                return self._report(intent)
        self.fail(payment_intent, INTERNAL_ERROR)
        raise ChargeRefused(str(refusal)) from None

    def _create(self) -> Intent:
        topoff = self._topoff
        return self._under_key(
            "create",
            lambda key: self._intents.create(
                {
                    "amount": topoff.amount_minor or 0,
                    "currency": topoff.currency,
                    "customer": topoff.customer,
                    # Without redirects no return_url is needed to confirm. Naming types of payment
                    # methods is refused since API version 2026-09-30.
                    "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
                    "description": f"Automatic top-off: {topoff.credits} credits",
                    "metadata": {
                        "account": topoff.account_id,
                        "topoff": topoff.id,
                        "credits": str(topoff.credits),
                    },
                },
                {"idempotency_key": key},
            ),
        )

    def _confirm(self, intent: Intent) -> Intent:
        try:
            return self._under_key(
                "confirm",
                lambda key: self._intents.confirm(
                    intent.id,
                    {
                        "payment_method": self._topoff.payment_method,
                        "off_session": True,
                        "expand": ["latest_charge"],
                    },
                    {"idempotency_key": key},
                ),
            )
        except stripe.CardError as declined:
            return _with_error(intent, declined)

    def _find(self) -> Intent | None:
        """Look at Stripe for a PaymentIntent of this top-off that the ledger does not know."""
        since_s = self._topoff.requested_at_ms // 1000 - _CLOCKS_DIFFER_S
        try:
            with _in_our_words():
                page = self._intents.list(
                    {
                        "customer": self._topoff.customer,
                        "created": {"gte": since_s},
                        "limit": _PAGE,
                        "expand": ["data.latest_charge"],
                    }
                )
                listed = [Intent.read(each.to_dict()) for each in page.auto_paging_iter()]
        except _Refused as refusal:
            if refusal.code == _NO_SUCH_CUSTOMER:
                return None
            raise OutcomeUnknown(f"the customer's payments cannot be listed: {refusal}") from None
        own = [intent for intent in listed if intent.topoff_id == self._topoff.id]
        paid = [intent for intent in own if intent.status in _MAY_BE_PAID]
        paid.sort(key=lambda intent: _MAY_BE_PAID.index(intent.status))
        return next(iter(paid + own), None)

    def _look_up(self, payment_intent: str) -> Intent:
        try:
            return _ask(
                lambda: self._intents.retrieve(payment_intent, {"expand": ["latest_charge"]})
            )
        except _Refused as refusal:
            raise OutcomeUnknown(f"{payment_intent} cannot be looked up: {refusal}") from None

    def _cancel(self, payment_intent: str) -> Intent:
        """Make sure that it cannot succeed any more, or find out how it stands."""
        try:
            return _ask(lambda: self._intents.cancel(payment_intent))
        except _Refused as refusal:
            if refusal.code == _UNEXPECTED_STATE:
                return self._look_up(payment_intent)
            raise OutcomeUnknown(f"{payment_intent} cannot be canceled: {refusal}") from None

    def _under_key(self, step: str, request: Callable[[str], StripeObject]) -> Intent:
        """Make a request under the key of this attempt."""
        key = f"{self._topoff.id}:{step}:{self._topoff.attempt}"
        try:
            return _ask(lambda: request(key))
        except OutcomeUnknown as unknown:
            if unknown.kept:
                self._topoffs.next_attempt(self._topoff.id, self._topoff.attempt)
            raise

    def _card_exists(self) -> bool:
        try:
            fetch_card(self._stripe, self._topoff.customer, self._topoff.payment_method)
        except CardNotUsable:
            return False
        except StripeError as error:
            raise OutcomeUnknown(f"the card cannot be looked up: {describe(error)}") from None
        return True

    @property
    def _is_old(self) -> bool:
        return self._clock() - self._topoff.requested_at_ms > LOOK_FIRST_AFTER_S * 1000

    @property
    def _is_overdue(self) -> bool:
        charging_at_ms = self._topoff.charging_at_ms
        return (
            charging_at_ms is not None and self._clock() - charging_at_ms > GIVE_UP_AFTER_S * 1000
        )


def _ask(request: Callable[[], StripeObject]) -> Intent:
    """Make a request about a PaymentIntent. Raises what `_in_our_words` raises."""
    with _in_our_words():
        answer = request()
        return Intent.read(answer.to_dict() if isinstance(answer, StripeObject) else {})


@contextmanager
def _in_our_words() -> Iterator[None]:
    """Raise stripe.CardError; _Refused: Stripe did nothing; OutcomeUnknown: who knows.

    Nothing that Stripe or the library said is chained to the last two, for RQ stores what a job
    raises.
    """
    try:
        yield
    except stripe.CardError as error:
        if error.error is None:
            raise OutcomeUnknown(describe(error)) from None
        raise
    except (
        stripe.InvalidRequestError,
        stripe.IdempotencyError,
        stripe.AuthenticationError,
        stripe.PermissionError,
    ) as error:
        raise _Refused(error) from None
    except StripeError as error:
        raise OutcomeUnknown(describe(error), kept=is_kept(error)) from None
    except UnreadableIntent:
        raise OutcomeUnknown("Stripe's answer is not a PaymentIntent") from None


def _with_error(intent: Intent, declined: stripe.CardError) -> Intent:
    fields = declined.error.to_dict() if declined.error else {}
    return replace(intent, status="requires_payment_method", error=PaymentError.read(fields))
